// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport

/// Makes JSON texts from a seed, full of keys that are wanted, in the right places and in wrong ones; then damage.
struct JSONGenerator {
    var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(state: seed) }

    mutating func chance(_ percent: Int) -> Bool { random.chance(percent) }
    mutating func number(_ range: ClosedRange<Int>) -> Int { random.number(range) }
    mutating func pick<Item>(_ items: [Item]) -> Item { random.pick(items) }

    /// A valid text.
    mutating func document() -> [UInt8] {
        var output: [UInt8] = chance(10) ? [0xEF, 0xBB, 0xBF] : []
        space(&output)
        switch number(0...9) {
        case 0: value(&output, 3)
        case 1: array(&output, 4)
        default: object(&output, 5)
        }
        space(&output)
        return output
    }

    private mutating func space(_ output: inout [UInt8]) {
        if chance(75) { return }
        for _ in 0..<number(1...3) { output.append(pick([0x20, 0x20, 0x0A, 0x0D, 0x09])) }
    }

    private static let wanted = [
        "model", "model", "stream", "stream_options", "include_usage", "user", "metadata", "user_id", "service_tier",
        "usage", "message", "choices", "choices", "finish_reason", "error", "type", "code",
    ]

    private static let others = [
        "a", "mode", "models", "Model", "xmodel", "", "messages", "content", "stream_options_", "stream_optionz",
        "include_usag", "finish_reasons", "user_ie", "é",
    ]

    private mutating func key() -> String { pick(chance(70) ? Self.wanted : Self.others) }

    private mutating func value(of key: String, _ output: inout [UInt8], _ depth: Int) {
        switch key {
        case "stream_options", "metadata", "error", "message", "usage": if chance(60) { return object(&output, depth) }
        case "choices", "code": if chance(60) { return array(&output, depth) }
        default: break
        }
        value(&output, depth)
    }

    private mutating func value(_ output: inout [UInt8], _ depth: Int) {
        switch number(0...(depth > 0 ? 9 : 6)) {
        case 0: output += Array(pick(["true", "false", "null"]).utf8)
        case 1: output += Array(pick(["0", "-0", "12", "-1.5e3", "1E+9", "0.25", "9007199254740993", "1e999"]).utf8)
        case 2...6: string(&output, key())
        case 7: array(&output, depth - 1)
        default: object(&output, depth - 1)
        }
    }

    private mutating func object(_ output: inout [UInt8], _ depth: Int) {
        output.append(UInt8(ascii: "{"))
        for place in 0..<number(0...max(0, depth)) {
            if place > 0 { output.append(UInt8(ascii: ",")) }
            space(&output)
            let key = key()
            string(&output, key)
            space(&output)
            output.append(UInt8(ascii: ":"))
            space(&output)
            value(of: key, &output, depth)
            space(&output)
        }
        space(&output)
        output.append(UInt8(ascii: "}"))
    }

    private mutating func array(_ output: inout [UInt8], _ depth: Int) {
        output.append(UInt8(ascii: "["))
        for place in 0..<number(0...min(3, max(0, depth))) {
            if place > 0 { output.append(UInt8(ascii: ",")) }
            space(&output)
            if chance(60) { object(&output, depth - 1) } else { value(&output, depth) }
            space(&output)
        }
        space(&output)
        output.append(UInt8(ascii: "]"))
    }

    private static let runs = [
        "\\\"", "\\\\", "\\/", "\\b\\f\\n\\r\\t", "\\u0041", "\\u00e9", "\\ud83d\\ude42", "\\uD83D", "\\uDE42",
        "\\ud83d\\ud83d\\ude42", "\\u0000", "{", "}", "[", "]", ",", ":", "é🙂", "{\\\"model\\\":\\\"no\\\"}",
        "a prompt of some length, with commas and \\\"quotes\\\"",
    ]

    /// The text as it is, partly escaped, or with something added.
    private mutating func string(_ output: inout [UInt8], _ text: String) {
        output.append(0x22)
        let isEscaped = chance(15)
        for byte in text.utf8 {
            if isEscaped, byte < 0x80, chance(30) {
                let digits = String(byte, radix: 16, uppercase: chance(50))
                output += Array(("\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits).utf8)
            } else {
                output.append(byte)
            }
        }
        if chance(15) { for _ in 0..<number(1...4) { output += Array(pick(Self.runs).utf8) } }
        if chance(3) { output += [UInt8](repeating: UInt8(ascii: "x"), count: number(230...300)) }
        if chance(3) { output += pick([[0xFF], [0xC3], [0xE2, 0x82], [0xED, 0xA0, 0x80]]) }
        output.append(0x22)
    }

    // MARK: Damage

    static let insertions: [[UInt8]] =
        [
            "\"", "\\", "{", "}", "[", "]", ",", ":", "\\u", "\\ud83d", "\\x", "\n", "\u{0}", "0", "1", "-", ".", "e",
            "true", "tru", "nul", "null,", "\"model\":", "\"model\":\"m\",", ",\"stream\":true", "\"", "/*", " ",
            "{\"a\":", "[[[[", "]]]]", "}}",
        ].map { Array($0.utf8) } + [[0xEF, 0xBB, 0xBF], [0xFF], [0x80]]
}
