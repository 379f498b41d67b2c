// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// What one try leaves behind must not change the next one, and nobody waits for what does not come.
struct RoutingEdgeTests {
    private static let created = "data: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n"
    private static let good = [
        "data: {\"type\":\"response.output_text.delta\",\"delta\":\"hello\"}\n\n",
        "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"g\"}}\n\n",
    ]
    private static let body = "{\"model\":\"m\",\"stream\":true}"

    /// Two providers, the first of which, "openai", is asked first; their requests come under /a and /b.
    private static func two(_ tables: String = "", first: String = "", second: String = "") -> Stage.Setting {
        .with {
            $0.basePath = "/a/v1"
            $0.tables = tables
            $0.provider = """
                weight = 1000000
                \(first)
                [[providers]]
                name = "b"
                kind = "openai"
                base_url = "UPSTREAM/b/v1"
                api_key = "sk-second-key"
                \(second)
                """
        }
    }

    private func isFirst(_ call: UpstreamCall) -> Bool { call.request.target.hasPrefix("/a/") }

    private func stream(_ call: UpstreamCall, _ events: [String]) throws {
        try call.beginStream()
        for event in events { try call.chunk(event) }
        try call.endStream()
    }

    /// Returns when the daemon has taken up all that was sent to it before.
    private func settle(_ stage: Stage) throws {
        for _ in 0..<2 { _ = try stage.ask("GET", "/_menshen/status") }
    }

    @Test func `the usage chunk that a provider gives by itself is kept after a try whose chunk goes`() throws {
        let events = [
            "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n",
            "data: [DONE]\n\n",
        ]
        let setting = Self.two(first: "strip_added_usage = true", second: "include_usage = false")
        try Stage.run(setting) { call in
            if isFirst(call) { return call.close() }
            try stream(call, events)
        } _: { stage throws in
            let answer = try stage.ask("POST", "/v1/chat/completions", body: Self.body)
            #expect(answer.text == events.joined())
        }
    }

