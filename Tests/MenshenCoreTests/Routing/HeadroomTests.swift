// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import TestSupport
import Testing

@testable import MenshenCore

struct HeadroomTests {
    /// 2026-07-21 01:58:48 UTC.
    private static let wall: UInt64 = 1_784_599_128_000_000
    private static let second: Int64 = 1_000_000

    private func head(_ lines: [String]) throws -> ResponseHead {
        var head = ResponseHead()
        for line in ["HTTP/1.1 200 OK"] + lines + [""] { _ = try head.add(Array((line + "\r\n").utf8).span) }
        return head
    }

    private func read(_ lines: String...) throws -> Headroom {
        var headroom = Headroom()
        headroom.note(try head(lines), at: 7) { Self.wall }
        return headroom
    }

    /// "unit window remaining/limit used status +seconds", with "-" for what is not there.
    private func shown(_ headroom: Headroom) -> [String] {
        headroom.limits.map { limit in
            let wait = limit.resetsAt.map { "+\(Double($0 - Int64(Self.wall)) / 1_000_000)" }
            let counts = [limit.remaining, limit.limit].map { $0.map { "\($0)" } ?? "-" }.joined(separator: "/")
            return [
                limit.unit.rawValue, limit.window.isEmpty ? "-" : limit.window, counts,
                limit.used.map { "\($0)" } ?? "-", limit.status ?? "-", wait ?? "-",
            ].joined(separator: " ")
        }
    }

