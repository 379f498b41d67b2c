// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

@testable import MenshenDaemon

/// How long a request waits before it goes elsewhere, or nowhere, by a clock that the test turns.
struct RoutingTimeTests {
    // MARK: Places

    private static func scene() throws -> WorkerScene {
        try WorkerScene(providers: ["a"]) {
            $0.providers[0].maxConcurrent = 1
            $0.providers[0].maxQueued = 1
            $0.providers[0].queueTimeout = .seconds(20)
        }
    }

    @Test func `a full queue, and a wait that is too long, are a 429`() throws {
        let scene = try Self.scene()
        let first = try scene.ask("GET", "/v1/first")
        let provider = try scene.accept()
        try scene.hear(provider, until: "/v1/first")
        let waiting = try scene.ask("GET", "/v1/waiting")
        let refused = try scene.hear(try scene.ask("GET", "/v1/refused"), until: "concurrency_limited").lowercased()
        #expect(refused.hasPrefix("http/1.1 429 ") && refused.contains("x-should-retry: true"))
        #expect(refused.contains("\r\nretry-after: 1\r\n"))
        try scene.pass(19.9)
        #expect(waiting.hearsNothing)
        try scene.pass(0.2)
        let late = try scene.hear(waiting, until: "queue_timeout")
        #expect(late.hasPrefix("HTTP/1.1 429 ") && late.contains("concurrency_limited"))
        try provider.reply(200, "well")
        try scene.hear(first, until: "well")
        let later = try scene.ask("GET", "/v1/later")
        try scene.hear(provider, until: "/v1/later")
        try provider.reply(200, "well")
        try scene.hear(later, until: "well")
        let rows = try scene.records()
        #expect(rows.count == 4)
        #expect(rows.filter { $0.problem == "concurrency_limited" && $0.attempts.isEmpty }.count == 2)
    }

