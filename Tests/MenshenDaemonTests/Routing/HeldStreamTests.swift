// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// The beginning of a stream is held while it may turn out to be an error that another provider would not give.
struct HeldStreamTests {
    private static let created =
        "data: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"usage\":{\"input_tokens\":99}}}\n\n"
    private static let error = "data: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"overloaded\"}\n\n"
    private static let good = [
        "data: {\"type\":\"response.created\",\"response\":{\"id\":\"g\"}}\n\n",
        "data: {\"type\":\"response.output_text.delta\",\"delta\":\"hello\"}\n\n",
        "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"g\",\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}}\n\n",
    ]
    private static let body = "{\"model\":\"m\",\"stream\":true}"

    private static func setting(_ tables: String = "") -> Stage.Setting {
        .with {
            $0.providers = [Stage.provider("a", leads: true), Stage.provider("b")]
            $0.tables = "[logging]\nlog_response_body = true\n" + tables
        }
    }

    private func reply(_ call: UpstreamCall, _ events: [String]) throws {
        try call.beginStream()
        for event in events { try call.chunk(event) }
        try call.endStream()
    }

    @Test(arguments: [[created, error], [created + error], [error], [created, ": ping\n\n", error]])
    func `an error event behind a preamble leads to the next provider, and nothing of the first is left`(
        events: [String]
    ) throws {
        try Stage.run(Self.setting()) { call in
            try reply(call, call.provider == "a" ? events : Self.good)
        } _: { stage throws in
            let answer = try stage.ask("POST", "/v1/responses", body: Self.body)
            #expect((answer.status, answer.text) == (200, Self.good.joined()))
            let row = try #require(try stage.records().first)
            #expect((row.status, row.endState, row.provider, row.problem) == (200, "complete", "b", nil))
            #expect(row.attempts == ["a 200 error_event", "b 200 ok"])
            #expect((row.inputTotal, row.outputTotal, row.usageState) == (3, 4, "reported"))
            #expect(row.bytesOut == Self.good.joined().utf8.count)
            #expect(try stage.daemon.bodies() == [Self.good.joined()])
        }
    }

    @Test func `many withdrawn streams on connections that are used again harm none that follows`() throws {
        try Stage.run(Self.setting("[failover]\nbreaker_failures = 0")) { call in
            try reply(call, call.provider == "a" ? [Self.created, Self.error] : Self.good)
        } _: { stage throws in
            for _ in 0..<20 {
                let callers = try (0..<8).map { _ in try stage.caller() }
                for caller in callers { try caller.request("POST", "/v1/responses", body: Self.body) }
                for caller in callers { #expect(try caller.answer(to: "POST").text == Self.good.joined()) }
            }
            let rows = try stage.records()
            #expect(rows.count == 160)
            #expect(rows.allSatisfy { $0.attempts == ["a 200 error_event", "b 200 ok"] && $0.endState == "complete" })
        }
    }

    @Test func `an error event counts as a failure of the provider`() throws {
        try Stage.run(Self.setting("[failover]\nbreaker_failures = 2\nbreaker_pause = \"60s\"")) { call in
            try reply(call, call.provider == "a" ? [Self.created, Self.error] : Self.good)
        } _: { stage throws in
            for _ in 0..<3 { #expect(try stage.ask("POST", "/v1/responses", body: Self.body).status == 200) }
            #expect(stage.upstream.requests.map(\.provider) == ["a", "b", "a", "b", "b"])
        }
    }

    @Test func `a stream is not held when nobody else could answer`() throws {
        let seen = try Signal()
        let setting = Stage.Setting.with {
            $0.providers = [Stage.provider("a")]
            $0.tables = "[failover]\nhold = \"30s\""
        }
        try Stage.run(setting) { call in
            try call.beginStream()
            try call.chunk(Self.created)
            try seen.wait("the first event at the caller")
            try call.chunk(Self.error)
            try call.endStream()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("POST", "/v1/responses", body: Self.body)
            #expect(try caller.head(to: "POST").status == 200)
            #expect(try caller.chunk() == Array(Self.created.utf8))
            seen.raise()
            #expect(try caller.chunk() == Array(Self.error.utf8))
            #expect(try caller.chunk() == nil)
            let row = try #require(try stage.records().first)
            #expect((row.endState, row.problem, row.provider) == ("stream_error", "server_error", "a"))
            #expect(row.attempts == ["a 200 ok"])
        }
    }

    @Test func `a preamble and pings are held, and go down unchanged with the first content`() throws {
        let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n"
        let ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n"
        let delta = "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"hi\"}}\n\n"
        let stop = "data: {\"type\":\"message_stop\"}\n\n"
        let seen = try Signal()
        let setting = Stage.Setting.with {
            $0.providers = ["a", "b"].map { Stage.provider($0, kind: "anthropic", leads: $0 == "a") }
            $0.tables = "[failover]\nhold = \"30s\""
        }
        try Stage.run(setting) { call in
            try call.beginStream()
            for event in [start, ping, delta] { try call.chunk(event) }
            for event in [ping, stop] {
                try seen.wait("what came before at the caller")
                try call.chunk(event)
            }
            try call.endStream()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("POST", "/v1/messages", body: Self.body)
            #expect(try caller.head(to: "POST").status == 200)
            var text = ""
            while text.utf8.count < (start + ping + delta).utf8.count {
                text += String(decoding: try #require(try caller.chunk()), as: UTF8.self)
            }
            #expect(text == start + ping + delta)
            seen.raise()
            #expect(try caller.chunk() == Array(ping.utf8))
            seen.raise()
            #expect(try caller.chunk() == Array(stop.utf8))
            #expect(try caller.chunk() == nil)
            #expect(try stage.records().first?.attempts == ["a 200 ok"])
        }
    }

    @Test func `a stream that breaks off behind its preamble leads to the next provider`() throws {
        try Stage.run(Self.setting()) { call in
            guard call.provider == "a" else { return try reply(call, Self.good) }
            try call.beginStream()
            try call.chunk(Self.created)
            call.close()
        } _: { stage throws in
            let caller = try stage.caller()
            // Pipelined: what was withdrawn must not shift the next answer.
            for _ in 0..<2 { try caller.request("POST", "/v1/responses", body: Self.body) }
            for _ in 0..<2 { #expect(try caller.answer(to: "POST").text == Self.good.joined()) }
            let rows = try stage.records()
            #expect(rows.map(\.attempts) == Array(repeating: ["a - truncated", "b 200 ok"], count: 2))
            #expect(rows.allSatisfy { $0.endState == "complete" && $0.inputTotal == 3 })
        }
    }

    @Test func `a caller that leaves while its stream is held is settled, and nobody else is asked`() throws {
        let begun = try Signal()
        let gone = try Signal()
        try Stage.run(Self.setting()) { call in
            try call.beginStream()
            try call.chunk(Self.created)
            begun.raise()
            try call.waitForEnd()
            gone.raise()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("POST", "/v1/responses", body: Self.body)
            try begun.wait()
            caller.wire.close()
            try gone.wait("the end upstream")
            let row = try #require(try stage.records().first)
            #expect(row.endState == "client_gone")
            #expect(row.attempts.count == 1 && row.attempts[0].hasSuffix("client_gone"))
            #expect(stage.upstream.requests.map(\.provider) == ["a"])
        }
    }
}
