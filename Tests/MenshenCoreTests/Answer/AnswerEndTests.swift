// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import Testing

/// When an answer is whole, in cases that no provider's answer is long enough for.
@Suite struct AnswerEndTests {
    private func observe(
        _ operation: MenshenCore.Operation, _ type: String, _ body: String, asksForStream: Bool = false,
        piece: Int = 1 << 20
    ) -> AnswerObserver? {
        var observer = AnswerObserver.reading(operation, contentType: type, asksForStream: asksForStream)
        let bytes = Array(body.utf8)
        for start in stride(from: 0, to: bytes.count, by: piece) {
            observer?.observe(bytes.span.extracting(start..<min(bytes.count, start + piece)))
        }
        observer?.end()
        return observer
    }

    @Test(arguments: [
        "{}", " {\"a\":[1,{\"b\":\"]\"}]} \r\n", "[]", "null", "12", "\"a\"", "\u{FEFF}{}", "{}{}", "{}\n{}\n", "1 2",
        "[1]\n\n[2]",
    ])
    func `JSON is whole at the end of a value, or of the last of several`(text: String) throws {
        // An array of Google's is a stream.
        for operation in [MenshenCore.Operation.chat, .models, .messages] + (text.contains("[1") ? [] : [.generate]) {
            for piece in [1, 2, 1 << 20] {
                var observer = try #require(observe(operation, "application/json", text, piece: piece))
                #expect(!observer.isCut && !observer.needsMarker && observer.ending == .complete, "\(text)")
            }
        }
    }

    @Test(arguments: ["{", "{\"a\":[1,{\"b\":\"]\"}]", "[", "\"a", "{}{", "{}\n{\"a\":1", "[1,", "{\"a\":nul"])
    func `JSON that ends elsewhere is cut`(text: String) throws {
        for operation in [MenshenCore.Operation.chat, .models, .countTokens, .files] {
            let observer = try #require(observe(operation, "application/problem+json", text, piece: 1))
            #expect(observer.isCut && observer.ending == .open, "\(text)")
        }
    }

    @Test(arguments: ["hello", "<html>", "}", "{}]", "\u{1E}{}"])
    func `what is no JSON, for all its label, is neither cut nor seen whole`(text: String) throws {
        let observer = try #require(observe(.chat, "application/json", text))
        #expect(!observer.isCut && observer.ending == .open)
    }

    @Test func `an empty body is cut where an answer is never empty`() throws {
        for text in ["", " \n"] {
            #expect(try #require(observe(.chat, "application/json", text)).isCut)
            #expect(try #require(observe(.chat, "", text, asksForStream: true)).isCut)
            let observer = try #require(observe(.files, "application/json", text))
            #expect(!observer.isCut && observer.ending == .open)
        }
    }

    private static let event = "data: {\"choices\":[{\"delta\":{}}]}\n\n"

    @Test(arguments: ["", "\n\n", ": ping\n\n", "id: 7\n", "retry: 10\r\n", "event: x\n", "\u{FEFF}", "\r\n  \n: a\n"])
    func `an event stream is known by its first bytes`(start: String) throws {
        for type in ["", "text/plain", "application/json", "application/octet-stream"] {
            for piece in [1, 3, 1 << 20] {
                let text = start + Self.event
                var observer = try #require(observe(.chat, type, text, asksForStream: true, piece: piece))
                #expect(observer.isStream && observer.needsMarker && observer.ending == .open)
                observer = try #require(
                    observe(.chat, type, text + "data: [DONE]\n\n", asksForStream: true, piece: piece))
                #expect(observer.ending == .complete && observer.isOver)
            }
        }
        // Nobody asked for one.
        #expect(observe(.chat, "text/plain", start + Self.event) == nil)
    }

    @Test(arguments: [
        "date: 1\n", "dat", "identity", "hello", "\n\n\nx", String(repeating: " ", count: 100) + "data: 1\n\n",
    ])
    func `anything else is no event stream`(text: String) throws {
        for piece in [1, 1 << 20] {
            let observer = try #require(observe(.chat, "text/plain", text, asksForStream: true, piece: piece))
            #expect(!observer.isStream && !observer.isCut && observer.ending == .open)
        }
    }

    private func chat(_ events: [String]) -> AnswerObserver? {
        observe(.chat, "text/event-stream", events.map { "data: \($0)\n\n" }.joined())
    }

    @Test func `each choice that was seen must have ended, whatever its number and wherever that stands`() throws {
        func choice(_ index: String, _ reason: String) -> String {
            #"{"choices":[{"finish_reason":\#(reason),"delta":{},"index":\#(index)}]}"#
        }
        let stop = #""stop""#
        for (events, isWhole) in [
            ([choice("0", stop)], true), ([choice("0", "null")], false), ([choice("0", #""""#)], false), ([], false),
            ([choice("0", stop), choice("1", "null")], false), ([choice("1", "null"), choice("0", stop)], false),
            ([choice("0", stop), choice("0", "null")], true), ([choice("127", "null"), choice("127", stop)], true),
            // More than any API gives: then only [DONE] will do.
            ([choice("128", stop)], false), ([choice("9e18", stop)], true), ([choice("-1", stop)], true),
            ([#"{"choices":[{"index":0,"finish_reason":"stop"},{"index":1,"finish_reason":null}]}"#], false),
            ([#"{"choices":[{"index":0,"finish_reason":"stop"},{"index":1,"finish_reason":"length"}]}"#], true),
            ([#"{"choices":[{"finish_reason":"stop"}]}"#, #"{"choices":[]}"#], true),
        ] {
            var observer = try #require(chat(events))
            #expect((observer.ending == .complete) == isWhole && observer.needsMarker, "\(events)")
            observer = try #require(chat(events + ["[DONE]"]))
            #expect(observer.ending == .complete)
        }
    }

    @Test(arguments: ["{}", "{ }", #""""#, "null", "[]", "false", "0"])
    func `an error with nothing in it is none`(value: String) throws {
        let stream = try #require(chat([#"{"choices":[{"delta":{}}],"error":\#(value)}"#, "[DONE]"]))
        #expect(stream.ending == .complete)
        for operation in [MenshenCore.Operation.images, .generate, .responses, .messages] {
            let text = #"{"error":\#(value),"candidates":[]}"#
            #expect(try #require(observe(operation, "application/json", text)).ending == .complete)
        }
    }

    @Test(arguments: [#"{"message":""}"#, #"{"type":""}"#, #""no""#, "\"" + String(repeating: "e", count: 500) + "\""])
    func `one with anything in it is one`(value: String) throws {
        #expect(try #require(chat([#"{"error":\#(value)}"#])).ending == .failed("error"))
    }
}
