// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

/// The one change that menshen makes to a request's body, and that it makes no other.
@Suite struct WireUsageSpliceTests {
    private func splice(_ body: [UInt8], cuts: [Int] = []) -> [UInt8]? {
        var scan = RequestScan()
        var from = 0
        for cut in cuts + [body.count] {
            scan.feed(body.span.extracting(from..<cut))
            from = cut
        }
        guard let splice = scan.usageSplice(in: body) else { return nil }
        var changed = body
        splice.apply(to: &changed)
        return changed
    }

    private func splice(_ text: String) -> String? {
        splice(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(arguments: [
        (#"{"stream":true}"#, #"{"stream":true,"stream_options":{"include_usage":true}}"#),
        (
            "\u{FEFF} {\"stream\":true\n}\n",
            "\u{FEFF} {\"stream\":true\n,\"stream_options\":{\"include_usage\":true}}\n"
        ),
        (#"{"stream_options":null,"stream":true}"#, #"{"stream_options":{"include_usage":true},"stream":true}"#),
        (#"{"stream_options":{},"stream":true}"#, #"{"stream_options":{"include_usage":true},"stream":true}"#),
        (#"{"stream_options":{ },"stream":true}"#, #"{"stream_options":{ "include_usage":true},"stream":true}"#),
        (
            #"{"stream_options":{"include_obfuscation":false},"stream":true}"#,
            #"{"stream_options":{"include_obfuscation":false,"include_usage":true},"stream":true}"#
        ),
        (
            #"{"stream":true,"stream_options":{"include_usage":false,"x":1}}"#,
            #"{"stream":true,"stream_options":{"include_usage":true,"x":1}}"#
        ),
        (
            #"{"stream":true,"stream_options":{"include_usage":null}}"#,
            #"{"stream":true,"stream_options":{"include_usage":true}}"#
        ),
        // The last of duplicates counts.
        (
            #"{"stream":true,"stream_options":{"include_usage":true},"stream_options":{}}"#,
            #"{"stream":true,"stream_options":{"include_usage":true},"stream_options":{"include_usage":true}}"#
        ),
        (
            #"{"stream":true,"stream_options":{"include_usage":true,"include_usage":false}}"#,
            #"{"stream":true,"stream_options":{"include_usage":true,"include_usage":true}}"#
        ),
        (
            #"{"stream":false,"stream":true}"#,
            #"{"stream":false,"stream":true,"stream_options":{"include_usage":true}}"#
        ),
        // What only looks like it, deeper or in a text.
        (
            #"{"stream":true,"a":{"stream_options":{"include_usage":true}},"b":"\"stream_options\":{}"}"#,
            #"{"stream":true,"a":{"stream_options":{"include_usage":true}},"b":"\"stream_options\":{}","stream_options":{"include_usage":true}}"#
        ),
        (
            #"{"stream":true,"\u0073tream_options":{"x":[{"include_usage":true}]}}"#,
            #"{"stream":true,"\u0073tream_options":{"x":[{"include_usage":true}],"include_usage":true}}"#
        ),
    ])
    func `a stream is asked to report its usage, and nothing else changes`(body: String, changed: String) {
        #expect(splice(body) == changed)
        let bytes = Array(body.utf8)
        for cut in bytes.indices where splice(bytes, cuts: [cut]) != Array(changed.utf8) {
            Issue.record("cut at \(cut)")
        }
        // Asked once, it is not asked again.
        #expect(splice(changed) == nil)
    }

    @Test(arguments: [
        "{}", #"{"stream":false}"#, #"{"stream":"true"}"#, #"{"stream":1}"#, #"{"stream":true,"stream":false}"#,
        #"{"stream":true,"stream_options":{"include_usage":true}}"#,
        #"{"stream":true,"stream_options":{"include_usage":1}}"#, #"{"stream":true,"stream_options":[]}"#,
        #"{"stream":true,"stream_options":"x"}"#, #"[{"stream":true}]"#, #"{"stream":true"#, #"{"stream":true}}"#,
        #"{"stream":true}x"#, #"{"stream":true "a":1}"#, "", "null",
    ])
    func `what is no stream, says it itself or would be refused stays as it is`(body: String) {
        #expect(splice(body) == nil)
    }

    private static let paths = ["stream", "stream_options", "stream_options.include_usage", "model", "usage", "user"]

    private struct Facts {
        var isStream = false
        /// Of the last stream_options, and of include_usage within it.
        var options: JSONFinding.Kind?
        var usage: JSONFinding.Kind?
        var others: [[UInt8]?] = []

        init(_ found: [JSONFound]) {
            isStream = found.last { $0.path == 0 }?.kind == .true
            let last = found.last { $0.path == 1 }
            options = last?.kind
            usage = found.last { $0.path == 2 && last?.range.contains($0.range.lowerBound) == true }?.kind
            others = found.filter { $0.path > 2 }.map(\.text)
        }
    }

    @Test func `whatever the body, it stays JSON that says the same and asks for usage`() {
        let cases = Fuzzing.cases(6_000)
        var generator = JSONGenerator(seed: Fuzzing.seed("usage splices", cases))
        var changed = 0
        for number in 0..<cases {
            var body = generator.document()
            if let brace = body.firstIndex(of: UInt8(ascii: "{")), generator.chance(80) {
                let isEmpty = body[(brace + 1)...].first { !JSONReference.isSpace($0) } == UInt8(ascii: "}")
                body.insert(contentsOf: Array((#""stream":true"# + (isEmpty ? "" : ",")).utf8), at: brace + 1)
            }
            let before = JSONReference(body, Self.paths)
            let facts = Facts(before.found)
            let isAsked =
                facts.isStream && (facts.options == nil || facts.options == .null || facts.options == .object)
                && (facts.usage == nil || facts.usage == .false || facts.usage == .null)
            let text = String(decoding: body, as: UTF8.self)
            guard let result = splice(body, cuts: generator.random.cuts(body.count)) else {
                if before.isValid, isAsked { Issue.record("case \(number): not asked: \(text)") }
                continue
            }
            changed += 1
            let after = JSONReference(result, Self.paths)
            let now = Facts(after.found)
            if !before.isValid || !after.isValid || !isAsked || now.usage != .true || !now.isStream
                || now.others != facts.others
            {
                Issue.record("case \(number): \(text) became \(String(decoding: result, as: UTF8.self))")
                return
            }
        }
        #expect(changed > cases / 3)
    }
}
