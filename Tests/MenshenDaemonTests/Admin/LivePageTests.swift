// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
import Linux
import MenshenCore
import TestSupport
import Testing

@testable import MenshenDaemon

/// What goes on, as `menshen top` is told.
struct LivePageTests {
    private static let page = "GET /_menshen/live HTTP/1.1\r\nHost: a\r\n\r\n"

    private static func configuration(
        _ upstream: FakeUpstream, _ change: (inout Configuration) -> Void = { _ in }
    ) throws -> Configuration {
        var configuration = Configuration()
        let url = try #require(BaseURL(upstream.baseURL + "/v1"))
        configuration.providers = [
            Provider(name: "p", kind: .openai, baseURL: url, key: .inline(Secret("sk-key-1")))
        ]
        change(&configuration)
        return configuration
    }

    /// A request for a chat, as far as all of them go by themselves.
    private func ask(_ scenes: [WorkerScene], _ worker: Int, _ fields: String, _ more: [String] = []) throws -> Caller {
        let caller = try scenes[worker].call()
        let body = "{\(fields)\"messages\":[]}"
        try caller.ask("POST", "/v1/chat/completions", ["Content-Type: application/json"] + more, body: body)
        for _ in 0..<5 { for scene in scenes { try scene.turn() } }
        return caller
    }

    /// What the page says at a worker once that is so.
    private func look(_ scenes: [WorkerScene], _ worker: Int = 0, until isSo: (String) -> Bool) throws -> String {
        let end = Clock.monotonic() + UInt64(Signal.patience) * 1000
        let caller = try scenes[worker].call()
        while Clock.monotonic() < end {
            try caller.wire.write(Self.page)
            repeat { for scene in scenes { try scene.turn() } } while caller.hearsNothing
            let text = String(decoding: try caller.wire.read(), as: UTF8.self)
            if isSo(text) { return text }
        }
        throw TestFailure("it did not become so")
    }

    /// The value of a member of the requests, in their order.
    private func values(_ name: String, _ page: String) -> [String] {
        guard let part = page.split(separator: "\"requests\":[").last?.split(separator: "\"providers\":").first else {
            return []
        }
        return part.split(separator: "\"\(name)\":").dropFirst().map { String($0.prefix { $0 != "," && $0 != "}" }) }
    }