    @Test func `OpenAI's, with durations as Go writes them`() throws {
        let headroom = try read(
            "openai-processing-ms: 410", "x-ratelimit-limit-requests: 3000", "x-ratelimit-limit-tokens: 250000",
            "x-ratelimit-remaining-requests: 2999", "x-ratelimit-remaining-tokens: 249989",
            "x-ratelimit-reset-requests: 20ms", "x-ratelimit-reset-tokens: 6m0s")
        #expect(
            shown(headroom) == ["requests - 2999/3000 - - +0.02", "tokens - 249989/250000 - - +360.0"])
        #expect(headroom.limits.map(\.saidAt) == [7, 7])
    }

    @Test func `Azure's, which says what is left alone`() throws {
        let headroom = try read("x-ratelimit-remaining-requests: 119", "X-RateLimit-Remaining-Tokens: 119968")
        #expect(shown(headroom) == ["requests - 119/- - - -", "tokens - 119968/- - - -"])
    }

    @Test func `Groq's, Mistral's and Cerebras' are the same with fractions and windows`() throws {
        #expect(
            shown(try read("x-ratelimit-reset-requests: 2m59.56s", "x-ratelimit-reset-tokens: 7.66s")) == [
                "requests - -/- - - +179.56", "tokens - -/- - - +7.66",
            ])
        #expect(
            shown(
                try read(
                    "x-ratelimit-limit-tokens-minute: 5000000", "x-ratelimit-remaining-tokens-minute: 4999911",
                    "x-ratelimit-tokens-query-cost: 52", "x-ratelimit-limit-req-minute: 720",
                    "x-ratelimit-remaining-req-minute: 717")) == [
                    "tokens minute 4999911/5000000 - - -", "requests minute 717/720 - - -",
                ])
        #expect(
            shown(try read("x-ratelimit-limit-requests-day: 14400", "x-ratelimit-reset-requests-day: 33011.38")) == [
                "requests day -/14400 - - +33011.38"
            ])
    }

    @Test func `Anthropic's, with times in RFC 3339`() throws {
        let headroom = try read(
            "anthropic-ratelimit-requests-limit: 50", "anthropic-ratelimit-requests-remaining: 49",
            "anthropic-ratelimit-requests-reset: 2026-07-21T01:59:48Z",
            "anthropic-ratelimit-input-tokens-limit: 40000", "anthropic-ratelimit-input-tokens-remaining: 39000",
            "anthropic-ratelimit-output-tokens-reset: 2026-07-21T03:58:49.5+02:00",
            "anthropic-ratelimit-tokens-remaining: 47000")
        #expect(
            shown(headroom) == [
                "requests - 49/50 - - +60.0", "input_tokens - 39000/40000 - - -", "output_tokens - -/- - - +1.5",
                "tokens - 47000/- - - -",
            ])
    }

    @Test func `a subscription's, with shares and times in seconds since 1970`() throws {
        let headroom = try read(
            "anthropic-ratelimit-unified-status: allowed", "anthropic-ratelimit-unified-5h-status: allowed",
            "anthropic-ratelimit-unified-5h-reset: 1784607600", "anthropic-ratelimit-unified-5h-utilization: 0.05",
            "anthropic-ratelimit-unified-7d-status: allowed_warning",
            "anthropic-ratelimit-unified-7d-reset: 1785031200", "anthropic-ratelimit-unified-7d-utilization: 1.02",
            "anthropic-ratelimit-unified-7d_oi-utilization: 0.27",
            "anthropic-ratelimit-unified-representative-claim: five_hour",
            "anthropic-ratelimit-unified-fallback-percentage: 0.5", "anthropic-ratelimit-unified-reset: 1784607600",
            "anthropic-ratelimit-unified-overage-status: rejected")
        #expect(
            shown(headroom) == [
                "subscription 5h -/- 500 allowed +8472.0", "subscription 7d -/- 10200 allowed_warning +432072.0",
                "subscription 7d_oi -/- 2700 - -",
            ])
    }

    @Test(arguments: [
        ("1s", 1_000_000), ("1h2m3s", 3_723_000_000), ("1d", 86_400_000_000), ("120µs", 120), ("1.5ms", 1500),
        ("0s", 0),
        ("30", 30_000_000), ("0.5", 500_000), ("1784599138", 10_000_000), ("1784599138000", 10_000_000),
    ])
    func `a reset is read in each of its forms`(text: String, after: Int64) throws {
        let headroom = try read("x-ratelimit-reset-tokens: \(text)")
        #expect(headroom.limits.first?.resetsAt == Int64(Self.wall) + after)
    }

    @Test(arguments: [
        "", "soon", "-1", "1x", "s", "1h2", "1..5s", "99999999999999999999", "999999999999999999", "99999999999999d",
        "9999d",
        "2026-13-01T00:00:00Z", "2026-07-21T01:59:48", "2026-07-21T01:59:48+1", "2026-07-21", "1970-01-01T00:00:00Z",
        String(repeating: "1m", count: 40),
    ])
    func `a reset that means nothing is none`(text: String) throws {
        #expect(HeadroomValue.reset(Array(text.utf8)[...], wall: Int64(Self.wall)) == nil)
        #expect(try read("x-ratelimit-reset-tokens: \(text)").limits.first?.resetsAt == nil)
    }

    @Test func `the last word counts, within an answer and from one to the next`() throws {
        var headroom = try read("x-ratelimit-remaining-tokens: 10", "x-ratelimit-remaining-tokens: 9")
        #expect(shown(headroom) == ["tokens - 9/- - - -"])
        headroom.note(
            try head(["x-ratelimit-limit-tokens: 20", "x-ratelimit-remaining-tokens: many"]), at: 8
        ) { Self.wall }
        #expect(shown(headroom) == ["tokens - -/20 - - -"] && headroom.limits[0].saidAt == 8)
        headroom.note(try head(["content-type: text/plain"]), at: 9) { Self.wall }
        #expect(headroom.limits[0].saidAt == 8)
    }

    @Test func `an answer without such fields is not asked what time it is, nor is anything kept of it`() throws {
        var headroom = Headroom()
        let head = try head([
            "x-request-id: 1", "anthropic-organization-id: o", "alt-svc: h3", "x-ratelimit-: 1",
            "x-ratelimit-limits-x: 1",
            "x-ratelimit-limit-cows: 1", "anthropic-ratelimit-: 1", "anthropic-ratelimit-requests: 1",
            "anthropic-ratelimit-unified-x-reset: 1", "xx-ratelimit-limit-tokens: 1",
            "x-ratelimit-limit-tokens-\(String(repeating: "w", count: 16)): 1",
        ])
        var asked = 0
        headroom.note(head, at: 1) {
            asked += 1
            return Self.wall
        }
        #expect(headroom == Headroom() && asked == 0 && !Headroom.isSaid(in: head))
    }

    @Test(arguments: [17, 18, 19, 20, 40])
    func `a number that is too long is no number, and no crash`(length: Int) throws {
        let nines = String(repeating: "9", count: length)
        let head = try head([
            "x-ratelimit-remaining-tokens: \(nines)", "x-ratelimit-limit-tokens: \(nines).\(nines)",
            "x-ratelimit-reset-tokens: \(nines)s", "anthropic-ratelimit-unified-5h-utilization: \(nines).\(nines)",
            "anthropic-ratelimit-unified-5h-reset: \(nines)", "retry-after: \(nines)",
        ])
        var headroom = Headroom()
        headroom.note(head, at: 1) { Self.wall }
        #expect(headroom.limits.count <= Headroom.maxLimits)
    }

    @Test func `a provider that names a thousand limits has few of them kept`() throws {
        let lines = (0..<1000).map { "x-ratelimit-limit-tokens-w\($0): 1" }
        var headroom = Headroom()
        let head = try head(lines)
        for _ in 0..<3 { headroom.note(head, at: 1) { Self.wall } }
        #expect(headroom.limits.count == Headroom.maxLimits)
    }
}
