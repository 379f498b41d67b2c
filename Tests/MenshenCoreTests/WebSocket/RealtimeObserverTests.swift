// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct RealtimeObserverTests {
    /// From a session of Realtime.
    private static let first = #"""
        {"total_tokens":253,"input_tokens":132,"output_tokens":121,"input_token_details":{"text_tokens":119,"audio_tokens":13,"image_tokens":0,"cached_tokens":64,"cached_tokens_details":{"text_tokens":64,"audio_tokens":0,"image_tokens":0}},"output_token_details":{"text_tokens":30,"audio_tokens":91}}
        """#
    private static let second = #"""
        {"input_tokens":10,"input_tokens_details":{"cached_tokens":2,"cache_write_tokens":3},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":15}
        """#

    private func observe(_ messages: [String], pieces: Int = 1 << 20) -> RealtimeObserver {
        var observer = RealtimeObserver()
        for message in messages {
            observer.begin()
            let bytes = Array(message.utf8)
            for start in stride(from: 0, to: bytes.count, by: pieces) {
                let piece = Array(bytes[start..<min(bytes.count, start + pieces)])
                observer.feed(piece.span)
            }
            observer.end()
        }
        return observer
    }

    private static func done(_ usage: String, _ type: String = "response.done") -> String {
        #"{"type":"\#(type)","event_id":"e","response":{"id":"r","status":"completed","output":[{"usage":7}],"usage":\#(usage)}}"#
    }

    @Test(arguments: [1, 2, 3, 7, 64, 1 << 20])
    func `the responses of a connection are added up, field by field`(pieces: Int) throws {
        let observer = observe(
            [
                #"{"type":"session.created","session":{"model":"gpt-realtime"}}"#,
                #"{"type":"response.created","response":{"id":"r","usage":null}}"#,
                #"{"type":"response.output_audio.delta","delta":"UklGRg==","note":"{\"type\":\"response.done\"}"}"#,
                Self.done(Self.first), #"{"type":"response.created","response":{"usage":null}}"#,
                // The type may come last.
                #"{"response":{"usage":\#(Self.second),"service_tier":"default","model":"gpt-5"},"type":"response.completed"}"#,
            ], pieces: pieces)
        let usage = try #require(observer.usage)
        #expect((usage.inputTotal, usage.outputTotal, usage.cacheRead) == (142, 126, 66))
        #expect((usage.inputUncached, usage.reasoning, usage.audioIn, usage.audioOut) == (68 + 5, 4, 13, 91))
        #expect((usage.imageIn, usage.imageOut, usage.cacheWrite, usage.seconds) == (0, nil, 3, nil))
        #expect(usage.other.isEmpty && usage.lifetimes.isEmpty)
        #expect(String(decoding: usage.raw, as: UTF8.self) == "[\(Self.first),\(Self.second)]")
        #expect((observer.responses, observer.hasOpenResponse) == (2, false))
        #expect((observer.model, observer.serviceTier) == ("gpt-5", "default"))
    }

    @Test func `a response that has not ended is open`() {
        let begun = #"{"type":"response.created","response":{}}"#
        #expect(observe([begun]).hasOpenResponse)
        #expect(observe([begun, Self.done(Self.first), begun]).hasOpenResponse)
        // One that was cancelled is done without a report.
        let cancelled = observe([begun, Self.done("null")])
        #expect(!cancelled.hasOpenResponse && cancelled.usage == nil && cancelled.responses == 0)
    }

    @Test(arguments: [
        #"{"type":"response.done","response":{"usage":{"input_tokens":5}"#, "{}", "[1]", "x", "",
        #"{"type":"response.created","response":{"usage":{"input_tokens":5}}}"#,
        #"{"type":"response.done","usage":{"input_tokens":5}}"#,
        #"{"type":"response.done","response":{"usage":{"input_tokens":-5,"output_tokens":"7"}}}"#,
        #"{"type":["response.done"],"response":{"usage":{"input_tokens":5}}}"#,
    ])
    func `what is no report of an ended response counts for nothing`(message: String) {
        #expect(observe([message]).usage == nil)
        // And it spoils none that follows.
        #expect(observe([message, Self.done(Self.second)]).usage?.inputTotal == 10)
    }

    @Test func `many reports and large numbers stay within bounds`() throws {
        let large = "{\"input_tokens\":\(Int64(1) << 53 - 1)}"
        let observer = observe(Array(repeating: Self.done(large), count: 1500))
        let usage = try #require(observer.usage)
        #expect(usage.inputTotal == .max)
        #expect(observer.responses == 1500)
        #expect(usage.raw.count <= 16 << 10 && usage.raw.last == UInt8(ascii: "]"))
    }
}
