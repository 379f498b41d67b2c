// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct InterpolationTests {
    private static let environment = ["A": "1", "EMPTY": "", "_b2": "x${A}"]

    private func expand(_ text: String) -> Interpolation.Outcome {
        Interpolation.expand(text) { Self.environment[$0] }
    }

    @Test(arguments: [
        ("", ""), ("plain", "plain"), ("${A}", "1"), ("<${A}${A}>", "<11>"), ("${EMPTY}", ""), ("${EMPTY:-d}", "d"),
        ("${NO:-}", ""), ("${NO:-a:-b}", "a:-b"), ("${A:-d}", "1"), ("$A", "$A"), ("$$A", "$$A"), ("$${A}", "${A}"),
        ("$$${A}", "$${A}"), ("100$", "100$"), ("${_b2}", "x${A}"), ("门${A}神", "门1神"),
    ])
    func `variables are filled in`(text: String, expected: String) {
        let outcome = expand(text)
        #expect(outcome.text == expected)
        #expect(outcome.faults.isEmpty)
    }

    @Test(
        arguments: [
            ("${NO}", [.unset(name: "NO")]), ("${NO}${NO2}", [.unset(name: "NO"), .unset(name: "NO2")]),
            ("${A", [.unterminated]),
            ("${}", [.notAName]), ("${1A}", [.notAName]), ("${a b}", [.notAName]), ("${A:}", [.notAName]),
            ("${A:=x}", [.notAName]), ("${:-x}", [.notAName]),
        ] as [(String, [Interpolation.Fault])])
    func `what cannot be filled in is a fault`(text: String, expected: [Interpolation.Fault]) {
        #expect(expand(text).faults == expected)
    }

    @Test func `only a text with a variable counts as expanded`() {
        #expect(expand("${A}").isExpanded)
        #expect(expand("${NO:-}").isExpanded)
        #expect(!expand("$${A}").isExpanded)
        #expect(!expand("$A").isExpanded)
    }
}

@Suite struct QuantityTextTests {
    @Test(arguments: [
        ("500ms", 500), ("10s", 10_000), ("10min", 600_000), ("10m", 600_000), ("1h30m", 5_400_000),
        ("2d", 172_800_000),
        ("1h 30min", 5_400_000), ("15 min", 900_000), ("7", 7000), ("0s", 0), ("366d", 31_622_400_000),
    ])
    func `a duration is read`(text: String, milliseconds: Int) {
        #expect(DurationText.parse(text) == .milliseconds(milliseconds))
    }

    @Test(arguments: [
        "", " ", "s", "10x", "-1s", "1.5s", "10s5", "1h30", "367d", "9223372036854775807d", "99999999999999999999s",
    ])
    func `what is no duration is refused`(text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test(arguments: ["500ms", "75s", "10min", "1h", "90min", "2d", "61s"])
    func `a written duration reads back`(text: String) throws {
        let duration = try #require(DurationText.parse(text))
        #expect(DurationText.written(duration) == text)
    }

    @Test(arguments: [
        ("64MiB", 64 << 20), ("32KiB", 32 << 10), ("1GiB", 1 << 30), ("5B", 5), ("5", 5), ("1 KiB", 1024),
    ])
    func `a size is read`(text: String, bytes: Int) {
        #expect(ByteSizeText.parse(text) == bytes)
    }

    @Test(arguments: ["", "MiB", "1MB", "1mib", "1.5KiB", "-1", "1KiB2", "9223372036854775807KiB"])
    func `what is no size is refused`(text: String) {
        #expect(ByteSizeText.parse(text) == nil)
    }
}

@Suite struct NearNameTests {
    @Test(arguments: [
        ("wokers", "workers"), ("workres", "workers"), ("Listen", "listen"), ("lisetn", "listen"),
        ("basurl", "base_url"),
    ])
    func `a slip finds the name that was meant`(typed: String, meant: String) {
        #expect(NearName.of(typed, among: ["workers", "listen", "base_url", "name"]) == meant)
    }

    @Test(arguments: ["", "x", "zebra", "workshop-manager", String(repeating: "w", count: 100_000)])
    func `what is near to nothing finds nothing`(typed: String) {
        #expect(NearName.of(typed, among: ["workers", "listen", "base_url"]) == nil)
    }
}