    @Test(arguments: ["", "data: {\"type\":\"error\",\"code\":\"server_error\"}\n\n"])
    func `a held stream that comes to nothing counts as a failure of its provider`(event: String) throws {
        let setting = Self.two("[failover]\nbreaker_failures = 2\nbreaker_pause = \"60s\"")
        try Stage.run(setting) { call in
            guard isFirst(call) else { return try stream(call, [Self.created] + Self.good) }
            try call.beginStream()
            try call.chunk(Self.created + event)
            call.close()
        } _: { stage throws in
            for _ in 0..<3 { #expect(try stage.ask("POST", "/v1/responses", body: Self.body).status == 200) }
            #expect(stage.upstream.requests.map { $0.target.prefix(2) } == ["/a", "/b", "/a", "/b", "/b"])
        }
    }

    @Test func `a preamble that fills the output does not stop the stream`() throws {
        let size = 256 << 10
        let (begin, end) = ("data: {\"type\":\"response.created\",\"response\":{\"instructions\":\"", "\"}}\n\n")
        let preamble = begin + String(repeating: "x", count: size - begin.utf8.count - end.utf8.count) + end
        try Stage.run(Self.two("[failover]\nhold = \"60s\"")) { call in
            try stream(call, [preamble] + Self.good)
        } _: { stage throws in
            let answer = try stage.ask("POST", "/v1/responses", body: Self.body)
            #expect(answer.body.count == size + Self.good.joined().utf8.count)
        }
    }

    @Test func `one that is refused at once waits for its place at the next provider, and gets it`() throws {
        let begun = try Signal()
        let go = try Signal()
        var setting = Self.two(second: "max_concurrent = 1")
        setting.baseURL = "unix:///nonexistent/menshen-test.sock:"
        try Stage.run(setting) { call in
            if call.request.text.contains("first") {
                begun.raise()
                try go.wait("the second")
            }
            try call.reply()
        } _: { stage throws in
            let first = try stage.caller()
            try first.request("POST", "/b/v1/chat/completions", body: "{\"model\":\"first\"}")
            try begun.wait("the first")
            let second = try stage.caller()
            try second.request("POST", "/v1/chat/completions", body: "{\"model\":\"second\"}")
            try settle(stage)
            go.raise()
            #expect(try first.answer(to: "POST").status == 200)
            #expect(try second.answer(to: "POST").status == 200)
        }
    }

    @Test func `what a large body says last is recorded also when it came while its request had no place yet`() throws {
        let begun = try Signal()
        let go = try Signal()
        let text = String(repeating: "x", count: (2 << 20) + (100 << 10))
        try Stage.run(.with { $0.provider = "max_concurrent = 1" }) { call in
            if call.request.body.count < 100 {
                begun.raise()
                try go.wait("the second")
            }
            try call.reply()
        } _: { stage throws in
            let first = try stage.caller()
            try first.request("POST", "/v1/chat/completions", body: "{\"model\":\"m\"}")
            try begun.wait("the first")
            let second = try stage.caller()
            try second.request(
                "POST", "/v1/chat/completions", body: "{\"model\":\"m\",\"text\":\"\(text)\",\"user\":\"somebody\"}")
            try settle(stage)
            go.raise()
            for caller in [first, second] { #expect(try caller.answer(to: "POST").status == 200) }
            #expect(try stage.records().contains { $0.endUser == "somebody" })
        }
    }

    @Test func `a reload that brings another key forgets what was asked of the old one`() throws {
        try Stage.run(Stage.Setting()) { call in
            guard call.request["Authorization"] == "Bearer \(Stage.key)" else { return try call.reply() }
            try call.reply(429, ["Retry-After: 3600"])
        } _: { stage throws in
            #expect(try stage.ask("POST", "/v1/chat/completions", body: "{\"model\":\"m\"}").problem == nil)
            let paused = try stage.ask("POST", "/v1/chat/completions", body: "{\"model\":\"m\"}")
            #expect((paused.status, paused.problem) == (429, "provider_paused"))
            try stage.daemon.reload()
            #expect(try stage.ask("POST", "/v1/chat/completions", body: "{\"model\":\"m\"}").status == 429)
            try stage.daemon.reload(Stage.configuration(.with { $0.key = "api_key = \"sk-new-key\"" }, stage.upstream))
            #expect(try stage.ask("POST", "/v1/chat/completions", body: "{\"model\":\"m\"}").status == 200)
        }
    }

    @Test func `a limit that a reload brings leaves every worker a place`() throws {
        let setting = Stage.Setting.with {
            $0.tables = "[server]\nworkers = 4"
            $0.provider = "queue_timeout = \"1s\""
        }
        try Stage.run(setting) { call in
            try call.reply()
        } _: { stage throws in
            var reloaded = setting
            reloaded.tables = ""
            reloaded.provider += "\nmax_concurrent = 1"
            try stage.daemon.reload(Stage.configuration(reloaded, stage.upstream))
            let callers = try (0..<40).map { _ in try stage.caller() }
            for caller in callers { try caller.request("POST", "/v1/chat/completions", body: "{}") }
            for caller in callers { #expect(try caller.answer(to: "POST").status == 200) }
        }
    }

    @Test func `what a try that broke off has cost is not known, whatever the next provider says`() throws {
        try Stage.run(Self.two()) { call in
            if isFirst(call) { return call.close() }
            try call.reply(503)
        } _: { stage throws in
            #expect(try stage.ask("POST", "/v1/chat/completions", body: "{\"model\":\"m\"}").status == 503)
            let row = try #require(try stage.records().first)
            #expect(row.attempts == ["openai - reset", "b 503 server_error"])
            #expect(row.usageState == "unknown")
        }
    }

    @Test func `one that waited for its place goes with a key that is not limited by then`() throws {
        let begun = try Signal()
        let go = try Signal()
        let setting = Stage.Setting.with {
            $0.key = "api_keys = [\"sk-key-one\", \"sk-key-two\"]"
            $0.provider = "max_concurrent = 1"
        }
        try Stage.run(setting) { call in
            guard call.request["Authorization"] == "Bearer sk-key-one" else { return try call.reply() }
            begun.raise()
            try go.wait("the second")
            try call.reply(429, ["Retry-After: 60"])
        } _: { stage throws in
            let callers = try (0..<2).map { _ in try stage.caller() }
            try callers[0].request("POST", "/v1/chat/completions", body: "{\"model\":\"m\"}")
            try begun.wait("the first")
            try callers[1].request("POST", "/v1/chat/completions", body: "{\"model\":\"m\"}")
            try settle(stage)
            go.raise()
            // A third call with the first key would wait for a signal that nobody gives.
            for caller in callers { #expect(try caller.answer(to: "POST").status == 200) }
            #expect(stage.upstream.requests.count == 3)
        }
    }

    @Test func `a model's name does not reach the terminal of who asks for the status as it is`() throws {
        try Stage.run(Stage.Setting()) { call in
            try call.reply(429, ["Retry-After: 60"])
        } _: { stage throws in
            _ = try stage.ask("POST", "/v1/chat/completions", body: "{\"model\":\"m\\u001b]0;x\\u0007\\n\"}")
            let status = try stage.ask("GET", "/_menshen/status", ["Accept: text/plain"]).text
            #expect(status.contains("m?]0;x??"))
            #expect(!status.contains("\u{1b}"))
        }
    }

    @Test func `one that finds a full queue waits at the next provider`() throws {
        let begun = try Signal()
        let go = try Signal()
        let setting = Self.two(first: "max_concurrent = 1\nmax_queued = 0", second: "max_concurrent = 1")
        try Stage.run(setting) { call in
            if call.request.text.contains("early") {
                begun.raise()
                try go.wait("the third")
            }
            try call.reply()
        } _: { stage throws in
            let callers = try (0..<3).map { _ in try stage.caller() }
            for caller in callers[..<2] {
                try caller.request("POST", "/v1/chat/completions", body: "{\"model\":\"early\"}")
                try begun.wait("one that takes a place")
            }
            try callers[2].request("POST", "/v1/chat/completions", body: "{\"model\":\"late\"}")
            try settle(stage)
            go.raise()
            go.raise()
            for caller in callers { #expect(try caller.answer(to: "POST").status == 200) }
            #expect(stage.upstream.requests.map { $0.target.prefix(2) } == ["/a", "/b", "/b"])
        }
    }
}
