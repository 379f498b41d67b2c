// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import MenshenUpstream
import Testing

@testable import MenshenDaemon

struct AnswerReaderTests {
    private func observe(_ reader: inout AnswerReader, _ text: String) {
        Array(text.utf8).withUnsafeBytes { reader.observe($0) }
    }

    private func stream(_ reader: inout AnswerReader, _ fields: String...) throws {
        var head = ResponseHead()
        for line in ["HTTP/1.1 200 OK"] + fields + [""] { _ = try head.add(Array((line + "\r\n").utf8).span) }
        reader.begin(head, .chat, asksForStream: true, isContent: false, .chunked)
    }

    private let content = #"data: {"choices":[{"index":0,"delta":{"content":"a"}}]}"# + "\n\n"
    private let end = #"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"# + "\n\ndata: [DONE]\n\n"

    @Test func `behind a stream's last word nothing of the transport counts`() throws {
        var reader = AnswerReader()
        try stream(&reader, "Content-Type: text/event-stream")
        observe(&reader, content)
        var (isLast, hasContent) = (reader.hasLastWord(200), reader.hasContent)
        #expect(!isLast && hasContent)
        var fault = reader.faultOfEnd(200, .chunked, bytesOut: 9)
        #expect(fault?.reason == .truncated)
        observe(&reader, end)
        isLast = reader.hasLastWord(200)
        hasContent = reader.hasContent
        fault = reader.faultOfEnd(200, .chunked, bytesOut: 9)
        let (ofError, reason) = (reader.hasLastWord(500), reader.finishReason)
        #expect(isLast && hasContent && !ofError && fault == nil && reason == "stop")
    }

    @Test func `a JSON answer that is cut is no whole one, however it is framed`() throws {
        for (body, isWhole) in [(#"{"id":"x","usage":{"prompt_tokens":1}"#, false), (#"{"id":"x"}"#, true)] {
            var reader = AnswerReader()
            reader.begin(
                try ExchangeParts.answerHead("HTTP/1.1 200 OK", "Content-Type: application/json"), .chat,
                asksForStream: false,
                isContent: false, .untilClose)
            observe(&reader, body)
            let fault = reader.faultOfEnd(200, .untilClose, bytesOut: Int64(body.utf8.count))
            #expect((fault == nil) == isWhole)
        }
    }

    @Test func `fewer bytes than announced are a fault, understood or not`() {
        var reader = AnswerReader()
        let (short, whole) = (
            reader.faultOfEnd(200, .fixed(9), bytesOut: 8), reader.faultOfEnd(200, .fixed(9), bytesOut: 9)
        )
        #expect(short != nil && whole == nil)
    }

    @Test func `the added usage is taken out of a stream, and nothing out of what turns out to be none`() throws {
        let usage = #"data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"# + "\n\n"
        var reader = AnswerReader()
        reader.expectAddedUsage()
        try stream(&reader, "Content-Type: text/event-stream")
        var passed: [UInt8] = []
        for text in [content, usage, end] {
            let bytes = Array(text.utf8)
            observe(&reader, text)
            passed += bytes.withUnsafeBytes { reader.filtered($0) ?? bytes }
        }
        passed += reader.rest()
        #expect(passed.text == content + end)
        let hasUsage = reader.usage != nil
        #expect(hasUsage)

        var other = AnswerReader()
        other.expectAddedUsage()
        try stream(&other)
        let json = Array(#"{"error":"x"}"#.utf8)
        observe(&other, json.text)
        let untouched = json.withUnsafeBytes { other.filtered($0) ?? json } + other.rest()
        #expect(untouched == json)
    }

    @Test func `only a whole answer without a secret is stored`() throws {
        let key = Secret("sk-secret-1")
        for (body, isStored) in [
            (#"{"id":"x","choices":[]}"#, true), (#"{"id":"x""#, false), (#"{"id":"sk-secret-1","choices":[]}"#, false),
        ] {
            var reader = AnswerReader()
            let head = try ExchangeParts.answerHead("HTTP/1.1 200 OK", "Content-Type: application/json")
            reader.begin(head, .chat, asksForStream: false, isContent: false, .chunked)
            reader.beginStoring(head)
            observe(&reader, body)
            Array(body.utf8).withUnsafeBytes { reader.store($0, limit: 1 << 10) }
            reader.end()
            let stored = reader.storedAnswer(RequestID(microseconds: 1), at: 0, masking: [key])
            #expect((stored?.body.text == body) == isStored, "\(body)")
        }
    }

    @Test func `an answer above the cache's limit is let go`() throws {
        var reader = AnswerReader()
        let head = try ExchangeParts.answerHead("HTTP/1.1 200 OK", "Content-Type: application/json")
        reader.begin(head, .chat, asksForStream: false, isContent: false, .chunked)
        reader.beginStoring(head)
        let isStoring = reader.isStoring
        #expect(isStoring)
        Array("12345".utf8).withUnsafeBytes { reader.store($0, limit: 4) }
        let goesOn = reader.isStoring
        #expect(!goesOn)
    }
}
