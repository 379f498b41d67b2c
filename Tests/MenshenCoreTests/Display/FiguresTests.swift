// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

struct FiguresTests {
    private func dollars(_ text: String) throws -> Money { try #require(Money(dollars: text)) }

    @Test(arguments: [
        ("0", "$0"), ("0.000000000001", "<$0.01"), ("0.004999", "<$0.01"), ("0.005", "$0.01"), ("0.42", "$0.42"),
        ("1234.5", "$1,234.50"), ("9999.994", "$9,999.99"), ("9999.996", "$10,000"), ("10000.49", "$10,000"),
        ("1234567.8", "$1,234,568"),
    ])
    func `sums of money have cents up to ten thousand dollars`(text: String, shown: String) throws {
        #expect(Figures.money(try dollars(text)) == shown)
    }

    @Test(arguments: [
        ("0", "$0"), ("0.0638", "$0.0638"), ("0.00004", "<$0.0001"), ("0.00005", "$0.0001"), ("12.3", "$12.3000"),
    ])
    func `what one request cost has four decimals`(text: String, shown: String) throws {
        #expect(Figures.cost(try dollars(text)) == shown)
    }

    @Test(
        arguments: [
            (0, "0"), (771, "771"), (1246, "1,246"), (9999, "9,999"), (12_400, "12.4k"), (99_960, "100.0k"),
            (143_000, "143k"),
            (999_499, "999k"), (999_500, "1.0M"), (1_400_000, "1.4M"), (81_700_000, "81.7M"), (214_000_000, "214M"),
            (1_200_000_000, "1.20B"), (12_345_000_000, "12.3B"), (Int64.max, "9223372T"),
        ] as [(Int64, String)])
    func `tokens are exact up to ten thousand`(value: Int64, shown: String) {
        #expect(Figures.tokens(value) == shown)
    }

    @Test(
        arguments: [
            (0, 5, "0%"), (1, 100_000, "<0.1%"), (73, 1000, "7.3%"), (45, 100, "45%"), (9999, 10_000, ">99%"),
            (5, 5, "100%"),
            (0, 0, "0%"), (99, 1000, "9.9%"), (1, 10, "10%"), (Int64.max / 2, Int64.max, "50%"),
        ] as [(Int64, Int64, String)])
    func `a share is all only if it is all`(part: Int64, whole: Int64, shown: String) {
        #expect(Figures.share(part, of: whole) == shown)
    }

    @Test(
        arguments: [
            (112, 100, "▲ 12%"), (97, 100, "▼ 3%"), (1004, 1000, "same"), (5, 0, "new"), (0, 0, nil), (0, 10, "▼ 100%"),
        ] as [(Int64, Int64, String?)])
    func `a change is said against what was before`(now: Int64, before: Int64, shown: String?) {
        #expect(Figures.change(now, before: before) == shown)
    }

    @Test(
        arguments: [
            (0, "<1 ms"), (999, "<1 ms"), (552_000, "552 ms"), (999_400, "999 ms"), (999_500, "1.00 s"),
            (1_890_000, "1.89 s"),
            (43_600_000, "43.6 s"), (59_949_000, "59.9 s"), (125_000_000, "2 min 5 s"), (120_000_000, "2 min"),
            (660_000_000, "11 min"), (4_080_000_000, "1 h 8 min"), (3_600_000_000, "1 h"), (172_800_000_000, "2 d"),
        ] as [(Int64, String)])
    func `durations have three digits, and their unit`(time: Int64, shown: String) {
        #expect(Figures.duration(time) == shown)
    }

    @Test func `names cannot command a terminal, or turn a line around`() {
        #expect(ShownName.clean("gpt-6\u{1b}[2J") == "gpt-6\\u001b[2J")
        #expect(ShownName.clean("a\u{202e}b\u{200b}") == "a\\u202eb\\u200b")
        #expect(ShownName.clean("") == "(empty)")
        #expect(ShownName.clean("门神 é") == "门神 é")
    }

    @Test func `a name is cut in the middle, by what it takes in a terminal`() {
        #expect(ShownName.cut("anthropic/claude-opus-5-5-20261001-v1:0", to: 17) == "anthropi…001-v1:0")
        #expect(ShownName.cut("short", to: 5) == "short")
        #expect(ShownName.width("门神") == 4)
        #expect(ShownName.width(ShownName.cut("门神门神门神", to: 7)) <= 7)
    }

    @Test func `an end is said in words, and a limit of the provider's is not one of ours`() {
        func words(_ status: Int?, _ end: String, _ problem: String? = nil, attempts: Int = 1, cached: Bool = false)
            -> String
        {
            let words = OutcomeWords(
                status: status, endState: end, problem: problem, attempts: attempts, isFromCache: cached)
            return "\(words.mark.rawValue) \(words.words)"
        }
        #expect(words(200, "complete") == "● Complete")
        #expect(words(200, "complete", attempts: 3) == "● Complete, 3 tries")
        #expect(words(200, "complete", cached: true) == "◆ From cache")
        #expect(words(429, "complete") == "▲ Rate limited")
        #expect(words(429, "refused", "budget_reached") == "■ Refused: budget spent")
        #expect(words(404, "refused", "model_not_routed") == "■ Refused: model not routed")
        #expect(words(nil, "open") == "◌ Open")
        #expect(words(200, "client_gone") == "◐ Caller left")
        for state in EndState.allCases { #expect(!words(500, state.rawValue).contains("Open")) }
    }
}
