// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

@Suite struct JSONScannerTests {
    private static let paths: [StaticString] = [
        "model", "stream", "stream_options", "stream_options.include_usage", "usage", "message.usage",
        "choices[].finish_reason", "choices[]", "error.type", "error", "metadata.user_id", "[]", "[].usage",
        "[].choices[].finish_reason", "user[]", "code[][]",
    ]
    private static let names = paths.map { "\($0)" }

    private struct Reading: Equatable {
        var found: [JSONFound] = []
        var rootEnd: Int?
        var isComplete = false
        var isFailed = false
    }

    /// The text in pieces that end at `cuts`.
    private func read(_ bytes: [UInt8], _ scanner: inout JSONScanner, cuts: [Int] = []) -> Reading {
        scanner.reset()
        var from = 0
        for cut in cuts + [bytes.count] {
            scanner.feed(bytes.span.extracting(from..<cut))
            from = cut
        }
        let found = scanner.found.map { finding in
            let isContainer = finding.kind == .object || finding.kind == .array
            return JSONFound(
                path: finding.path, kind: finding.kind, range: finding.range,
                text: !finding.isWhole || isContainer && finding.text.isEmpty
                    ? nil
                    : finding.kind == .true || finding.kind == .false || finding.kind == .null
                        ? Array(bytes[finding.range]) : finding.text)
        }
        return Reading(
            found: found, rootEnd: scanner.rootEnd, isComplete: scanner.isComplete, isFailed: scanner.isFailed)
    }

    private func fault(
        _ bytes: [UInt8], cuts: [Int], _ scanner: inout JSONScanner, _ valid: inout Int, _ findings: inout Int
    ) -> String? {
        let whole = read(bytes, &scanner)
        let pieces = read(bytes, &scanner, cuts: cuts)
        findings += whole.found.count
        if whole != pieces { return "whole: \(whole)\nin pieces at \(cuts): \(pieces)" }
        let reference = JSONReference(bytes, Self.names)
        guard whole.found.starts(with: reference.found) else { return "\(whole)\nnot: \(reference.found)" }
        guard reference.isValid else { return nil }
        valid += 1
        if whole.isFailed || !whole.isComplete || whole.found.count != reference.found.count
            || whole.rootEnd != reference.rootEnd
        {
            return "\(whole)\nnot: \(reference)"
        }
        return nil
    }

    @Test func `pieces change nothing, and what is JSON is read as the reference does`() {
        let cases = Fuzzing.cases(6_000)
        let seed = Fuzzing.seed("JSON", cases)
        var generator = JSONGenerator(seed: seed)
        var scanner = JSONScanner(JSONPaths(Self.paths))
        var (valid, findings, faults) = (0, 0, 0)
        for number in 0..<cases {
            var text = generator.document()
            for _ in 0..<generator.pick([0, 0, 1, 1, 2, 4]) { generator.random.damage(&text, JSONGenerator.insertions) }
            let cuts = generator.random.cuts(text.count)
            if let fault = fault(text, cuts: cuts, &scanner, &valid, &findings) {
                Issue.record("seed \(seed), case \(number): \(fault)\n\(String(decoding: text, as: UTF8.self))")
                faults += 1
                if faults == 5 { break }
            }
        }
        print("JSON: \(valid) valid, \(findings) findings")
        // A generator that makes only good or only bad texts would prove nothing.
        #expect(valid > cases / 4)
        #expect(valid < cases * 9 / 10)
        #expect(findings > cases / 3)
    }

    @Test(arguments: [
        "[{\"content2:\n   null}]", "{\"stream_optionsa prompt\u{1}of some length\":1,\"model\":\"m\"}",
        "{\"abcdefghijklmno\\u00e9pqrstuvwxyz\u{2}\":1,\"model\":\"m\"}",
    ])
    func `found inputs are read the same at every cut`(text: String) {
        var scanner = JSONScanner(JSONPaths(Self.paths))
        let bytes = Array(text.utf8)
        let whole = read(bytes, &scanner)
        for cut in bytes.indices { #expect(read(bytes, &scanner, cuts: [cut]) == whole, "cut at \(cut)") }
        #expect(read(bytes, &scanner, cuts: Array(bytes.indices)) == whole)
    }

    @Test func `nesting costs no memory, and a long text is passed over`() {
        var scanner = JSONScanner(JSONPaths(["model"]))
        let depth = 200_000
        var text = Array(#"{"messages":"#.utf8) + [UInt8](repeating: UInt8(ascii: "["), count: depth)
        text += [UInt8](repeating: UInt8(ascii: "]"), count: depth) + Array(#","x":{"model":"no"},"model":"yes"}"#.utf8)
        scanner.feed(text.span)
        #expect(scanner.isComplete)
        #expect(scanner.found.map(\.string) == ["yes"])
    }

    @Test(
        arguments: [
            ("12", 12), ("0", 0), ("12.0", 12), ("1e3", 1000), ("9007199254740991", 9_007_199_254_740_991), ("-0", 0),
            ("9007199254740992", nil), ("-1", nil), ("1.5", nil), ("1e999", nil), ("99999999999999999999999", nil),
        ] as [(String, Int64?)])
    func `a count is a whole number that a double holds exactly`(text: String, count: Int64?) throws {
        var scanner = JSONScanner(JSONPaths(["n"]))
        scanner.feed(Array("{\"n\":\(text)}".utf8).span)
        #expect(try #require(scanner.found.first).count == count)
    }
}
