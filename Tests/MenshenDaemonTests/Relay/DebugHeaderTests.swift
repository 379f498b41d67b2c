// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// `server.debug_headers`.
struct DebugHeaderTests {
    private static let path = "/v1/chat/completions"
    private static let server = "[server]\ndebug_headers = true\n"
    private static let lying = [
        "Content-Type: application/json", "x-menshen-provider: liar", "X-Menshen-Attempts: 99", "x-menshen-cost: 1",
        "Server-Timing: queue;dur=5, theirs;dur=1",
    ]

    private static func setting(_ tables: String = server, _ names: [String] = ["a", "b"]) -> Stage.Setting {
        .with {
            $0.providers = names.map { Stage.provider($0, leads: $0 == "a") }
            $0.tables = tables
        }
    }

    /// The parts of Server-Timing, without their numbers.
    private static func parts(_ answer: MessageHead) -> [String] {
        let lines = answer.all("Server-Timing")
        #expect(lines.count == 1, "\(lines)")
        return lines.joined().split(separator: ", ").map { part in
            let words = part.split(separator: ";")
            #expect(words.count > 1 && words[1].hasPrefix("dur=") && words[1].contains("."), "\(part)")
            return words.enumerated().filter { $0.offset != 1 }.map { String($0.element) }.joined(separator: ";")
        }
    }

    @Test func `an answer says whose it is, after how many attempts and when, and nobody says it in our place`() throws
    {
        try Stage.run(Self.setting()) { call in
            if call.request.text.contains("fail"), call.provider == "a" { return try call.reply(500, Self.lying) }
            try call.reply(200, Self.lying, body: "{}")
        } _: { stage throws in
            let plain = try stage.ask("POST", Self.path, body: "{}")
            #expect(plain.head.all("x-menshen-provider") == ["a"] && plain.head.all("x-menshen-attempts") == ["1"])
            #expect(plain.head.all("x-menshen-cost").isEmpty, "what it costs stands in a body that is still to come")
            #expect(Self.parts(plain.head) == ["queue", "attempts;desc=\"0\"", "provider", "first_byte"])
            let second = try stage.ask("POST", Self.path, body: #"{"model":"fail"}"#)
            #expect(second["x-menshen-provider"] == "b" && second["x-menshen-attempts"] == "2")
            #expect(Self.parts(second.head) == ["queue", "attempts;desc=\"1\"", "provider", "first_byte"])
            #expect(try stage.records().map { ($0.provider ?? "") + "\($0.attempts.count)" } == ["a1", "b2"])
        }
    }

    @Test func `an answer that was kept back, and menshen's own, tell what was tried before`() throws {
        let setting = Stage.Setting.with {
            $0.tables = Self.server
            // Nobody listens at the second.
            $0.providers = [Stage.provider("a", leads: true), Stage.provider("b", base: "http://127.0.0.1:1")]
        }
        try Stage.run(setting) { call in
            if call.request.text.contains("gone") { return call.reset() }
            try call.reply(500, Self.lying)
        } _: { stage throws in
            let kept = try stage.ask("POST", Self.path, body: "{}")
            #expect(kept.status == 500 && kept.problem == nil)
            #expect(kept["x-menshen-attempts"] == "2" && kept["x-menshen-cost"] == "0")
            #expect(Self.parts(kept.head) == ["queue", "attempts;desc=\"2\"", "first_byte"])
            let own = try stage.ask("POST", Self.path, body: #"{"model":"gone"}"#)
            #expect(own.status == 502 && own["x-menshen-provider"] == "b" && own["x-menshen-attempts"] == "2")
            #expect(own["x-menshen-cost"] == nil, "a provider that broke off may have worked")
            #expect(try stage.ask("GET", "/_menshen/health")["Server-Timing"] == nil)
        }
    }

    @Test func `strangers hear nothing of it, and without the key nobody does`() throws {
        var setting = Self.setting()
        setting.hasTCP = true
        try Stage.run(setting) {
            try $0.reply(200, Self.lying, body: "{}")
        } _: { stage throws in
            let stranger = try stage.askTCP("POST", Self.path, ["Authorization: Bearer wrong"], body: "{}")
            #expect(stranger.status == 401 && stranger["x-menshen-attempts"] == nil)
            #expect(stranger["Server-Timing"] == nil)
        }
        try Stage.run(Self.setting("")) {
            try $0.reply(200, Self.lying, body: "{}")
        } _: { stage throws in
            let answer = try stage.ask("POST", Self.path, body: "{}")
            #expect(answer["x-menshen-provider"] == nil && answer["x-menshen-attempts"] == nil)
            #expect(answer.head.all("Server-Timing") == ["queue;dur=5, theirs;dur=1"], "relayed as it came")
        }
    }

    @Test func `a stored answer was asked of nobody and costs nothing`() throws {
        try Stage.run(Self.setting(Self.server + "[cache]\nenable = true\nmax_age = \"1h\"\n", ["a"])) {
            try $0.reply(
                200, Self.lying,
                body: #"{"model":"m","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":7}}"#)
        } _: { stage throws in
            let body = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#
            let fields = ["Content-Type: application/json"]
            #expect(try stage.ask("POST", Self.path, fields, body: body)["X-Cache"] == "MISS")
            let hit = try stage.ask("POST", Self.path, fields, body: body)
            #expect(hit["X-Cache"] == "HIT" && hit["x-menshen-attempts"] == "0" && hit["x-menshen-cost"] == "0")
            #expect(hit["x-menshen-provider"] == nil)
            #expect(Self.parts(hit.head) == ["queue", "attempts;desc=\"0\"", "first_byte"])
        }
    }

    @Test func `a WebSocket's head tells it too`() throws {
        try Stage.run(.with { $0.tables = Self.server }) { call in
            try call.acceptWebSocket("x-menshen-provider: liar\r\n")
            _ = try call.wire.readFrame(masked: true)
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.askForWebSocket("/v1/realtime?model=gpt-realtime", [])
            let head = try caller.webSocketHead()
            #expect(head.all("x-menshen-provider") == ["openai"] && head["x-menshen-attempts"] == "1")
            #expect(Self.parts(head) == ["queue", "attempts;desc=\"0\"", "provider", "first_byte"])
            try caller.wire.write(.goodbye, masked: true)
        }
    }

    @Test func `a wait for a place at the provider is told`() throws {
        let begun = try Signal()
        let setting = Stage.Setting.with {
            $0.tables = Self.server
            $0.provider = "max_concurrent = 1"
        }
        try Stage.run(setting) { call in
            if call.request.text.contains("first") {
                begun.raise()
                try call.beginStream()
                try call.chunk("data: 1\n\n")
                // Until the second waits, which the pages tell.
                try call.waitForEnd()
                return
            }
            try call.reply(body: "{}")
        } _: { stage throws in
            let first = try stage.caller()
            try first.request("POST", Self.path, body: #"{"model":"first"}"#)
            try begun.wait()
            _ = try first.head(to: "POST")
            let second = try stage.caller()
            try second.request("POST", Self.path, body: #"{"model":"second"}"#)
            // On another connection, so that it is queued by then.
            for _ in 0..<5 { _ = try stage.ask("GET", "/_menshen/health") }
            first.wire.close()
            let answer = try second.answer(to: "POST")
            let timing = try #require(answer["Server-Timing"])
            #expect(timing.hasPrefix("queue;dur=") && !timing.hasPrefix("queue;dur=0.0"), "\(timing)")
        }
    }
}
