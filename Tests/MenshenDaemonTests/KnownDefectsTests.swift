// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// The eight defects seen on the program that menshen replaces; each is a promise here.
struct KnownDefectsTests {
    @Test(arguments: [false, true])
    func `P1 usage of the Responses API passes unchanged, and is recorded`(isStreamed: Bool) throws {
        let usage = #""usage":{"input_tokens":11,"output_tokens":7,"total_tokens":18}"#
        let body =
            isStreamed
            ? "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\(usage)}}\n\n"
            : "{\"id\":\"r\",\(usage)}"
        try Stage.run { call in
            guard isStreamed else { return try call.reply(body: body) }
            try call.beginStream()
            try call.chunk(body)
            try call.endStream()
        } _: { stage throws in
            let answer = try stage.ask(
                "POST", "/responses", ["Content-Type: application/json"], body: "{\"stream\":\(isStreamed)}")
            #expect(answer.text == body)
            #expect(stage.upstream.requests.map(\.target) == ["/v1/responses"])
            let row = try #require(try stage.records().first)
            #expect((row.isStream, row.usageState) == (isStreamed, "reported"))
            #expect((row.inputTotal, row.outputTotal) == (11, 7))
        }
    }

    @Test func `P2 a caller's keys never reach the provider`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            _ = try stage.ask(
                "POST", "/v1/chat/completions", ["x-api-key: mine", "api-key: mine", "x-goog-api-key: mine"], body: "{}"
            )
            #expect(stage.upstream.requests.count == 1)
            #expect(stage.upstream.requests.first?.head.text.contains("mine") == false)
        }
    }

    @Test func `P3 a body is not touched: large numbers, order, spaces`() throws {
        let body = #"{ "stream":true, "seed":9007199254740993,"b":1.0,"a":1e2,  "model":"m", "model":"n" }"#
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            _ = try stage.ask("POST", "/v1/chat/completions", ["Content-Type: application/json"], body: body)
            // One member is spliced in, so that the stream reports its usage.
            let added = body.replacing(" }", with: #" ,"stream_options":{"include_usage":true}}"#)
            #expect(stage.upstream.requests.first?.text == added)
            #expect(try stage.records().first?.model == "n")
        }
    }

    @Test func `P4 a stream that breaks off does not end cleanly`() throws {
        try Stage.run { call in
            try call.beginStream()
            try call.chunk("data: {\"choices\":[]}\n\n")
            call.close()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("POST", "/v1/chat/completions", body: "{}")
            #expect(try caller.head().status == 200)
            #expect(throws: (any Error).self) { while try caller.chunk() != nil {} }
            let row = try stage.records().first
            #expect((row?.status, row?.endState) == (200, "truncated"))
        }
    }

    @Test(arguments: [
        "/v1/chat/completions", "/chat/completions", "/v1/v1/chat/completions", "/openai/v1/chat/completions",
    ])
    func `P5 a version on both sides is one version, and recorded`(path: String) throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.ask("POST", path, body: "{}").status == 200)
            #expect(stage.upstream.requests.map(\.target) == ["/v1/chat/completions"])
            #expect(try stage.records().count == 1)
        }
    }

    @Test func `P6 a web page cannot spend the key`() throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            try $0.reply()
        } _: { stage throws in
            let caller = try stage.tcpCaller()
            try caller.send(
                "POST /v1/chat/completions HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n"
                    + "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}")
            #expect(try caller.answer().status == 421)
            #expect(stage.upstream.connections == 0)
        }
    }

    @Test func `P7 an error of one provider while others are unreachable is an answer with a record`() throws {
        let dead = try FreePort.refusing()
        try Stage.run(
            .with {
                $0.provider = "[[providers]]\nname = \"dead\"\nbase_url = \"http://127.0.0.1:\(dead.number)/v1\""
                $0.tables = "[failover]\nbreaker_failures = 0"
            }
        ) {
            try $0.reply(500, body: "from upstream")
        } _: { stage throws in
            let first = try stage.ask("GET", "/openai/v1/models")
            #expect((first.status, first.text) == (500, "from upstream"))
            #expect(try stage.ask("GET", "/dead/v1/models").status == 502)
            // Whoever is asked first, the one answer that there is comes through.
            for _ in 0..<20 { #expect(try stage.ask().status == 500) }
            let rows = try stage.records()
            #expect(rows.count == 22)
            #expect(rows.allSatisfy { $0.attempts.count == 1 || $0.attempts.count == 2 })
        }
    }

    @Test func `P8 SIGHUP reloads`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            try stage.daemon.reload()
            #expect(try stage.ask().status == 200)
            #expect(try stage.daemon.stop() == .code(0))
        }
    }
}