    @Test func `requests of all workers are there, the oldest first, with their state and what has come`() throws {
        let over = try Signal()
        let upstream = try FakeUpstream { call in
            try call.beginStream()
            for _ in 0..<40 { try call.chunk("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n") }
            try over.wait("the test's end")
            call.close()
        }
        let scenes = try WorkerScene.several(
            3, try Self.configuration(upstream) { $0.providers[0].maxConcurrent = 1 })
        let first = try ask(scenes, 1, #""model":"gpt-\u001b[2J","stream":true,"#, ["User-Agent: curl/8"])
        _ = try look(scenes, 1) { values("state", $0) == ["\"streaming\""] }
        let second = try ask(scenes, 2, #""model":"b","#)
        let page = try look(scenes) {
            values("state", $0) == ["\"streaming\"", "\"queued\""] && values("output_tokens_least", $0)[0] == "24"
        }
        #expect(page.contains("\"requests_open\":2,"))
        #expect(page.contains("\"active\":1,\"places\":1,\"queued\":1,"))
        #expect(page.contains("\"health\":\"fine\""))
        #expect(page.contains("\"timezone\":") && page.contains("\"limits\":[]"))
        #expect(values("model", page) == [#""gpt-\u001b[2J""#, "\"b\""])
        #expect(values("client", page) == ["\"curl\"", "null"])
        #expect(values("provider", page) == ["\"p\"", "\"p\""])
        #expect(values("uid", page) == ["\(getuid())", "\(getuid())"])
        #expect(values("stream", page)[0] == "true" && values("status", page) == ["200", "null"])
        #expect(values("output_tokens_least", page)[1] == "null")
        #expect(values("bytes_out", page)[1] == "0" && Int(values("bytes_out", page)[0]) ?? 0 > 40 * 40)
        #expect(!page.contains("sk-key-1"))
        over.raise()
        first.wire.close()
        second.wire.close()
        let after = try look(scenes) { $0.contains("\"requests_open\":0,") }
        #expect(after.contains("\"requests_ended\":2,") && after.contains("\"requests\":[]"))
        over.raise()
        try upstream.stop()
    }

    @Test func `more than are listed are counted, and the oldest are those that are listed`() throws {
        let upstream = try FakeUpstream { try $0.waitForEnd() }
        let scenes = try WorkerScene.several(2, try Self.configuration(upstream))
        var callers: [Caller] = []
        for name in ["a", "b", "c", "d"] {
            callers.append(try ask(scenes, callers.count % 2, "\"model\":\"\(name)\","))
        }
        for _ in callers { _ = try look(scenes) { $0.contains("\"requests_open\":4,") } }
        var all = scenes[1].openRequests(limit: 1)
        #expect(all.count == 2 && all.oldest.map(\.model) == ["b"])
        all.merge(scenes[0].openRequests(limit: 2), limit: 2)
        #expect(all.count == 4 && all.oldest.map(\.model) == ["a", "b"])
        for caller in callers { caller.wire.close() }
        _ = try look(scenes) { $0.contains("\"requests_open\":0,") }
        try upstream.stop()
    }

    @Test func `whoever only looks on does not count as busy, until it asks for something else`() throws {
        let scene = try WorkerScene(providers: ["p"])
        let caller = try scene.call()
        #expect(scene.context.activity.connections == 1)
        for _ in 0..<2 {
            try caller.wire.write(Self.page)
            #expect(try scene.answer(to: caller).hasPrefix("HTTP/1.1 200 "))
            #expect(scene.context.activity.connections == 0)
        }
        try caller.ask("GET", "/_menshen/health")
        _ = try scene.answer(to: caller)
        #expect(scene.context.activity.connections == 1)
        try caller.wire.write(Self.page)
        _ = try scene.answer(to: caller)
        caller.wire.close()
        try scene.pass(1)
        #expect(scene.context.activity.connections == 0)
    }

    @Test func `it exits when it is idle, however long somebody looks on`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("systemd.sock")
        let unix = try FreePort.listener(unix: path)
        defer { close(unix) }
        let setting = Stage.Setting.with {
            $0.daemon.socket = nil
            $0.daemon.inherited = [unix]
            $0.tables = "[server]\nidle_exit = \"300ms\""
        }
        try Stage.run(setting, in: directory) {
            try $0.reply()
        } _: { stage throws in
            let caller = try RawClient(unix: path)
            try caller.request("GET", "/_menshen/live")
            #expect(try caller.answer().status == 200)
            #expect(try stage.daemon.process.wait() == .code(0))
            #expect(try caller.isClosedCleanly())
        }
    }

    @Test func `it is the owner's, on the Unix socket and without a token, and leaves no row`() throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            try $0.reply()
        } _: { stage throws in
            let answer = try stage.ask("GET", "/_menshen/live")
            #expect((answer.status, answer["Content-Type"]) == (200, "application/json"))
            #expect(answer.text.hasPrefix(#"{"schema":"menshen.live.v1","version":""#))
            #expect(!answer.text.contains(Stage.key) && !answer.text.contains(Stage.token))
            #expect(try stage.askTCP("GET", "/_menshen/live").status == 404)
            #expect(
                try stage.ask("GET", "/_menshen/live", ["Authorization: Bearer \(Stage.token)"]).status == 403)
            #expect(try stage.ask("GET", "/_menshen/live", ["Origin: http://a.example"]).status == 403)
            #expect(try stage.ask("POST", "/_menshen/live", body: "{}").status == 405)
            #expect(try stage.records().allSatisfy { $0.status != 200 })
        }
    }
}
