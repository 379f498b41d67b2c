// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

/// How much of a stream has come at least, while it passes.
@Suite struct LeastOutputTests {
    private func least(_ operation: MenshenCore.Operation, _ events: [String]) throws -> Int64 {
        var observer = try #require(AnswerObserver.reading(operation, contentType: "text/event-stream"))
        let bytes = Array(events.map { "data: \($0)\n\n" }.joined().utf8)
        observer.observe(bytes.span)
        return observer.leastOutput
    }

    private static let delta = #"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]}"#

    @Test func `a stream that reports at its end counts by its events, and never too many`() throws {
        #expect(try least(.chat, []) <= 0)
        #expect(try least(.chat, Array(repeating: Self.delta, count: 16)) == 0)
        #expect(try least(.chat, Array(repeating: Self.delta, count: 116)) == 100)
    }

    @Test func `what is reported on the way counts`() throws {
        let event =
            #"{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":70}}"#
        #expect(try least(.generate, [event]) == 70)
    }
}
