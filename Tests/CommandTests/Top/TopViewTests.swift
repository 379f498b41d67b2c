// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import MenshenCore
import TestSupport
import Testing

@testable import menshen

struct TopViewTests {
    private static func view(_ width: Int?, rows: Int? = nil, ascii: Bool = false, colour: Bool = false) -> TopView {
        TopView(style: ReportStyle(width: width, hasColour: colour, isASCII: ascii), zone: .utc, rows: rows)
    }

    private static func picture(_ page: String, _ change: (inout TopPicture) -> Void = { _ in }) -> TopPicture {
        var picture = TopPicture()
        let look = TopLook(Array(page.utf8))
        picture.history.add(look, now: 1)
        picture.look = look
        change(&picture)
        return picture
    }

    /// More of everything than there is room for, with names of people who mean harm.
    private static let crowded = TopPage.page(
        requests: (0..<60).map { index in
            TopPage.request(
                "id\(index)", "streaming", age: 100_000_000 - index * 1_000_000, token: "caller-\(index)-\\u001b[2J",
                client: "client-\\u202e", session: "\\u200b\\u200b\\u200b", model: "模型-\(index)-\\u0007-\\u009b31m",
                provider: "provider-\(index % 12)", sent: 1 << index % 40, firstByte: 1000, input: 1_234_567,
                output: index * 1000)
        },
        providers: (0..<12).map {
            TopPage.provider(
                "provider-\($0)", $0 == 11 ? "left_alone" : "fine", "limited for \\u001b]0;x\\u0007, again in 5 s",
                active: $0, places: 100, queued: 3, limits: [TopPage.limit("tokens", whole: 100, left: 1)],
                failure: "\\u001b[31mred")
        },
        pots: (0..<9).map {
            TopPage.pot(
                "token", "t\($0)\\u001b", "12000000 tokens/day", "tokens", "12000000", "\($0)000000", "1000", "5",
                "2026-11-28T00:00:00+01:00")
        }, open: 1234, faults: #""The database is not in use: \u001b[2Jdisk full. Records go to the journal.""#)

    @Test(arguments: [40, 60, 80, 120], [nil, 1, 6, 14, 24, 90] as [Int?])
    func `it fits the terminal, whatever there is to show`(width: Int, rows: Int?) {
        let empty = TopPage.page()
        for page in [TopPage.busy, Self.crowded, empty] {
            for ascii in [false, true] {
                for change in [{ _ in }, { $0.away = "nobody listens on /run/\u{1b}[2Jx." }, { $0.scroll = 40 }]
                    as [(inout TopPicture) -> Void]
                {
                    let lines = Self.view(width, rows: rows, ascii: ascii).lines(Self.picture(page, change))
                    if let rows { #expect(lines.count == rows) }
                    for line in lines {
                        #expect(ShownName.width(line) <= width, "\(line)")
                        #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x9b }, "\(line)")
                        if ascii { #expect(line.utf8.allSatisfy { $0 < 128 }, "\(line)") }
                    }
                    if let rows, rows > 1 { #expect(lines.last?.hasPrefix("q quit") == true) }
                }
            }
        }
    }

    @Test func `what there is no room for is counted, requests before all else, and what is ill before what is well`() {
        let lines = Self.view(120, rows: 24).lines(Self.picture(Self.crowded))
        #expect(lines.contains { $0.hasPrefix("0 more above, 1,2") }, "\(lines)")
        #expect(lines.contains { $0.contains("provider-11 ") && $0.contains("✕") })
        let scrolled = Self.view(120, rows: 24).lines(Self.picture(Self.crowded) { $0.scroll = 59 })
        #expect(scrolled.contains { $0.contains("more above, 1,174 more below") }, "\(scrolled)")
        let small = Self.view(80, rows: 8).lines(Self.picture(TopPage.busy))
        #expect(small.filter { $0.hasPrefix("streaming") }.count >= 1, "\(small)")
        let all = Self.view(nil).lines(Self.picture(Self.crowded))
        #expect(all.filter { $0.hasPrefix("streaming") }.count == 60 && all.filter { $0.contains("…") }.isEmpty)
        #expect(all.contains("1,174 more"))
    }

    @Test(
        arguments: [
            (TopSort.age, false, ["carol", "alice", "ci", "uid 4000000000"]),
            (.age, true, ["uid 4000000000", "ci", "alice", "carol"]),
            (.caller, false, ["alice", "carol", "ci", "uid 4000000000"]),
            (.model, false, ["carol", "alice", "ci", "uid 4000000000"]),
            (.provider, false, ["alice", "ci", "uid 4000000000", "carol"]),
            (.output, false, ["carol", "alice", "ci", "uid 4000000000"]),
        ] as [(TopSort, Bool, [String])])
    func `requests are sorted as their reader wants them`(sort: TopSort, isReversed: Bool, callers: [String]) {
        let picture = Self.picture(TopPage.busy) { ($0.sort, $0.isReversed) = (sort, isReversed) }
        let lines = Self.view(nil).lines(picture)
        let shown = lines.filter { line in ["streaming", "asked", "queued"].contains { line.hasPrefix($0) } }
        #expect(shown.map { line in callers.first { line.contains(" \($0) ") } } == callers)
    }

    @Test func `who is away, what is paused and what is wrong is said`() {
        let away = Self.view(80, rows: 10).lines(Self.picture(TopPage.busy) { $0.away = "menshen sleeps." })
        #expect(away.contains("menshen sleeps.") && !away.contains { $0.contains("serving") || $0.contains("alice") })
        var nothing = TopPicture()
        nothing.away = "nobody listens."
        #expect(Self.view(80).lines(nothing) == ["nobody listens."])
        let paused = Self.view(80, rows: 24).lines(Self.picture(TopPage.busy) { $0.isPaused = true })
        #expect(paused[0].hasSuffix("   paused") && paused.last?.contains("space goes on") == true)
        let faulty = Self.view(80).lines(Self.picture(Self.crowded))
        #expect(faulty[1] == "✕ The database is not in use: \\u001b[2Jdisk full. Records go to the journal.")
        let fast = Self.picture(TopPage.busy) { picture in
            picture.look?.ended += 21
            picture.look?.failed += 1
            if let look = picture.look { picture.history.add(look, now: 10_000_001) }
        }
        #expect(Self.view(nil).lines(fast)[0].hasSuffix("   2.1 requests/s, 4.8% failed (10 s)"))
    }

    @Test func `the manual shows it as it is`() throws {
        let path = "\(Self.root)/contrib/manual/top.md"
        let manual = try #require(TemporaryDirectory.read(path))
        for width in [80, 120] {
            let drawn = Self.view(width).lines(Self.picture(TopPage.busy)).joined(separator: "\n")
            let isShown = manual.contains("```text\n$ menshen top --once --width \(width)\n\(drawn)\n```")
            #expect(isShown, "it is:\n\(drawn)")
        }
    }

    private static let root = #filePath.split(separator: "/").dropLast(4).reduce("") { "\($0)/\($1)" }
}
