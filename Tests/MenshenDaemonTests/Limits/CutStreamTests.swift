// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// Streams that turn out larger than their limits.
struct CutStreamTests {
    private static func limits(_ text: String) -> Stage.Setting {
        .with { $0.tables = "[limits]\ntimezone = \"UTC\"\n\(text)\n" }
    }

    private static func ask(_ stage: Stage, body: String) throws -> Answer {
        try stage.ask("POST", "/v1/chat/completions", ["Content-Type: application/json"], body: body)
    }

    private static func spent(_ stage: Stage) throws -> [Int] {
        let text = try stage.ask("GET", "/_menshen/usage").text
        return text.split(separator: "\"spent\":").dropFirst().compactMap { Int($0.prefix { $0 != "," }) }
    }

    private static let endless = #"{"model":"m","max_tokens":20,"stream":true,"messages":[]}"#

    /// A provider that does not keep to `max_tokens`.
    private static func streamOn(_ call: UpstreamCall) throws {
        let delta =
            #"data: {"id":"x","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}"#
        try call.beginStream()
        for _ in 0..<10 { try call.chunk(String(repeating: delta + "\n\n", count: 10)) }
        try call.waitForEnd()
    }

    @Test(arguments: ["instance = [\"90 output_tokens/day cut\"]", "cut = true\ninstance = [\"90 output_tokens/day\"]"])
    func `a stream that passes a limit which cuts ends there, and says why`(_ limit: String) throws {
        try Stage.run(Self.limits(limit)) {
            try Self.streamOn($0)
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request(
                "POST", "/v1/chat/completions", ["Content-Type: application/json"], body: Self.endless)
            #expect(try caller.head().status == 200)
            var text = ""
            #expect(throws: (any Error).self) {
                while let chunk = try caller.chunk() { text += String(decoding: chunk, as: UTF8.self) }
            }
            let last = try #require(text.split(separator: "\n\n").last)
            for word in ["\"error\"", "limit_reached", "was cut", "90 output_tokens/day for this menshen"] {
                #expect(last.contains(word), "\(word) in \(last)")
            }
            #expect(text.split(separator: "\n\n").count > 50)
            // All that came counts, and the next has no place.
            #expect(try #require(try Self.spent(stage).first) >= 60)
            #expect(try Self.ask(stage, body: Self.endless.replacing("20", with: "80")).problem == "limit_reached")
            let row = try #require(try stage.records().first)
            #expect((row.status, row.endState, row.problem) == (200, "aborted", "limit_reached"))
            #expect(row.attempts == ["openai 200 limit_reached"])
        }
    }

    @Test func `without that it runs to its end, and the next is refused`() throws {
        try Stage.run(Self.limits("instance = [\"90 output_tokens/day\"]")) { call in
            let delta =
                #"data: {"object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}"#
            try call.beginStream()
            try call.chunk(String(repeating: delta + "\n\n", count: 200))
            try call.chunk(
                #"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":200}}"#
                    + "\n\ndata: [DONE]\n\n")
            try call.endStream()
        } _: { stage throws in
            let whole = try Self.ask(stage, body: Self.endless)
            #expect(whole.status == 200 && whole.text.contains("[DONE]"))
            #expect(try Self.ask(stage, body: Self.endless).problem == "limit_reached")
            #expect(try Self.spent(stage) == [200])
            #expect(try stage.records().first?.endState == "complete")
        }
    }
}
