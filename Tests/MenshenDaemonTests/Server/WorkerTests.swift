// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Reactor
import TestSupport
import Testing

@testable import MenshenDaemon

/// How long a caller may take, by a clock that the test turns, and how much of a turn.
struct WorkerTests {
    private static let health = "GET /_menshen/health HTTP/1.1\r\nHost: a\r\n\r\n"

    /// With a provider, which is not asked.
    private static func serving() throws -> Configuration {
        var configuration = Configuration()
        let url = try #require(BaseURL("http://127.0.0.1:9"))
        configuration.providers = [Provider(name: "local", kind: .openai, baseURL: url, key: .none)]
        return configuration
    }

    @Test func `a head has header_timeout from its first byte`() throws {
        let scene = try WorkerScene()
        let caller = try scene.call()
        try scene.pass(60)
        #expect(caller.hearsNothing)
        try caller.wire.write("GET / HT")
        try scene.pass(0)
        try scene.pass(9.9)
        #expect(caller.hearsNothing)
        try scene.pass(0.2)
        let answer = try scene.answer(to: caller)
        #expect(answer.hasPrefix("HTTP/1.1 408 ") && answer.contains("server.header_timeout"))
    }

    @Test func `a kept connection waits idle_timeout for the next request`() throws {
        let scene = try WorkerScene()
        let caller = try scene.call()
        for _ in 0..<3 {
            try scene.pass(70)
            try caller.wire.write(Self.health)
            try scene.pass(0)
            #expect(try scene.answer(to: caller).hasPrefix("HTTP/1.1 200 "))
        }
        try scene.pass(74.9)
        #expect(caller.hearsNothing)
        try scene.pass(0.2)
        #expect(try scene.answer(to: caller).isEmpty)
    }

    @Test(arguments: [true, false])
    func `a body has body_timeout as a whole, and idle_timeout for each piece`(comesOn: Bool) throws {
        let scene = try WorkerScene(try Self.serving())
        let caller = try scene.call()
        try caller.wire.write("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
        try scene.pass(0)
        for _ in 0..<(comesOn ? 4 : 1) {
            try scene.pass(60)
            #expect(caller.hearsNothing)
            try caller.wire.write("x")
            try scene.pass(0)
        }
        try scene.pass(comesOn ? 59.9 : 74.9)
        #expect(caller.hearsNothing)
        try scene.pass(0.2)
        let answer = try scene.answer(to: caller)
        #expect(answer.hasPrefix("HTTP/1.1 408 "))
        #expect(answer.contains(comesOn ? "server.body_timeout" : "server.idle_timeout"), "\(answer)")
    }

    @Test func `a caller that sends many requests at once gets 16 answers a turn, and others come in between`() throws {
        let scene = try WorkerScene()
        let (greedy, modest) = (try scene.call(), try scene.call())
        try greedy.wire.write(String(repeating: Self.health, count: 40))
        var answers = 0
        func count() throws -> Int {
            if greedy.hearsNothing { return 0 }
            return String(decoding: try greedy.wire.read(), as: UTF8.self).split(separator: "HTTP/1.1 200").count
        }
        try scene.turn()
        answers = try count()
        #expect(answers == 16)
        try modest.wire.write(Self.health)
        try scene.turn()
        #expect(!modest.hearsNothing)
        answers += try count()
        #expect(answers == 32)
        try scene.turn()
        #expect(try answers + count() == 40)
    }

    @Test func `a drain leaves a kept connection the time for the request that is on its way`() throws {
        let scene = try WorkerScene()
        let (idle, late) = (try scene.call(), try scene.call())
        try scene.pass(1)
        scene.context.mailbox.post(.drain(deadline: scene.clock.now + 10_000_000))
        try scene.pass(0)
        try scene.pass(0.19)
        #expect(idle.hearsNothing && late.hearsNothing)
        try late.wire.write(Self.health)
        try scene.pass(0.02)
        #expect(try scene.answer(to: idle).isEmpty)
        let answer = try scene.answer(to: late)
        #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.lowercased().contains("connection: close"))
    }

    @Test func `what does not end by a drain's deadline is aborted and recorded so`() throws {
        let scene = try WorkerScene(providers: ["openai"])
        let caller = try scene.ask("GET", "/v1/x")
        let provider = try scene.accept()
        try provider.beginStream()
        try scene.drain(within: 30)
        try scene.pass(29.9)
        try provider.chunk("data: 1\n\n")
        try scene.hear(caller, until: "data: 1")
        try scene.pass(0.2)
        #expect(try !scene.hear(caller).contains("\r\n0\r\n\r\n"), "its end is no clean one")
        _ = try scene.hear(provider)
        #expect(try scene.records().map(\.endState) == ["aborted"])
    }
}
