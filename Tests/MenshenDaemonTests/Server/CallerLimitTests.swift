// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

@testable import MenshenDaemon

/// How long connections live beside their requests, by a clock that the test turns.
struct CallerLimitTests {
    @Test func `an idle connection is closed without a word, an answer under way is not`() throws {
        let scene = try WorkerScene(providers: ["openai"])
        let fresh = try scene.call()
        let used = try scene.ask("GET", "/v1/models")
        let provider = try scene.accept()
        try scene.pass(74.9)
        #expect(fresh.hearsNothing)
        try scene.pass(0.2)
        #expect(try scene.hear(fresh).isEmpty)
        // The provider, not the connection, is silent.
        try scene.pass(500)
        #expect(used.hearsNothing)
        try provider.reply(200, "x")
        #expect(try scene.hear(used, until: "\r\n\r\nx").hasPrefix("HTTP/1.1 200 "))
        try scene.pass(74.9)
        #expect(used.hearsNothing)
        try scene.pass(0.2)
        #expect(try scene.hear(used).isEmpty)
        #expect(try scene.records().count == 1)
    }

    @Test func `a stranger that says nothing has header_timeout, not idle_timeout`() throws {
        let scene = try WorkerScene()
        let (stranger, other) = (try scene.call(isTCP: true), try scene.call())
        try scene.pass(9.9)
        #expect(stranger.hearsNothing)
        try scene.pass(0.2)
        #expect(try scene.hear(stranger).isEmpty)
        #expect(other.hearsNothing)
    }

    @Test func `a body that its caller does not send is refused, and no provider is asked`() throws {
        let scene = try WorkerScene(providers: ["openai"])
        let caller = try scene.call()
        try caller.wire.write("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        try scene.pass(0)
        try scene.pass(75.1)
        let answer = try scene.hear(caller)
        #expect(answer.hasPrefix("HTTP/1.1 408 ") && answer.contains("x-menshen-error: request_timeout"))
        // A connection was made while the body was to come.
        #expect(try scene.accept().hearsNothing)
    }

    @Test func `a head that does not end is refused, and its connection ends`() throws {
        let scene = try WorkerScene()
        let caller = try scene.call()
        try caller.wire.write("GET /v1/models HTTP/1.1\r\nHost: a\r\nX-")
        try scene.pass(0)
        try scene.pass(10.1)
        let answer = try scene.hear(caller)
        #expect(answer.hasPrefix("HTTP/1.1 408 ") && answer.contains("x-menshen-error: request_timeout"))
    }

    @Test func `what comes of a refused upload is heard for 30 seconds, and for 5 of silence`() throws {
        let scene = try WorkerScene(providers: ["openai"]) { $0.server.maxBodyBytes = 1 << 10 }
        func upload() throws -> Caller {
            let caller = try scene.call()
            try caller.wire.write("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\nabc")
            try scene.pass(0)
            // Its answer comes at once, and behind it menshen says no more.
            #expect(try scene.hear(caller).hasPrefix("HTTP/1.1 413 "))
            return caller
        }
        let silent = try upload()
        try scene.pass(4.9)
        try silent.wire.write("x")
        try scene.pass(4.9)
        try silent.wire.write("x")
        try scene.pass(0)
        try scene.pass(5.1)
        #expect(throws: Wire.Fault.reset) { try silent.wire.write("x") }
        let moving = try upload()
        for _ in 0..<6 {
            try scene.pass(4.9)
            try moving.wire.write("x")
            try scene.pass(0)
        }
        try scene.pass(0.7)
        #expect(throws: Wire.Fault.reset) { try moving.wire.write("x") }
    }
}