    @Test(arguments: [false, true])
    func `a caller that takes nothing, or sends nothing, gives its place to one that waits`(isUpload: Bool) throws {
        let scene = try Self.scene()
        let slow = try scene.call()
        defer { slow.wire.close() }
        try slow.wire.write(
            isUpload
                ? "POST /v1/slow HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n"
                    + String(repeating: " ", count: 80_000)
                : "GET /v1/slow HTTP/1.1\r\nHost: a\r\n\r\n")
        let provider = try scene.accept()
        defer { provider.wire.close() }
        if isUpload {
            try scene.drain(provider)
        } else {
            try scene.hear(provider, until: "\r\n\r\n")
            try provider.beginStream()
            try scene.hear(slow, until: "\r\n\r\n")
            let bytes = String(repeating: "x", count: 64 << 10)
            try scene.fill(provider, Array("10000\r\n\(bytes)\r\n".utf8))
        }
        let other = try scene.ask("GET", "/v1/other")
        // Half of its queue_timeout the other puts up with.
        for _ in 0..<9 { try scene.pass(1) }
        #expect(try scene.isUnasked(0))
        for _ in 0..<4 { try scene.pass(1) }
        let next = try scene.accept()
        try scene.hear(next, until: "/v1/other")
        try next.reply(200, "well")
        try scene.hear(other, until: "well")
        if isUpload { #expect(try scene.hear(slow, until: "request_timeout").hasPrefix("HTTP/1.1 408 ")) }
        let row = try scene.records().first { $0.path == "/v1/slow" }
        #expect(row?.problem == "request_timeout" && row?.endState == (isUpload ? "refused" : "client_gone"))
        #expect(row?.attempts.count == 1)
    }

    // MARK: The deadline of all attempts

    @Test func `one deadline holds for all attempts together`() throws {
        let scene = try WorkerScene(providers: ["a", "b", "c"]) { $0.failover.deadline = .seconds(30) }
        let caller = try scene.ask(body: "{}")
        let first = try scene.accept(0)
        defer { first.wire.close() }
        try first.reply(500, "of a")
        let second = try scene.accept(1)
        defer { second.wire.close() }
        try scene.hear(second, until: "\r\n\r\n")
        try scene.pass(29.5)
        #expect(caller.hearsNothing)
        try scene.pass(1)
        #expect(try scene.hear(caller, until: "of a").hasPrefix("HTTP/1.1 500 "))
        #expect(try scene.isUnasked(2))
        let attempts = try scene.records().map(\.attempts)
        #expect(attempts == [["a 500 server_error", "b - deadline"]])
    }

    // MARK: A stream's first event with content

    private static let stream = #"{"model":"m","stream":true}"#

    private static func limited(_ providers: [String]) throws -> WorkerScene {
        try WorkerScene(providers: providers) { $0.failover.firstEventTimeout = .seconds(20) }
    }

    /// `beginning`: 0: nothing comes, 1: a head, 2: comments behind it.
    @Test(arguments: [0, 1, 2])
    func `a stream without content in time is another provider's to answer`(_ beginning: Int) throws {
        let scene = try Self.limited(["a", "b"])
        let caller = try scene.ask(body: Self.stream)
        let first = try scene.accept(0)
        defer { first.wire.close() }
        try scene.hear(first, until: "\r\n\r\n")
        try scene.pass(10)
        if beginning > 0 { try first.beginStream() }
        for _ in 0..<9 {
            if beginning > 1 { try first.chunk(": PROCESSING\n\n") }
            try scene.pass(1)
        }
        #expect(caller.hearsNothing)
        #expect(try scene.isUnasked(1))
        try scene.pass(1.1)
        let second = try scene.accept(1)
        try scene.hear(second, until: "\r\n\r\n")
        try second.beginStream()
        try scene.pass(19)
        try second.chunk("data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n")
        let heard = try scene.hear(caller, until: "hello")
        #expect(heard.hasPrefix("HTTP/1.1 200 ") && !heard.contains("PROCESSING"))
        // It has begun, and takes its time from here on.
        try scene.pass(100)
        try second.chunk("data: [DONE]\n\n")
        try second.endStream()
        try scene.hear(caller, until: "[DONE]")
        let attempts = try scene.records().map(\.attempts)
        #expect(attempts == [["a - first_event_timeout", "b 200 ok"]])
    }

    @Test func `of a provider that is alone it is a 504, whatever pings came`() throws {
        let scene = try Self.limited(["a"])
        let caller = try scene.ask(body: Self.stream)
        let provider = try scene.accept(0)
        defer { provider.wire.close() }
        try scene.hear(provider, until: "\r\n\r\n")
        try provider.beginStream()
        for _ in 0..<19 {
            try provider.chunk(": ping\n\n")
            try scene.pass(1)
        }
        #expect(caller.hearsNothing)
        try scene.pass(1.1)
        let answer = try scene.hear(caller, until: "failover.first_event_timeout")
        #expect(answer.hasPrefix("HTTP/1.1 504 ") && answer.contains("upstream_timeout"))
        let row = try #require(try scene.records().first)
        #expect(row.attempts == ["a - first_event_timeout"] && row.endState == "timeout")
    }

    @Test func `an answer that is no stream has its time`() throws {
        let scene = try Self.limited(["a", "b"])
        let caller = try scene.ask(body: #"{"model":"m"}"#)
        let provider = try scene.accept(0)
        try scene.hear(provider, until: "\r\n\r\n")
        try scene.pass(60)
        try provider.reply(200, "well")
        try scene.hear(caller, until: "well")
    }

    @Test func `the deadline of all attempts still holds`() throws {
        let scene = try WorkerScene(providers: ["a", "b"]) {
            $0.failover.firstEventTimeout = .seconds(20)
            $0.failover.deadline = .seconds(30)
        }
        let caller = try scene.ask(body: Self.stream)
        let first = try scene.accept(0)
        defer { first.wire.close() }
        try scene.pass(20.1)
        let second = try scene.accept(1)
        defer { second.wire.close() }
        try scene.pass(10)
        #expect(try scene.hear(caller, until: "}").hasPrefix("HTTP/1.1 504 "))
        let attempts = try scene.records().map(\.attempts)
        #expect(attempts == [["a - first_event_timeout", "b - deadline"]])
    }

    @Test(arguments: [3 << 20, 2000])
    func `a body above the limit is sent once, and the deadline of several attempts is not for it`(size: Int) throws {
        let scene = try WorkerScene(providers: ["a", "b"]) {
            $0.failover.maxBodyBytes = 1 << 10
            $0.failover.deadline = .seconds(20)
        }
        let caller = try scene.call()
        let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n"
        let request = Array((head + #"{"model":"m","text":""#).utf8)
        let body = request + [UInt8](repeating: 120, count: size + head.utf8.count - request.count)
        var provider: Caller?
        var sent = 0
        var got = 0
        while sent < body.count {
            sent += try caller.wire.writeWithoutWaiting(Array(body[sent..<min(body.count, sent + 65536)]))
            try scene.pass(0)
            if provider == nil, sent == body.count || sent > 200_000 { provider = try scene.accept(0) }
            if let provider { got += try scene.drain(provider) }
        }
        let end = try #require(provider)
        got += try scene.drain(end)
        #expect(got > size)
        try scene.pass(40)
        #expect(caller.hearsNothing)
        try end.reply(503, "busy")
        #expect(try scene.hear(caller, until: "busy").hasPrefix("HTTP/1.1 503 "))
        #expect(try scene.records().map(\.attempts) == [["a 503 server_error"]])
    }

    private static let created = "data: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n"
    private static let hello = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"hello\"}\n\n"
    private static let completed = "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\"}}\n\n"
    private static let error = "data: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"overloaded\"}\n\n"
    private static let body = "{\"model\":\"m\",\"stream\":true}"

    @Test func `an answer that comes at once over a connection that is there outlasts the deadline`() throws {
        let scene = try WorkerScene(providers: ["a", "b"]) { $0.failover.deadline = .seconds(40) }
        let caller = try scene.call()
        var provider: Caller?
        for number in 0..<2 {
            try caller.ask("POST", "/v1/responses", body: Self.body)
            let end = try provider ?? scene.accept(0)
            provider = end
            try scene.hear(end, until: Self.body)
            try end.beginStream()
            try end.chunk(Self.created + Self.hello)
            try scene.hear(caller, until: "hello")
            if number > 0 {
                try scene.pass(60)
                #expect(caller.hearsNothing)
            }
            try end.chunk(Self.completed)
            try end.endStream()
            #expect(try scene.hear(caller, until: "\r\n0\r\n\r\n").contains(Self.completed))
        }
        #expect(try scene.records().map(\.attempts) == [["a 200 ok"], ["a 200 ok"]])
    }

    @Test func `a held stream goes down when its time is over`() throws {
        let scene = try WorkerScene(providers: ["a", "b"])
        let caller = try scene.ask("POST", "/v1/responses", body: Self.body)
        let provider = try scene.accept(0)
        try provider.beginStream()
        try provider.chunk(Self.created)
        try scene.pass(0)
        try scene.pass(2.9)
        #expect(caller.hearsNothing)
        try scene.pass(0.2)
        try scene.hear(caller, until: Self.created)
        try provider.chunk(Self.error)
        try provider.endStream()
        #expect(try scene.hear(caller, until: "\r\n0\r\n\r\n").contains(Self.error))
        let row = try #require(try scene.records().first)
        #expect((row.endState, row.problem, row.provider) == ("stream_error", "server_error", "a"))
        #expect(row.attempts == ["a 200 ok"])
    }

    // MARK: Pauses

    @Test func `after failures in a row another is asked, while one request finds out, and a success ends it`() throws {
        let scene = try WorkerScene(providers: ["a", "b"]) { $0.failover.breakerFailures = 3 }
        let (a, b) = (Connected(scene, 0), Connected(scene, 1))
        func ask() throws -> Caller { try scene.ask(body: #"{"model":"m"}"#) }
        func isAnsweredByB() throws {
            let caller = try ask()
            try b.reply(200, "b")
            #expect(try scene.hear(caller, until: "\r\n\r\nb").hasPrefix("HTTP/1.1 200 "))
        }
        for _ in 0..<3 {
            let caller = try ask()
            try a.reply(500, "broken")
            try b.reply(200, "b")
            try scene.hear(caller, until: "\r\n\r\nb")
        }
        // The first pause is a second.
        try scene.pass(0.9)
        try isAnsweredByB()
        #expect(a.hearsNothing)
        try scene.pass(0.2)
        let probe = try ask()
        #expect(!a.hearsNothing)
        for _ in 0..<3 { try isAnsweredByB() }
        try a.reply(200, "a")
        try scene.hear(probe, until: "\r\n\r\na")
        for _ in 0..<3 {
            let caller = try ask()
            try a.reply(200, "a")
            try scene.hear(caller, until: "\r\n\r\na")
        }
    }

    @Test func `one that fails when it is asked again is left alone for twice as long, up to breaker_pause`() throws {
        let scene = try WorkerScene(providers: ["a", "b"]) {
            $0.failover.breakerFailures = 1
            $0.failover.breakerPause = .seconds(3)
        }
        let (a, b) = (Connected(scene, 0), Connected(scene, 1))
        func ask(aFails: Bool) throws {
            let caller = try scene.ask(body: #"{"model":"m"}"#)
            if aFails { try a.reply(500, "broken") }
            try b.reply(200, "b")
            try scene.hear(caller, until: "\r\n\r\nb")
            #expect(a.hearsNothing)
        }
        try ask(aFails: true)
        for pause in [1, 2, 3, 3] {
            try scene.pass(Double(pause) - 0.1)
            try ask(aFails: false)
            try scene.pass(0.2)
            try ask(aFails: true)
        }
    }
}

/// A provider that answers over one connection, which it accepts when it is first asked.
private final class Connected {
    private let scene: WorkerScene
    private let provider: Int
    private var end: Caller?

    init(_ scene: WorkerScene, _ provider: Int) {
        self.scene = scene
        self.provider = provider
    }

    /// It has not been asked, as far as it has been connected to.
    var hearsNothing: Bool { end?.hearsNothing ?? true }

    /// Answers the next request.
    func reply(_ status: Int, _ body: String) throws {
        let end = try end ?? scene.accept(provider)
        self.end = end
        try scene.hear(end, until: #"{"model":"m"}"#)
        try end.reply(status, body)
        try scene.pass(0)
    }
}
