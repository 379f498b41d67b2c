// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

@testable import MenshenDaemon

/// How long a provider may take, and what its caller and the record hear of that; by a clock that the test turns.
struct TimeLimitTests {
    private static let done = "data: [DONE]\n\n"

    @Test func `a provider that says nothing is a 504 after first_byte_timeout`() throws {
        let scene = try WorkerScene(providers: ["openai"])
        let caller = try scene.ask("POST", "/v1/messages", body: "{}")
        let provider = try scene.accept()
        try scene.pass(599.5)
        #expect(caller.hearsNothing)
        try scene.pass(1)
        let answer = try scene.hear(caller, until: "upstream.first_byte_timeout")
        #expect(answer.hasPrefix("HTTP/1.1 504 ") && answer.contains("upstream_timeout"))
        #expect(answer.contains("timeout_error"))
        #expect(try scene.hear(provider).contains("Bearer key-openai"))
        let row = try #require(try scene.records().first)
        #expect((row.status, row.endState) == (504, "timeout"))
        #expect(row.attempts == ["openai - first_byte_timeout"])
    }

    @Test(arguments: [false, true])
    func `an answer that falls silent is broken after gap_timeout, one that goes on after total_timeout`(goesOn: Bool)
        throws
    {
        let scene = try WorkerScene(providers: ["openai"]) {
            if goesOn { $0.upstream.totalTimeout = .seconds(1000) }
        }
        let caller = try scene.ask("GET", "/v1/x")
        let provider = try scene.accept()
        try provider.beginStream()
        for number in 0..<(goesOn ? 4 : 1) {
            if number > 0 { try scene.pass(200) }
            try provider.chunk("data: \(number)\n\n")
            #expect(try scene.hear(caller, until: "data: \(number)\n\n").contains("\r\n"))
        }
        try scene.pass(goesOn ? 250 : 299.5)
        #expect(goesOn || caller.hearsNothing)
        if goesOn {
            try provider.chunk("data: more\n\n")
            try scene.hear(caller, until: "more")
            try scene.pass(149.5)
            #expect(caller.hearsNothing)
        }
        try scene.pass(1)
        #expect(try !scene.hear(caller).contains("\r\n0\r\n\r\n"), "its end is no clean one")
        let row = try #require(try scene.records().first)
        #expect((row.status, row.endState, row.problem) == (200, "timeout", "upstream_timeout"))
        #expect(row.attempts == ["openai 200 \(goesOn ? "total" : "gap")_timeout"])
    }

    @Test(arguments: [false, true])
    func `a slow reader is not taken for a silent provider, however slow it is`(isGivenUp: Bool) throws {
        let scene = try WorkerScene(providers: ["openai"])
        let caller = try scene.ask("GET", "/v1/x")
        let provider = try scene.accept()
        let size = 4 << 20
        try provider.wire.write("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
        var got = try scene.hear(caller, until: "\r\n\r\n").utf8.count
        var sent = try scene.fill(provider, [UInt8](repeating: 7, count: 64 << 10))
        #expect(sent < size)
        try scene.pass(299)
        if isGivenUp {
            // It is the caller who has taken nothing for that long.
            try scene.pass(2)
            _ = try scene.hear(caller)
            #expect(try scene.records().map(\.attempts) == [["openai 200 client_gone"]])
            return
        }
        while sent < size {
            got += try scene.drain(caller)
            let piece = [UInt8](repeating: 7, count: min(64 << 10, size - sent))
            sent += try provider.wire.writeWithoutWaiting(piece)
        }
        got += try scene.drain(caller)
        #expect(got > size)
        #expect(try scene.records().map(\.attempts) == [["openai 200 ok"]])
    }

    @Test func `an upload that moves is no silent answer`() throws {
        let scene = try WorkerScene(providers: ["openai"]) { $0.server.bodyTimeout = .seconds(3600) }
        let caller = try scene.call()
        let piece = [UInt8](repeating: 1, count: 64 << 10)
        try caller.wire.write("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: \(48 * piece.count)\r\n\r\n")
        var provider: Caller?
        for number in 0..<48 {
            var sent = 0
            while sent < piece.count {
                sent += try caller.wire.writeWithoutWaiting(Array(piece[sent...]))
                try scene.pass(0)
                if let provider { try scene.drain(provider) }
            }
            if number == 3 { provider = try scene.accept() }
            if number == 40 {
                try provider?.beginStream()
                try scene.hear(caller, until: "\r\n\r\n")
            }
            // Less than idle_timeout, and in all more than gap_timeout.
            if number >= 40 { try scene.pass(70) }
        }
        #expect(caller.hearsNothing)
        try provider?.chunk("data: {}\n\n")
        try provider?.endStream()
        #expect(try scene.hear(caller, until: "0\r\n\r\n").contains("data: {}"))
    }

    @Test(arguments: [false, true])
    func `behind its last word a stream has a second to end, and no other limit says anything`(isGapShort: Bool) throws
    {
        let scene = try WorkerScene(providers: ["openai"]) {
            if isGapShort { $0.upstream.gapTimeout = .milliseconds(500) }
        }
        let caller = try scene.ask(body: #"{"model":"m","stream":true}"#)
        let provider = try scene.accept()
        try provider.beginStream()
        try provider.chunk(Self.done)
        try scene.hear(caller, until: Self.done)
        try scene.pass(isGapShort ? 0.4 : 0.9)
        #expect(caller.hearsNothing)
        try scene.pass(0.2)
        #expect(try scene.hear(caller, until: "0\r\n\r\n").hasSuffix("0\r\n\r\n"))
        let row = try #require(try scene.records().first)
        #expect((row.endState, row.attempts) == ("complete", ["openai 200 ok"]))
    }

    // MARK: WebSockets

    private func askForWebSocket(_ scene: WorkerScene) throws -> Caller {
        try scene.ask("GET", "/v1/realtime?model=gpt-realtime", RawClient.upgrade)
    }

    @Test func `a provider that says nothing to a WebSocket's request is a problem as ever`() throws {
        let scene = try WorkerScene(providers: ["openai"])
        let caller = try askForWebSocket(scene)
        let provider = try scene.accept()
        try scene.hear(provider, until: "\r\n\r\n")
        try scene.pass(599)
        #expect(caller.hearsNothing)
        try scene.pass(12)
        #expect(try scene.hear(caller, until: "upstream_timeout").hasPrefix("HTTP/1.1 504 "))
        #expect(try scene.records().map(\.endState) == ["timeout"])
    }

    @Test func `silence does not end a WebSocket, and a stop says goodbye to both`() throws {
        let scene = try WorkerScene(providers: ["openai"]) { $0.upstream.totalTimeout = .seconds(1000) }
        let caller = try askForWebSocket(scene)
        let provider = try scene.accept()
        try scene.hear(provider, until: "\r\n\r\n")
        try provider.wire.write(UpstreamCall.accept + "\r\n")
        try scene.hear(caller, until: "\r\n\r\n")
        try scene.pass(100_000)
        #expect(caller.hearsNothing && provider.hearsNothing)
        try scene.drain(within: 30)
        try scene.pass(29)
        #expect(caller.hearsNothing && provider.hearsNothing)
        try scene.pass(2)
        #expect(try caller.wire.readFrame(masked: false) == .goingAway)
        #expect(try caller.wire.read().isEmpty)
        #expect(try provider.wire.readFrame(masked: true) == .goingAway)
        #expect(try scene.records().map(\.endState) == ["aborted"])
    }
}
