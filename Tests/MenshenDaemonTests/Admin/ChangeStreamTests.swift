// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
import Linux
import MenshenCore
import TestSupport
import Testing

@testable import MenshenDaemon

/// A browser is told that there is something else to see.
struct ChangeStreamTests {
    private static let page = "/_menshen/ui/changes"
    private static let gap = Double(ChangeStream.gap) / 1e6

    /// One who follows, and has heard that it does.
    private func follow(_ scene: WorkerScene) throws -> Caller {
        let reader = try scene.ask("GET", Self.page)
        let head = try scene.hear(reader, until: "\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 200 ") && head.contains("Content-Type: text/event-stream\r\n"))
        #expect(head.contains("Cache-Control: no-store\r\n") && head.contains("Transfer-Encoding: chunked\r\n"))
        if !head.contains("retry: ") { try scene.hear(reader, until: "retry: ") }
        return reader
    }

    @Test func `what begins and ends is told of, at most every two seconds, and otherwise nothing is said`() throws {
        let scene = try WorkerScene(providers: ["p"])
        let reader = try follow(scene)
        try scene.pass(Self.gap)
        #expect(reader.hearsNothing)
        let caller = try scene.ask(
            "POST", "/v1/chat/completions", ["Content-Type: application/json"], body: #"{"model":"a","messages":[]}"#)
        let provider = try scene.accept()
        #expect(reader.hearsNothing)
        try scene.pass(Self.gap)
        #expect(try scene.hear(reader, until: "\n\n").contains("event: changed\ndata: 1\n\n"))
        // It grows older, which is to be seen.
        try scene.pass(Self.gap / 2)
        #expect(reader.hearsNothing)
        try scene.pass(Self.gap / 2)
        #expect(try scene.hear(reader, until: "\n\n").contains("data: 1\n\n"))
        try scene.hear(provider, until: "messages")
        try provider.reply(200, "{}")
        _ = try scene.answer(to: caller)
        try scene.pass(Self.gap)
        #expect(try scene.hear(reader, until: "\n\n").contains("data: 0\n\n"))
        try scene.pass(Self.gap)
        #expect(reader.hearsNothing)
        // So that whoever is in between knows that it is still there.
        for _ in 0..<8 { try scene.pass(Self.gap) }
        #expect(try scene.hear(reader, until: "\n\n").contains(":\n\n"))
    }

    @Test func `so many and no more follow, none of them keeps menshen busy or leaves a row`() throws {
        let scene = try WorkerScene(providers: ["p"])
        let readers = try (0..<ChangeStream.limit).map { _ in try follow(scene) }
        #expect(scene.context.activity.connections == 0)
        let late = try scene.ask("GET", Self.page)
        let refusal = try scene.hear(late, until: "close one of them.")
        #expect(refusal.hasPrefix("HTTP/1.1 503 "))
        readers[0].wire.close()
        try scene.pass(0)
        _ = try follow(scene)
        #expect(try scene.ask("HEAD", Self.page).hearsNothing == false)
        #expect(try scene.records().isEmpty)
    }

    @Test func `menshen that stops says so, and does not wait for those who follow`() throws {
        let scene = try WorkerScene(providers: ["p"])
        let reader = try follow(scene)
        try scene.drain(within: 60)
        try scene.pass(0.2)
        #expect(try scene.hear(reader, until: "0\r\n\r\n").contains("event: stopped\ndata: 0\n\n"))
    }

    @Test func `a reader that has only finished sending is still told, one that has left is forgotten`() throws {
        let scene = try WorkerScene(providers: ["p"])
        let reader = try scene.call()
        try reader.ask("GET", Self.page)
        reader.wire.finishWriting()
        try scene.pass(0)
        try scene.hear(reader, until: "retry: ")
        reader.wire.close()
        try scene.pass(Self.gap)
        #expect(scene.context.activity.connections == 0)
    }

    @Test func `it is for those who see all, and ends with the configuration that let them in`() throws {
        let setting = Stage.Setting.with {
            $0.hasTCP = true
            $0.authentication = Stage.password
        }
        try Stage.run(setting) {
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.askTCP("GET", Self.page, []).status == 401)
            #expect(try stage.askTCP("GET", Self.page, ["Authorization: Bearer \(Stage.token)"]).status == 403)
            #expect(try stage.ask("POST", Self.page, body: "{}").status == 405)
            let reader = try RawClient(unix: stage.daemon.socketPath)
            try reader.request("GET", Self.page)
            #expect(try reader.head().status == 200)
            #expect(try reader.chunk().map { String(decoding: $0, as: UTF8.self) } == "retry: 3000\n\n")
            try stage.daemon.reload(Stage.configuration(setting, stage.upstream))
            #expect(try reader.chunk() == nil)
        }
    }

    @Test func `it exits when it is idle, however long somebody follows`() throws {
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
            let reader = try RawClient(unix: path)
            try reader.request("GET", Self.page)
            let answer = try reader.answer()
            #expect(answer.status == 200 && answer.text.hasSuffix("event: stopped\ndata: 0\n\n"))
            #expect(try stage.daemon.process.wait() == .code(0))
        }
    }
}
