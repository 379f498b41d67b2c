// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Synchronization
import TestSupport
import Testing

/// What menshen's own HTTP/1.1 client does where things go wrong in between.
struct HTTP1TransferTests {
    private static let isOurs = !Stage.hasLibcurl

    /// A caller that has announced an upload.
    private static func upload(_ length: Int, on stage: Stage) throws -> RawClient {
        let caller = try stage.caller()
        try caller.send("POST /v1/files HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\r\n")
        return caller
    }

    /// The exchange is the last that knows the old configuration, and ends while its transfer is on the stack.
    @Test(arguments: [413, 200])
    func `a refusal before the upload's end, after a reload, ends no more than its request`(status: Int) throws {
        let arrived = try Signal()
        let go = try Signal()
        try Stage.run(.with { $0.readsBody = false }) { call in
            guard call.request.method == "POST" else { return try call.reply() }
            arrived.raise()
            try go.wait()
            try call.reply(status, body: "too much")
            try call.waitForEnd()
        } _: { stage throws in
            // The database is open then, so that nobody waits for a receipt.
            #expect(try stage.ask("GET", "/v1/a").status == 200)
            let caller = try Self.upload(40 << 20, on: stage)
            try caller.send([UInt8](repeating: 1, count: 128 << 10))
            try arrived.wait()
            try stage.daemon.reload()
            go.raise()
            let answer = try caller.answer()
            #expect((answer.status, answer.text) == (status, "too much"))
            #expect(try stage.ask("GET", "/v1/a").status == 200)
            #expect(try stage.records().map(\.endState) == ["complete", "complete", "complete"])
        }
    }

    /// Requests under way across a reload end well, whichever way they end. libcurl asks again.
    @Test(.enabled(if: isOurs))
    func `a request that a reload overtakes ends as it would have`() throws {
        let arrived = try Signal()
        let go = try Signal()
        try Stage.run { call in
            if call.request.target == "/v1/after" { return try call.reply() }
            arrived.raise()
            try go.wait()
            if call.request.target == "/v1/reset" {
                // Once an answer has begun, nobody asks again.
                try call.send("HTTP/1.1 2")
                return call.reset()
            }
            try call.reply()
        } _: { stage throws in
            for (target, status) in [("/v1/whole", 200), ("/v1/reset", 502)] {
                let caller = try stage.caller()
                try caller.request("GET", target)
                try arrived.wait()
                try stage.daemon.reload()
                go.raise()
                #expect(try caller.answer().status == status)
                #expect(try stage.ask("GET", "/v1/after").status == 200)
            }
        }
    }

    /// Taken for the end of an answer, it would leave the caller without one, and the next caller with this one's.
    @Test(arguments: ["\r\n", "X-Stray: 1\r\n\r\n"])
    func `what follows an interim head is a head`(stray: String) throws {
        try Stage.run { call in
            guard call.connection == 0 else { return try call.reply(body: "its own") }
            if call.number == 0 { return try call.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + stray) }
            try call.reply(body: "somebody else's")
        } _: { stage throws in
            let first = try stage.caller()
            try first.request("GET", "/v1/a")
            #expect(try first.wire.read(through: "\r\n\r\n") != nil)
            #expect(try stage.ask("GET", "/v1/b").text == "its own")
            let answer = try first.answer()
            #expect((answer.status, answer.problem) == (502, "upstream_broken"))
            #expect(try stage.records().first?.attempts == ["openai - malformed"])
        }
    }

    /// The write that finds the reset takes the error away; what is read then looks like a clean end.
    @Test func `an answer that only the end delimits is not whole if the connection was reset during the upload`()
        throws
    {
        let seen = try Signal()
        try Stage.run(.with { $0.readsBody = false }) { call in
            try call.send("HTTP/1.1 200 OK\r\n\r\nhalf")
            try seen.wait()
            call.reset()
        } _: { stage throws in
            let caller = try Self.upload(40 << 20, on: stage)
            let piece = [UInt8](repeating: 1, count: 1 << 20)
            // Until nothing more is taken, so that there is something to write when the reset comes.
            while try !caller.wire.isBlocked(milliseconds: 300) { _ = try caller.wire.writeWithoutWaiting(piece) }
            #expect(try caller.head().status == 200)
            #expect(try caller.chunk() == Array("half".utf8))
            seen.raise()
            #expect(throws: (any Error).self) { while try caller.chunk() != nil {} }
            #expect(try stage.records().first?.endState == "truncated")
        }
    }

    /// It reads its answer only when it has sent everything, so its upload has to go somewhere.
    @Test(.enabled(if: isOurs))
    func `a caller that is not done sending when the provider hangs up gets the answer that was there`() throws {
        let pieces = Atomic(0)
        try Stage.run(
            .with {
                $0.upstreamOnUnix = true
                $0.readsBody = false
            }
        ) { call in
            try call.beginStream()
            // Until menshen takes no more, because its caller does not read; there is room for the end then.
            while try !call.wire.isBlocked(milliseconds: 300) {
                try call.chunk([UInt8](repeating: 7, count: 8 << 10))
                pieces.add(1, ordering: .relaxed)
            }
            try call.endStream()
            // With what it has not read, that is a reset.
            call.close()
        } _: { stage throws in
            let length = 40 << 20
            let caller = try Self.upload(length, on: stage)
            try caller.send([UInt8](repeating: 1, count: length))
            let got = try caller.answer().body.count
            #expect(got == pieces.load(ordering: .relaxed) * 8 << 10)
        }
    }

    /// libcurl knows it.
    @Test(.enabled(if: isOurs))
    func `an answer whose framing nobody knows was not relayed, so it did not break off`() throws {
        try Stage.run {
            try $0.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")
        } _: { stage throws in
            #expect(try stage.ask("GET", "/v1/a").status == 502)
            #expect(try stage.records().first?.attempts == ["openai - malformed"])
        }
    }

    /// The answer ends where one read ends, so the rest is found only by whoever reads next: in the same turn that is a
    /// request that waited behind the first.
    @Test(.enabled(if: isOurs))
    func `bytes that nobody asked for are no answer to a request that waits`() throws {
        try Stage.run(.with { $0.upstreamOnUnix = true }) { call in
            guard call.request.target == "/v1/first" else { return try call.reply(body: "its own") }
            var head = "HTTP/1.1 200 OK\r\nContent-Length: 65000\r\nX-Pad: "
            head += String(repeating: "p", count: (64 << 10) - 65000 - head.utf8.count - 4) + "\r\n\r\n"
            try call.send(
                head + String(repeating: "b", count: 65000) + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        } _: { stage throws in
            for _ in 0..<50 {
                let caller = try stage.caller()
                try caller.send("GET /v1/first HTTP/1.1\r\nHost: a\r\n\r\nGET /v1/next HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try caller.answer().body.count == 65000)
                #expect(try caller.answer().text == "its own")
            }
        }
    }
}
