// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct UploadTests {
    private static func pattern(_ count: Int) -> [UInt8] {
        var state: UInt32 = 1
        return (0..<count).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(truncatingIfNeeded: state >> 24)
        }
    }

    @Test func `a small chunked body arrives whole`() throws {
        try Stage.run {
            try $0.reply(body: $0.request.text)
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send("POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            try caller.send("3;name=value\r\nabc\r\n")
            try caller.send("2\r\nde\r\n0\r\nX-Trailer: dropped\r\n\r\n")
            #expect(try caller.answer().text == "abcde")
            let request = try #require(stage.upstream.requests.first)
            #expect(request["Content-Length"] == "5")
            #expect(request["Transfer-Encoding"] == nil)
            #expect(request["X-Trailer"] == nil)
        }
    }

    @Test(arguments: [false, true])
    func `a large body is streamed through, byte for byte`(isChunked: Bool) throws {
        let body = Self.pattern(3 << 20 + 17)
        try Stage.run {
            try $0.reply(body: "\($0.request.body.count)")
        } _: { stage throws in
            let caller = try stage.caller()
            if isChunked {
                try caller.send("POST /v1/files HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                var start = 0
                while start < body.count {
                    let end = min(start + 100_000, body.count)
                    try caller.send(
                        Array((String(end - start, radix: 16) + "\r\n").utf8) + body[start..<end] + [13, 10])
                    start = end
                }
                try caller.send("0\r\n\r\n")
            } else {
                try caller.send("POST /v1/files HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n")
                try caller.send(body)
            }
            #expect(try caller.answer().text == "\(body.count)")
            let request = try #require(stage.upstream.requests.first)
            #expect(request.body == body)
            #expect(request["Content-Length"] == (isChunked ? nil : "\(body.count)"))
            #expect(request["Expect"] == nil)
            try caller.request("GET", "/v1/again")
            #expect(try caller.answer().status == 200)
            #expect(try stage.records().first?.bytesIn == body.count)
        }
    }

    /// Beyond what is read whole, each chunk would be a write to the provider.
    @Test(.enabled(if: !Stage.hasLibcurl))
    func `chunks of one byte that came together go up together`() throws {
        let first = Self.pattern(2 << 20 + 1)
        let count = 5000
        try Stage.run(.with { $0.readsBody = false }) { call in
            let reader = RawClient(call.wire)
            var chunks = 0
            var size = 0
            while let chunk = try reader.chunk() {
                chunks += 1
                size += chunk.count
            }
            _ = try reader.trailers()
            try call.reply(body: "\(size) \(chunks < 500)")
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send("POST /v1/files HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            try caller.send(Array((String(first.count, radix: 16) + "\r\n").utf8) + first + [13, 10])
            try caller.send(String(repeating: "1\r\na\r\n", count: count) + "0\r\n\r\n")
            #expect(try caller.answer().text == "\(first.count + count) true")
        }
    }

    @Test func `a body of several reads is read for its model as it comes`() throws {
        let padding = String(repeating: "p", count: 700_000)
        let setting = Stage.Setting.with { $0.provider = "aliases = { fast = \"slow\" }" }
        try Stage.run(setting) {
            try $0.reply()
        } _: { stage throws in
            for form in [false, true] {
                func body(_ model: String) -> String {
                    form
                        ? "--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n\(padding)\r\n--b\r\nContent-Disposition: form-data; name=model\r\n\r\n\(model)\r\n--b--\r\n"
                        : "{\"x\":\"\(padding)\",\"model\":\"\(model)\",\"y\":\"\(padding)\"}"
                }
                let type = form ? "multipart/form-data; boundary=b" : "application/json"
                let answer = try stage.ask(
                    "POST", "/v1/chat/completions", ["Content-Type: \(type)"], body: body("fast"))
                #expect(answer.status == 200)
                #expect(stage.upstream.requests.last?.body == Array(body("slow").utf8))
            }
            #expect(try stage.records().map(\.model) == ["fast", "fast"])
        }
    }

    @Test func `a body that repeats its members without end is a 400, a form of such parts a 413`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            for count in [100, 200_000] {
                let body = "{" + String(repeating: "\"model\":0,", count: count) + "\"z\":0}"
                let answer = try stage.ask("POST", "/v1/chat/completions", body: body)
                #expect((answer.status, answer.problem) == (400, "malformed_request"))
            }
            let part = "--b\r\nContent-Disposition: form-data; name=model\r\n\r\nm\r\n"
            let answer = try stage.ask(
                "POST", "/v1/audio/transcriptions", ["Content-Type: multipart/form-data; boundary=b"],
                body: String(repeating: part, count: 200) + "--b--\r\n")
            #expect((answer.status, answer.problem) == (413, "request_too_large"))
            #expect(stage.upstream.requests.isEmpty)
        }
    }

    enum Early: CaseIterable { case length, chunked, closing, none, success }

    @Test(arguments: Early.allCases, [false, true])
    func `the provider may answer before the upload ends`(form: Early, callerGoesOn: Bool) throws {
        try Stage.run(.with { $0.readsBody = false }) { call in
            switch form {
            case .length: try call.reply(413, body: "too much")
            case .closing: try call.reply(413, ["Connection: close"], body: "too much")
            case .success: try call.reply(200, body: "too much")
            case .none: try call.send("HTTP/1.1 304 Not Modified\r\n\r\n")
            case .chunked:
                try call.send("HTTP/1.1 413 X\r\nTransfer-Encoding: chunked\r\n\r\n")
                try call.chunk("too much")
                try call.endStream()
            }
            try call.waitForEnd()
        } _: { stage throws in
            let caller = try stage.caller()
            let length = 40 << 20
            try caller.send("POST /v1/files HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\r\n")
            try caller.send([UInt8](repeating: 1, count: 128 << 10))
            let answer = try caller.answer()
            #expect(
                (answer.status, answer.text) == (
                    form == .none ? 304 : form == .success ? 200 : 413, form == .none ? "" : "too much"
                ))
            #expect(answer["Connection"] == "close")
            if callerGoesOn { try? caller.send([UInt8](repeating: 1, count: length - (128 << 10))) }
            #expect(try caller.isClosedCleanly() || callerGoesOn)
            let row = try stage.records().first
            #expect((row?.status, row?.endState) == (answer.status, "complete"))
        }
    }

    @Test func `an upload waits for a provider that does not read`() throws {
        let go = try Signal()
        try Stage.run(.with { $0.readsBody = false }) { call in
            try go.wait()
            try call.readBody()
            try call.reply(body: "\(call.request.body.count)")
        } _: { stage throws in
            let caller = try stage.caller()
            let total = 48 << 20
            try caller.send("POST /v1/files HTTP/1.1\r\nHost: a\r\nContent-Length: \(total)\r\n\r\n")
            let piece = [UInt8](repeating: 1, count: 1 << 20)
            var sent = 0
            while try !caller.wire.isBlocked(milliseconds: 500) { sent += try caller.wire.writeWithoutWaiting(piece) }
            #expect(sent < 24 << 20)
            let before = stage.daemon.peakMemory
            go.raise()
            while sent < total {
                let count = min(piece.count, total - sent)
                try caller.send(Array(piece[..<count]))
                sent += count
            }
            #expect(try caller.answer().text == "\(total)")
            #expect(stage.daemon.peakMemory - before < 8 << 10)
        }
    }

    @Test func `a POST without a body says so upstream`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            _ = try stage.ask("POST", "/v1/responses/r1/cancel")
            _ = try stage.ask("DELETE", "/v1/files/f1")
            #expect(stage.upstream.requests.map(\.method) == ["POST", "DELETE"])
            #expect(stage.upstream.requests[0]["Content-Length"] == "0")
            #expect(stage.upstream.requests[1]["Content-Length"] == nil)
        }
    }

    @Test func `a caller that leaves in the middle of its upload ends the request upstream`() throws {
        let gone = try Signal()
        try Stage.run(.with { $0.readsBody = false }) { call in
            try call.waitForEnd()
            gone.raise()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send("POST /v1/files HTTP/1.1\r\nHost: a\r\nContent-Length: \(4 << 20)\r\n\r\n")
            try caller.send([UInt8](repeating: 1, count: 1 << 20))
            caller.wire.close()
            try gone.wait("the end of the upload upstream")
            #expect(try stage.records().first?.endState == "client_gone")
        }
    }
}
