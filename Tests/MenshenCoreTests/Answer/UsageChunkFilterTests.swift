// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct UsageChunkFilterTests {
    private static let chunk = #"data: {"choices":[{"index":0,"delta":{"content":"Hi"}}],"usage":null}"#
    private static let usage = #"data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#
    private static let done = "data: [DONE]"

    private func filter(_ body: [UInt8], cuts: [Int]) -> [UInt8] {
        var filter = UsageChunkFilter()
        var output: [UInt8] = []
        var from = 0
        for cut in cuts + [body.count] {
            output += filter.pass(body.span.extracting(from..<cut))
            from = cut
        }
        return output + filter.end()
    }

    private func text(_ body: String, cuts: [Int] = []) -> String {
        String(decoding: filter(Array(body.utf8), cuts: cuts), as: UTF8.self)
    }

    /// What stands before the chunk, and what after it; "found" cases are of the fuzzer's.
    @Test(
        arguments: ["\n", "\r\n", "\r"],
        [
            ("", ""), (": ping|", ""), (": ping||", ": pong||"), ("dada: {}||", ""),
            ("event: x|id: 7|", "retry: 1||"),
        ])
    func `the chunk alone is taken out, wherever the stream is cut`(end: String, around: (String, String)) {
        let before = around.0.replacing("|", with: end)
        let after = around.1.replacing("|", with: end)
        let isField = before.hasPrefix("event")
        let body = Self.chunk + end + end + before + Self.usage + end + end + after + Self.done + end + end
        // Fields of the chunk's own event go with it.
        let expected = Self.chunk + end + end + (isField ? "" : before) + after + Self.done + end + end
        #expect(text(body) == expected)
        let count = body.utf8.count
        for cut in 0..<count where text(body, cuts: [cut]) != expected { Issue.record("cut at \(cut)") }
        #expect(text(body, cuts: Array(0..<count)) == expected)
    }

    @Test(arguments: [
        #"data: {"choices":[{"index":0}],"usage":{"prompt_tokens":1}}"#, #"data: {"choices":[],"usage":null}"#,
        #"data: {"choices":[]}"#, #"data: {"usage":{"prompt_tokens":1}}"#, "data: no JSON", "data: [1]",
        #"data: {"choices":null,"usage":{}}"#, #"data: {"choices":"[]","usage":{}}"#,
    ])
    func `every other event stays`(event: String) {
        let body = "\(event)\n\n\(Self.done)\n\n"
        #expect(text(body) == body)
        #expect(text(body, cuts: Array(0..<body.utf8.count)) == body)
    }

    @Test func `a comment passes before the next event comes`() {
        var filter = UsageChunkFilter()
        #expect(filter.pass(Array(": ping\n\n".utf8).span) == Array(": ping\n\n".utf8))
        #expect(filter.pass(Array("data: {\"cho".utf8).span).isEmpty)
    }

    @Test func `an event that is too long for a usage chunk is not held`() {
        var filter = UsageChunkFilter()
        let long =
            Array("data: {\"choices\":[{\"delta\":{\"content\":\"".utf8) + [UInt8](repeating: 0x78, count: 100_000)
        #expect(filter.pass(long.span) == long)
        #expect(filter.end().isEmpty)
    }

    @Test func `what a cut stream leaves passes at its end`() {
        #expect(text(Self.usage) == Self.usage)
    }
}
