// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Crypto
import HTTP
import MenshenCore
import TestSupport
import Testing

@Suite struct CachedAnswerTests {
    private func answer(
        _ body: [UInt8] = Array("{}".utf8), fields: String = "Content-Type: application/json\r\n",
        isStream: Bool = false
    ) -> CachedAnswer {
        CachedAnswer(
            status: 200, fieldLines: Array(fields.utf8), body: body, isStream: isStream,
            storedAt: 1_800_000_000_123_456,
            requestID: RequestID(rawValue: 77))
    }

    private func stream(_ body: [UInt8], fields: String = "Content-Type: text/event-stream\r\n") -> [[UInt8]] {
        let answer = answer(body, fields: fields, isStream: true)
        var splitter = EventSplitter(answer)
        var pieces: [[UInt8]] = []
        while let range = splitter.next() { pieces.append(Array(body[range])) }
        #expect(splitter.next() == nil)
        #expect(Array(pieces.joined()) == body)
        return pieces
    }

    private func pieces(_ text: String) -> [String] {
        stream(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: Events

    @Test func `a stream is cut behind each event, whatever ends its lines`() {
        #expect(pieces("data: a\n\ndata: b\n\n") == ["data: a\n\n", "data: b\n\n"])
        #expect(pieces("data: a\r\n\r\ndata: b\r\n\r\n") == ["data: a\r\n\r\n", "data: b\r\n\r\n"])
        #expect(pieces("data: a\r\rdata: b\r\r") == ["data: a\r\r", "data: b\r\r"])
        #expect(
            pieces(": hello\n\nevent: x\ndata: a\ndata: b\n\n\n: bye\n") == [
                ": hello\n\nevent: x\ndata: a\ndata: b\n\n", "\n: bye\n",
            ])
        #expect(pieces("data: a\n\ndata: [DONE]") == ["data: a\n\n", "data: [DONE]"])
        #expect(pieces("\n") == ["\n"])
        #expect(pieces("") == [])
    }

    @Test func `what is no plain stream of events is one piece`() {
        let body = Array("data: a\n\ndata: b\n\n".utf8)
        #expect(stream(body, fields: "content-type: application/json\r\n") == [body])
        #expect(stream(body, fields: "Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n") == [body])
        #expect(stream(body, fields: "") == [body])
        #expect(stream(body, fields: "CONTENT-TYPE: Text/Event-Stream; charset=utf-8\r\n").count == 2)
        var whole = EventSplitter(answer(body, fields: "Content-Type: text/event-stream\r\n"))
        #expect(whole.next() == 0..<body.count)
    }

    @Test func `every stream of the corpus comes out whole and event by event`() throws {
        let streams = CorpusCase.all.filter { $0.isStream && !$0.isEncoded }
        #expect(streams.count > 20)
        for item in streams {
            let pieces = stream(item.body)
            guard var observer = try item.observer else { continue }
            for piece in pieces.dropLast() {
                observer.observe(piece.span)
                #expect(observer.isAtBoundary, "\(item.name)")
            }
        }
    }

    // MARK: Head and age

    @Test func `of the head only what describes the body is kept`() throws {
        var head = ResponseHead()
        for line in [
            "HTTP/1.1 200 OK", "Date: x", "Content-Type: text/event-stream", "Content-Length: 12", "x-request-id: r",
            "request-id: r", "x-ratelimit-remaining-tokens: 1", "anthropic-ratelimit-tokens-remaining: 1",
            "Set-Cookie: a=b", "openai-processing-ms: 7", "openai-organization: o", "openai-version: 2020-10-01",
            "CONTENT-ENCODING: gzip", "Connection: close", "cf-ray: x", "Cache-Control: private", "Age: 3", "",
        ] {
            _ = try head.add(Array("\(line)\r\n".utf8).span)
        }
        #expect(
            String(decoding: CachedAnswer.fieldLines(of: head), as: UTF8.self)
                == "Content-Type: text/event-stream\r\nopenai-version: 2020-10-01\r\nCONTENT-ENCODING: gzip\r\n")
    }

    @Test func `a key that stands in an answer is seen`() {
        let key = Secret("sk-CANARY")
        #expect(!answer().holds([]) && !answer().holds([key]))
        #expect(answer(Array("Incorrect API key: sk-CANARY".utf8)).holds([Secret("other-key"), key]))
        #expect(answer(fields: "content-type: sk-CANARY\r\n").holds([key]))
        #expect(!answer(Array("sk-CANAR".utf8)).holds([key]))
    }

    @Test func `age counts whole seconds and is never negative`() {
        let answer = answer()
        #expect(answer.age(now: answer.storedAt) == 0)
        #expect(answer.age(now: answer.storedAt + 1_999_999) == 1)
        #expect(answer.age(now: answer.storedAt - 1) == 0)
        #expect(answer.age(now: .max) > 1 << 40)
    }

    // MARK: The form in the database

    private var full: CachedAnswer {
        var answer = answer(Array("data: é\n\n".utf8), fields: "Content-Type: text/event-stream\r\n", isStream: true)
        var usage = Usage()
        (usage.inputTotal, usage.outputTotal, usage.cacheRead, usage.imageOut) = (12, .max, 0, -1)
        usage.seconds = 1.25
        usage.raw = Array(#"{"prompt_tokens":12}"#.utf8)
        answer.usage = usage
        answer.model = "gpt-4.1-mini-2025"
        answer.serviceTier = ""
        return answer
    }

    @Test func `what is written reads back the same`() throws {
        for answer in [answer(), answer([]), full, answer([UInt8](repeating: 7, count: 100_000), fields: "")] {
            #expect(CachedAnswer(encoded: answer.encoded) == answer)
        }
        // Usage with counts of one provider alone.
        let item = try #require(CorpusCase.all.first { $0.name == "anthropic-messages/stream-server-tools" })
        var observer = try #require(try item.observer)
        observer.observe(item.body.span)
        var answer = answer()
        answer.usage = observer.usage
        #expect(answer.usage?.other.isEmpty == false)
        #expect(CachedAnswer(encoded: answer.encoded) == answer)
    }

    @Test func `damaged bytes are no answer`() {
        let whole = full.encoded
        for index in whole.indices {
            var damaged = whole
            damaged[index] ^= 1 << UInt8(index % 8)
            #expect(CachedAnswer(encoded: damaged) == nil, "\(index)")
            #expect(CachedAnswer(encoded: Array(whole[..<index])) == nil, "cut at \(index)")
        }
        #expect(CachedAnswer(encoded: whole + [0]) == nil)
        #expect(CachedAnswer(encoded: []) == nil)
    }

    @Test func `bytes that are damaged under a right checksum do no harm`() {
        let cases = Fuzzing.cases(3_000)
        var random = SeededGenerator(state: Fuzzing.seed("stored answers", cases))
        let whole = full.encoded
        var refused = 0
        for _ in 0..<cases {
            var content = Array(whole.dropLast(16))
            let insertions: [[UInt8]] = [
                [0xFF], [UInt8](repeating: 0xFF, count: 8), [0], [UInt8](repeating: 0, count: 8),
            ]
            for _ in 0..<random.number(1...3) { random.damage(&content, insertions) }
            let answer = CachedAnswer(encoded: content + Digest(of: content).rawValue.prefix(16))
            if answer == nil { refused += 1 }
        }
        #expect(refused > cases / 2)
    }
}
