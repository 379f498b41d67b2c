// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

@testable import MenshenCore

struct RequestTallyTests {
    private static let caller = CallerRecord(
        uid: 1000, pid: 1, executable: "/usr/bin/python3", unit: nil, address: "unix")

    private static func settlement(
        model: String? = "gpt", token: String? = nil, provider: String? = "openai", status: Int? = 200,
        _ state: EndState = .complete
    ) -> AuditSettlement {
        let intent = AuditIntent(
            id: RequestID(microseconds: 1), caller: caller, tokenName: token, method: "POST", path: "/",
            dialect: .openai,
            operation: .chat, provider: provider, model: model, isStream: nil)
        var end = AuditSettlement(
            intent: intent, endState: state, totalMicroseconds: 2_000_000, bytesIn: 1, bytesOut: 1)
        end.status = status
        end.firstByteMicroseconds = 40_000
        if let provider {
            end.attempts = [
                AttemptRecord(
                    provider: provider, status: status, reason: "ok", startedMicroseconds: 0, endedMicroseconds: 1)
            ]
        }
        return end
    }

    private static func count(
        _ settlement: AuditSettlement, in tally: inout RequestTally, _ names: inout LabelValues, limit: Int = 3,
        isKnown: Bool = true, _ times: RequestTimes = RequestTimes()
    ) {
        var copy = names
        tally.count(settlement, times, isKnown: isKnown) { name, isProven in
            copy.value(for: name, isProven: isProven, limit: limit)
        } caller: { name, _ in
            name
        }
        names = copy
    }

    private static func lines(_ tally: RequestTally, of prefix: String) -> [String] {
        var text = MetricText(.prometheus)
        tally.write(to: &text, openRequests: 0, openStreams: 0)
        return String(decoding: text.end(), as: UTF8.self).split(separator: "\n").map(String.init).filter {
            $0.hasPrefix(prefix)
        }
    }

