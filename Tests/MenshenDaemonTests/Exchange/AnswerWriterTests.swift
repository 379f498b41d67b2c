// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import Testing

@testable import MenshenDaemon

struct AnswerWriterTests {
    private let additions = ResponseHead.Additions(requestID: Array("id-1".utf8), allowedOrigin: nil, xCache: nil)

    private func write(_ writer: inout AnswerWriter, _ text: String, _ output: inout [UInt8]) -> String {
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBytes { Array(writer.write($0, to: &output)).text }
    }

    @Test func `more than the length says does not go down`() throws {
        var output: [UInt8] = []
        var writer = AnswerWriter(try ExchangeParts.requestHead())
        writer.begin(
            try ExchangeParts.answerHead("HTTP/1.1 200 OK", "Content-Length: 4"), additions, at: 5, to: &output)
        #expect(writer.framing == .fixed(4) && writer.firstByteAt == 5 && writer.status == 200)
        output = []
        #expect(write(&writer, "abc", &output) == "abc")
        #expect(!writer.isFull)
        #expect(write(&writer, "defg", &output) == "d")
        #expect(writer.isFull && writer.bytesOut == 4)
        #expect(write(&writer, "h", &output).isEmpty)
        writer.end(nil, to: &output)
        #expect(output.text == "abcd")
    }

    @Test func `without a length there are chunks, and for HTTP 1.0 the end of the connection`() throws {
        for (version, expected) in [("1.1", "2\r\nab\r\n0\r\n\r\n"), ("1.0", "ab")] {
            var output: [UInt8] = []
            var writer = AnswerWriter(try ExchangeParts.requestHead(version: version, "Connection: keep-alive"))
            writer.begin(
                try ExchangeParts.answerHead("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), additions, at: 0,
                to: &output)
            output = []
            _ = write(&writer, "ab", &output)
            writer.end(nil, to: &output)
            #expect(output.text == expected)
            #expect(writer.keepAlive == (version == "1.1"))
            #expect(writer.needsReset == (version == "1.0"))
        }
    }

    @Test func `an answer to HEAD has a head alone`() throws {
        var output: [UInt8] = []
        var writer = AnswerWriter(try ExchangeParts.requestHead("HEAD"))
        writer.begin(
            try ExchangeParts.answerHead("HTTP/1.1 200 OK", "Content-Length: 9"), additions, at: 0, to: &output)
        #expect(writer.hasNoBody && output.text.contains("Content-Length: 9\r\n"))
        output = []
        #expect(write(&writer, "late", &output).isEmpty && output.isEmpty)
    }

    @Test func `an answer of our own to HEAD has no body and counts none`() throws {
        var output: [UInt8] = []
        var writer = AnswerWriter(try ExchangeParts.requestHead("HEAD"))
        writer.write(
            LocalAnswer(status: 200, fields: [], body: Array("page".utf8)), additions, date: [], at: 0, to: &output)
        #expect(output.text.contains("Content-Length: 4\r\n") && output.text.hasSuffix("\r\n\r\n"))
        #expect(writer.bytesOut == 0)
    }

    @Test func `an answer of our own is written whole`() throws {
        var output: [UInt8] = []
        var writer = AnswerWriter(try ExchangeParts.requestHead())
        writer.closeAfter()
        writer.write(
            LocalAnswer(status: 404, fields: [("X-Test", "1")], body: Array("gone".utf8)), additions,
            date: Array("Date: now\r\n".utf8), at: 0, to: &output)
        #expect(
            output.text
                == "HTTP/1.1 404 Not Found\r\nX-Test: 1\r\nDate: now\r\nContent-Length: 4\r\nx-menshen-request-id: id-1\r\nConnection: close\r\n\r\ngone"
        )
        #expect(writer.hasBegun == false && writer.bytesOut == 4)
    }

    @Test func `a stored stream goes down in chunks with its age`() throws {
        var output: [UInt8] = []
        var writer = AnswerWriter(try ExchangeParts.requestHead())
        let answer = CachedAnswer(
            status: 200, fieldLines: Array("Content-Type: text/event-stream\r\n".utf8), body: Array("data: 1\n\n".utf8),
            isStream: true, storedAt: 10 * ExchangeParts.second, requestID: RequestID(microseconds: 1))
        writer.begin(answer, additions, at: 0, wall: 17 * ExchangeParts.second, to: &output)
        #expect(output.text.contains("\r\nAge: 7\r\n") && output.text.contains("Transfer-Encoding: chunked\r\n"))
        #expect(writer.framing == .chunked)
    }

    @Test func `what is kept for the record ends at its limit`() throws {
        var output: [UInt8] = []
        var writer = AnswerWriter(try ExchangeParts.requestHead())
        writer.keepBody(limit: 3)
        writer.begin(
            try ExchangeParts.answerHead("HTTP/1.1 200 OK", "Content-Length: 6"), additions, at: 0, to: &output)
        _ = write(&writer, "abcdef", &output)
        #expect(writer.captured([])?.text == "abc")
    }
}
