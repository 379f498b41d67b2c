// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct StreamTests {
    /// libcurl hands each chunk on by itself.
    @Test(.enabled(if: !Stage.hasLibcurl))
    func `chunks of one byte that came together go on together`() throws {
        let text = String(repeating: "abcdefghij", count: 100)
        try Stage.run {
            try $0.send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + text.map { "1\r\n\($0)\r\n" }.joined()
                    + "0\r\nX-Sum: 1\r\n\r\n")
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            _ = try caller.head()
            var pieces: [[UInt8]] = []
            while let piece = try caller.chunk() { pieces.append(piece) }
            #expect(String(decoding: pieces.joined(), as: UTF8.self) == text)
            #expect(try caller.trailers().map(\.value) == ["1"])
            // Sixteen, and one for the rest of each read.
            #expect(pieces.count < 100)
        }
    }

    /// Pieces of all sizes, at a caller that reads late, so that the relay pauses in the midst of them.
    @Test func `chunks of all sizes arrive whole at a slow caller`() throws {
        let sizes = [Int](repeating: 1, count: 16) + [1, 1, 5000, 1, 4096, 4095, 2, 1, 70_000, 1, 1, 300_000, 3, 1]
        let pieces = sizes.indices.map { [UInt8](repeating: UInt8(65 + $0), count: sizes[$0]) }
        try Stage.run { call in
            var bytes = Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
            for _ in 0..<4 {
                for piece in pieces {
                    bytes += Array((String(piece.count, radix: 16) + "\r\n").utf8) + piece + [13, 10]
                }
            }
            try call.send(bytes + Array("0\r\n\r\n".utf8))
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            _ = try caller.wire.isBlocked(milliseconds: 1)
            let answer = try caller.answer()
            #expect(answer.body == (0..<4).flatMap { _ in pieces.flatMap { $0 } })
        }
    }

    @Test(arguments: [false, true])
    func `each piece arrives before the next is sent`(onTCP: Bool) throws {
        let arrived = try Signal()
        try Stage.run(.with { $0.hasTCP = onTCP }) { call in
            try call.beginStream()
            for number in 0..<10 {
                try call.chunk("data: {\"n\":\(number)}\n\n")
                try arrived.wait("piece \(number) at the caller")
            }
            try call.endStream()
        } _: { stage throws in
            let caller = try onTCP ? stage.tcpCaller() : stage.caller()
            try caller.request(
                "POST", "/v1/echo",
                ["Authorization: Bearer \(Stage.token)", "Content-Type: application/json"],
                body: #"{"stream":true,"model":"m"}"#)
            let head = try caller.head()
            #expect(head.framing == .chunked)
            #expect(head["Content-Type"] == "text/event-stream")
            for number in 0..<10 {
                let piece = try #require(try caller.chunk())
                #expect(String(decoding: piece, as: UTF8.self) == "data: {\"n\":\(number)}\n\n")
                arrived.raise()
            }
            #expect(try caller.chunk() == nil)
            #expect(try caller.trailers().isEmpty)
            let row = try stage.records().first
            #expect((row?.isStream, row?.endState, row?.bytesOut) == (true, "complete", 150))
        }
    }

    @Test func `a head that comes before its body goes down at once`() throws {
        let seen = try Signal()
        try Stage.run { call in
            try call.beginStream()
            try seen.wait("the head at the caller")
            try call.chunk("x")
            try call.endStream()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            #expect(try caller.head().status == 200)
            seen.raise()
            #expect(try caller.chunk() == [UInt8(ascii: "x")])
            #expect(try caller.chunk() == nil)
        }
    }

    @Test func `trailers pass, but none that frames, routes or authenticates`() throws {
        try Stage.run { call in
            try call.beginStream(["Trailer: X-Sum"])
            try call.chunk("abc")
            try call.endStream(trailers: ["X-Sum: 6", "Content-Length: 9", "Authorization: Bearer x"])
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            let answer = try caller.answer()
            #expect(answer.trailers.map(\.name) == ["X-Sum"])
            #expect(answer.trailers.map(\.value) == ["6"])
            try caller.request("GET", "/v1/x")
            #expect(try caller.answer().text == "abc")
        }
    }

    @Test func `a stream that the provider ends by closing is chunked for the caller`() throws {
        try Stage.run { call in
            try call.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nto the end")
            call.close()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            let answer = try caller.answer()
            #expect((answer.framing, answer.text) == (.chunked, "to the end"))
            try caller.request("GET", "/v1/x")
            #expect(try caller.answer().text == "to the end")
        }
    }

    @Test func `a caller of HTTP 1.0 gets a stream that ends with the connection`() throws {
        try Stage.run { call in
            try call.beginStream()
            try call.chunk("one ")
            try call.chunk("two")
            try call.endStream()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send("GET /v1/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            let answer = try caller.answer()
            #expect((answer.framing, answer.text) == (.close, "one two"))
            #expect(answer["Connection"] == "close")
        }
    }

    @Test func `a reader that stops stops the provider, and memory stays flat`() throws {
        let total = 200 << 20
        let blocked = try Signal()
        let piece = [UInt8](repeating: 7, count: 1 << 20)
        try Stage.run { call in
            try call.send("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            var sent = 0
            while try !call.wire.isBlocked(milliseconds: 500) { sent += try call.wire.writeWithoutWaiting(piece) }
            #expect(sent < 32 << 20)
            blocked.raise()
            while sent < total {
                let count = min(piece.count, total - sent)
                try call.send(Array(piece[..<count]))
                sent += count
            }
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            #expect(try caller.head().status == 200)
            try blocked.wait("a blocked provider")
            let before = stage.daemon.peakMemory
            var received = 0
            while received < total { received += try caller.wire.read().count }
            #expect(received == total)
            #expect(stage.daemon.peakMemory - before < 8 << 10)
            let row = try stage.records().first
            #expect((row?.endState, row?.bytesOut) == ("complete", total))
        }
    }
}