    @Test func `a request counts once, under its provider, model, operation and end`() {
        var tally = RequestTally()
        var names = LabelValues()
        for _ in 0..<3 { Self.count(Self.settlement(), in: &tally, &names) }
        Self.count(Self.settlement(status: 429, .complete), in: &tally, &names)
        Self.count(Self.settlement(status: nil, .clientGone), in: &tally, &names)
        #expect(
            Self.lines(tally, of: "menshen_requests_total{") == [
                "menshen_requests_total{provider=\"openai\",model=\"gpt\",operation=\"chat\",end_state=\"complete\",status=\"2xx\"} 3",
                "menshen_requests_total{provider=\"openai\",model=\"gpt\",operation=\"chat\",end_state=\"complete\",status=\"4xx\"} 1",
                "menshen_requests_total{provider=\"openai\",model=\"gpt\",operation=\"chat\",end_state=\"client_gone\",status=\"\"} 1",
            ])
        #expect(
            Self.lines(tally, of: "menshen_request_duration_seconds_sum") == [
                "menshen_request_duration_seconds_sum{provider=\"openai\",model=\"gpt\"} 10.0"
            ])
        #expect(
            Self.lines(tally, of: "menshen_attempts_total") == [
                "menshen_attempts_total{provider=\"openai\",reason=\"ok\"} 5"
            ])
    }

    @Test func `kinds of tokens add up to all of them, and money is exact`() {
        var tally = RequestTally()
        var names = LabelValues()
        var end = Self.settlement(token: "ci")
        var usage = Usage()
        usage.inputTotal = 100
        usage.cacheRead = 60
        usage.cacheWrite = 10
        usage.outputTotal = 50
        usage.reasoning = 20
        end.answer = AnswerRecord(
            usage: usage, model: nil, finishReason: nil, serviceTier: nil, endUser: nil, masking: [])
        end.cost = Cost(Money(picodollars: 1_000_000_000_001), .priced)
        Self.count(end, in: &tally, &names)
        end.cost = Cost(nil, .unpriced)
        Self.count(end, in: &tally, &names)
        let labels = "provider=\"openai\",model=\"gpt\""
        #expect(
            Self.lines(tally, of: "menshen_input_tokens_total") + Self.lines(tally, of: "menshen_output_tokens_total")
                == [
                    "menshen_input_tokens_total{\(labels),kind=\"uncached\"} 60",
                    "menshen_input_tokens_total{\(labels),kind=\"cached\"} 120",
                    "menshen_input_tokens_total{\(labels),kind=\"cache_written\"} 20",
                    "menshen_output_tokens_total{\(labels),kind=\"text\"} 60",
                    "menshen_output_tokens_total{\(labels),kind=\"reasoning\"} 40",
                ])
        #expect(
            Self.lines(tally, of: "menshen_cost_dollars_total") == [
                "menshen_cost_dollars_total{\(labels)} 1.000000000001"
            ])
        #expect(Self.lines(tally, of: "menshen_unpriced") == ["menshen_unpriced_requests_total{\(labels)} 1"])
        #expect(
            Self.lines(tally, of: "menshen_caller") == [
                "menshen_caller_requests_total{caller=\"ci\"} 2",
                "menshen_caller_cost_dollars_total{caller=\"ci\"} 1.000000000001",
            ])
    }

    @Test func `a name that no provider has answered well has no series of its own, however many there are`() {
        var tally = RequestTally()
        var names = LabelValues()
        for number in 0..<1000 {
            Self.count(Self.settlement(model: "invented-\(number)", status: 404), in: &tally, &names)
            Self.count(
                Self.settlement(model: "guessed-\(number)", provider: nil, status: 403, .refused), in: &tally, &names)
        }
        for number in 0..<1000 { Self.count(Self.settlement(model: "real-\(number % 5)"), in: &tally, &names) }
        let requests = Self.lines(tally, of: "menshen_requests_total{")
        #expect(requests.count == 6)
        #expect(requests.filter { $0.contains("model=\"other\"") }.count == 3)
        #expect(requests.contains { $0.contains("model=\"real-0\"") && $0.hasSuffix(" 200") })
        #expect(requests.reduce(0) { $0 + (Int($1.split(separator: " ").last ?? "") ?? 0) } == 3000)
    }

    @Test func `numbers of a lying provider stop at the largest`() {
        var tally = RequestTally()
        var names = LabelValues()
        var end = Self.settlement()
        for number: Int64 in [.max, .min, .max] {
            var usage = Usage()
            usage.inputTotal = number
            usage.cacheRead = number
            usage.cacheWrite = number
            usage.outputTotal = number
            usage.reasoning = number
            end.answer = AnswerRecord(
                usage: usage, model: nil, finishReason: nil, serviceTier: nil, endUser: nil, masking: [])
            Self.count(end, in: &tally, &names)
        }
        var sum = tally
        sum.merge(tally)
        #expect(
            Self.lines(sum, of: "menshen_output_tokens_total{").last
                == "menshen_output_tokens_total{provider=\"openai\",model=\"gpt\",kind=\"reasoning\"} \(Int64.max)")
    }

    @Test func `who was not let in has no name`() {
        var tally = RequestTally()
        var names = LabelValues()
        Self.count(Self.settlement(provider: nil, status: 401, .refused), in: &tally, &names, isKnown: false)
        #expect(Self.lines(tally, of: "menshen_caller").isEmpty)
        Self.count(Self.settlement(), in: &tally, &names)
        #expect(
            Self.lines(tally, of: "menshen_caller_requests_total") == [
                "menshen_caller_requests_total{caller=\"/usr/bin/python3\"} 1"
            ])
    }

    @Test func `what workers have counted adds up to what one would have`() {
        var names = LabelValues()
        var times = RequestTimes()
        times.longestGap = 80_000
        times.queueWait = 300_000
        var one = RequestTally()
        var parts = [RequestTally(), RequestTally(), RequestTally()]
        for number in 0..<60 {
            let end = Self.settlement(
                model: "m\(number % 2)", token: "t\(number % 4)", status: number % 5 == 0 ? 500 : 200)
            Self.count(end, in: &one, &names, times)
            Self.count(end, in: &parts[number % 3], &names, times)
        }
        var sum = RequestTally()
        for part in parts { sum.merge(part) }
        #expect(Set(Self.lines(sum, of: "menshen")) == Set(Self.lines(one, of: "menshen")))
        #expect(
            Self.lines(sum, of: "menshen_queue_wait_seconds_count") == [
                "menshen_queue_wait_seconds_count{provider=\"openai\"} 60"
            ])
        #expect(Self.lines(sum, of: "menshen_longest_gap_seconds_count").count == 3)
    }
}
