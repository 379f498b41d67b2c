// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct PlainAnswerTests {
    @Test func `a plain answer passes as it came, and its record carries its id`() throws {
        try Stage.run { call in
            try call.reply(201, ["Content-Type: application/json", "X-Odd: a  b", "x-odd: c"], body: #"{"a": 1 }"#)
        } _: { stage throws in
            let answer = try stage.ask(
                "POST", "/v1/chat/completions", ["Content-Type: application/json"], body: #"{"model":"m-1"}"#)
            #expect(answer.head.startLine == "HTTP/1.1 201 Some Reason")
            #expect(answer.text == #"{"a": 1 }"#)
            #expect(answer.head.all("x-odd") == ["a  b", "c"])
            #expect(answer["Connection"] == nil)
            let row = try #require(try stage.records().first)
            #expect(answer["x-menshen-request-id"] == row.textID)
            #expect((row.method, row.path) == ("POST", "/v1/chat/completions"))
            #expect((row.provider, row.model) == ("openai", "m-1"))
            #expect((row.status, row.endState) == (201, "complete"))
            #expect((row.bytesIn, row.bytesOut) == (15, 9))
            #expect(row.attempts == ["openai 201 ok"])
        }
    }

    @Test func `the path goes upstream byte for byte`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            let target = "/v1/a%2Fb/c%20d;e=f/g?x=1&y=%20&z&=&x=1+2"
            _ = try stage.ask("GET", target)
            #expect(stage.upstream.requests.first?.target == target)
        }
    }

    /// What Claude Code asks of a gateway, and the SDKs' own.
    @Test func `every header that is no credential passes, up and down`() throws {
        let up = [
            "anthropic-version: 2023-06-01", "anthropic-beta: a-2025-01-01,b-2026-02-02", "anthropic-beta: c-1",
            "anthropic-workspace-id: w", "anthropic-new-thing: 1", "x-claude-code-session-id: s",
            "x-claude-code-agent-id: a",
            "x-claude-code-parent-agent-id: p", "X-Stainless-Retry-Count: 2", "OpenAI-Beta: realtime=v1",
            "x-goog-api-client: c", "X-Amzn-Bedrock-Trace: ENABLED", "Idempotency-Key: i", "User-Agent: me/1",
            "Accept: text/event-stream", "accept-encoding: gzip, br", "X-Client-Request-Id: r",
        ]
        let down = [
            "retry-after: 30", "retry-after-ms: 30000", "x-should-retry: false", "request-id: req_1", "x-request-id: r",
            "anthropic-ratelimit-unified-status: allowed_warning", "anthropic-ratelimit-unified-5h-reset: 1790000000",
            "anthropic-organization-id: o", "openai-processing-ms: 12", "x-ratelimit-limit-tokens: 5",
            "apim-request-id: q", "Set-Cookie: a=b", "cf-ray: c", "Content-Type: application/json; charset=utf-8",
        ]
        for kind in ["anthropic", "openai"] {
            try Stage.run(.with { $0.kind = kind }) {
                try $0.reply(429, down, body: "{}")
            } _: { stage throws in
                let answer = try stage.ask(
                    "POST", "/v1/messages?beta=true", up + ["Content-Type: application/json"], body: "{}")
                let request = try #require(stage.upstream.requests.first)
                #expect(request.target == "/v1/messages?beta=true")
                #expect(up.filter { !request.head.text.contains("\r\n\($0)\r\n") } == [])
                #expect(down.filter { !answer.head.text.contains("\r\n\($0)\r\n") } == [])
                #expect(answer.problem == nil)
            }
        }
    }

    @Test func `nothing is added to a request but host, length and key`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            _ = try stage.ask("POST", "/v1/x", ["X-One: 1"], body: "{}")
            _ = try stage.ask("GET", "/v1/x")
            let requests = stage.upstream.requests
            #expect(Set(requests[0].head.names) == ["host", "x-one", "content-length", "authorization"])
            #expect(requests[0].head.names.count == 4)
            #expect(Set(requests[1].head.names) == ["host", "authorization"])
            #expect(requests[0]["Host"] == "127.0.0.1:\(stage.upstream.port)")
        }
    }

    @Test func `a field with an empty value stays empty`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            _ = try stage.ask("GET", "/v1/x", ["X-Empty:", "X-Last: 1"])
            let request = try #require(stage.upstream.requests.first)
            #expect(request["X-Empty"] == "")
            #expect(request["X-Last"] == "1")
        }
    }

    @Test func `fields of the connection stay behind, the caller's and those it declares`() throws {
        try Stage.run {
            try $0.reply(
                200,
                [
                    "Connection: X-Hop, keep-alive", "X-Hop: 1", "Keep-Alive: timeout=5", "X-End: 1",
                    "Proxy-Authenticate: Basic",
                ])
        } _: { stage throws in
            let answer = try stage.ask(
                "GET", "/v1/x",
                ["Connection: keep-alive, X-Mine", "X-Mine: 1", "TE: trailers", "Upgrade: h2c", "X-Menshen-Y: 1"])
            let request = try #require(stage.upstream.requests.first)
            for name in ["X-Mine", "TE", "Upgrade", "Connection", "X-Menshen-Y"] {
                #expect(request[name] == nil, "\(name)")
            }
            for name in ["X-Hop", "Keep-Alive", "Proxy-Authenticate"] { #expect(answer[name] == nil, "\(name)") }
            #expect(answer["X-End"] == "1")
        }
    }

    @Test func `a compressed body passes untouched with its Content-Encoding`() throws {
        let bytes: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0xFF, 0, 13, 10, 7]
        try Stage.run { call in
            try call.send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: \(bytes.count)\r\n\r\n")
            try call.send(bytes)
        } _: { stage throws in
            let answer = try stage.ask("GET", "/v1/x", ["Accept-Encoding: gzip, br"])
            #expect(answer.body == bytes)
            #expect(answer["Content-Encoding"] == "gzip")
            #expect(stage.upstream.requests.first?["Accept-Encoding"] == "gzip, br")
        }
    }

    @Test func `a redirect is passed on, not followed`() throws {
        try Stage.run {
            try $0.reply(307, ["Location: http://127.0.0.1:1/elsewhere"], body: "")
        } _: { stage throws in
            let answer = try stage.ask("POST", "/v1/x", body: "{}")
            #expect(answer.status == 307)
            #expect(answer["Location"] == "http://127.0.0.1:1/elsewhere")
            #expect(stage.upstream.requests.count == 1)
        }
    }

    @Test(arguments: [400, 401, 404, 429, 500, 503, 529])
    func `a provider's own error passes unchanged`(status: Int) throws {
        let body = #"{"error":{"message":"from upstream"}}"#
        try Stage.run {
            try $0.reply(
                status, ["Content-Type: application/json", "retry-after: 7", "x-should-retry: true"], body: body)
        } _: { stage throws in
            let answer = try stage.ask()
            #expect((answer.status, answer.text) == (status, body))
            #expect(answer.problem == nil)
            #expect(answer["retry-after"] == "7")
            #expect(answer["x-should-retry"] == "true")
            let row = try stage.records().first
            #expect((row?.status, row?.endState) == (status, "complete"))
        }
    }

    @Test func `two requests use one connection to the provider`() throws {
        try Stage.run {
            try $0.reply(body: "\($0.connection).\($0.number)")
        } _: { stage throws in
            let answers = [try stage.ask(), try stage.ask()]
            #expect(answers.map(\.text) == ["0.0", "0.1"])
            #expect(stage.upstream.connections == 1)
        }
    }

    @Test func `a kept connection that the provider has closed is replaced`() throws {
        let closed = try Signal()
        try Stage.run { call in
            try call.reply()
            if call.connection == 0 {
                call.close()
                closed.raise()
            }
        } _: { stage throws in
            #expect(try stage.ask().status == 200)
            try closed.wait()
            #expect(try stage.ask("POST", "/v1/x", body: "{}").status == 200)
            #expect(stage.upstream.connections == 2)
        }
    }

    @Test func `sixty-four callers at once each get their own answer`() throws {
        let arrived = try Signal()
        let go = try Signal()
        try Stage.run { call in
            arrived.raise()
            try go.wait()
            try call.reply(body: call.request.target)
        } _: { stage throws in
            let callers = try (0..<64).map { number in
                let caller = try stage.caller()
                try caller.request("GET", "/v1/caller/\(number)")
                return caller
            }
            for _ in callers { try arrived.wait() }
            for _ in callers { go.raise() }
            for (number, caller) in callers.enumerated() { #expect(try caller.answer().text == "/v1/caller/\(number)") }
            let rows = try stage.records()
            #expect(rows.count == 64)
            #expect(Set(rows.map(\.textID)).count == 64)
            #expect(rows.allSatisfy { $0.endState == "complete" })
        }
    }

    @Test func `a burst's connections to the provider serve the next burst`() throws {
        let go = try Signal()
        let arrived = try Signal()
        try Stage.run { call in
            arrived.raise()
            try go.wait()
            try call.reply(body: "\(call.connection)")
        } _: { stage throws in
            func burst() throws -> Set<String> {
                let callers = try (0..<20).map { _ in
                    let caller = try stage.caller()
                    try caller.request("GET", "/v1/models")
                    return caller
                }
                for _ in callers { try arrived.wait() }
                for _ in callers { go.raise() }
                return Set(try callers.map { try $0.answer().text })
            }
            let first = try burst()
            #expect(first.count == 20)
            // One request alone: a quiet moment, at which libcurl by itself would close all but four of them.
            try [stage.caller()].forEach {
                try $0.request("GET", "/v1/models")
                try arrived.wait()
                go.raise()
                #expect(first.contains(try $0.answer().text))
            }
            #expect(try burst() == first)
        }
    }
}
