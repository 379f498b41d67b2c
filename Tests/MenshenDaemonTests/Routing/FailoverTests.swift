// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import Synchronization
import TestSupport
import Testing

/// What the next provider is asked, and what the caller gets if none does better. The outcome of each fault is in
/// FaultMatrixTests.
struct FailoverTests {
    private static let path = "/v1/chat/completions"

    private static func setting(_ names: [String] = ["a", "b"], _ tables: String = "") -> Stage.Setting {
        .with {
            $0.providers = names.map { Stage.provider($0, leads: $0 == "a") }
            $0.tables = tables
        }
    }

    @Test func `each provider is asked with its own model, key and headers, and the rest as it came`() throws {
        let setting = Stage.Setting.with {
            $0.providers = [
                Stage.provider("a", leads: true, "model = \"one\"\nheaders = { X-Own = \"of-a\" }"),
                Stage.provider("b", path: "/openai/v1", "aliases = { any = \"two\" }"),
                Stage.provider("c", "aliases = { any = \"any\" }"),
            ]
        }
        // A provider with the alias goes before one without; `model` alone is no alias.
        try Stage.run(setting) { call in
            if call.provider == "c" { return try call.reply(body: "well") }
            try call.reply(503, body: "busy")
        } _: { stage throws in
            let body = #"{ "model" : "other", "messages":[{"model":"any"}], "n":1e0 }"#
            let first = try stage.ask("POST", "/a" + Self.path, ["X-Mine: yes"], body: body)
            #expect(first.status == 503)
            let answer = try stage.ask("POST", Self.path, ["X-Mine: yes"], body: body)
            #expect(answer.text == "well")
            let requests = stage.upstream.requests.dropFirst()
            #expect(requests.map(\.provider) == ["a", "b", "c"])
            #expect(requests.map { $0["Authorization"] } == ["Bearer key-a", "Bearer key-b", "Bearer key-c"])
            #expect(requests.map { $0["X-Own"] } == ["of-a", nil, nil])
            #expect(requests.allSatisfy { $0["X-Mine"] == "yes" })
            let other = body.replacing("\"model\" : \"other\"", with: "\"model\" : \"one\"")
            #expect(requests.map(\.text) == [other, body, body])
            #expect(requests.map { $0["Content-Length"] } == requests.map { "\($0.body.count)" })
            let row = try #require(try stage.records().last)
            #expect(row.attempts == ["a 503 server_error", "b 503 server_error", "c 200 ok"])
            #expect(row.asked == ["- one", "- -", "- -"] && row.model == "other")
        }
    }

    @Test func `if all fail the last answer passes through whole`() throws {
        let body = #"{"error":{"message":"of b"}}"#
        try Stage.run(Self.setting(["a", "b", "c"])) { call in
            switch call.provider {
            case "a": try call.reply(500, body: "of a")
            case "b":
                try call.send(
                    "HTTP/1.1 503 Very Busy\r\nContent-Type: application/json\r\nX-Cause: load\r\nx-request-id: up-1\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
                try call.chunk(String(body.prefix(5)))
                try call.chunk(String(body.dropFirst(5)))
                try call.endStream()
            default: call.reset()
            }
        } _: { stage throws in
            let caller = try stage.caller()
            // Twice on one connection: it stays in step.
            for _ in 0..<2 {
                try caller.request("POST", Self.path, body: #"{"model":"m"}"#)
                let answer = try caller.answer(to: "POST")
                #expect((answer.status, answer.text) == (503, body))
                #expect(answer["X-Cause"] == "load" && answer["x-request-id"] == "up-1" && answer.problem == nil)
            }
            for row in try stage.records() {
                #expect((row.status, row.endState, row.provider, row.problem) == (503, "complete", "b", nil))
                #expect(row.attempts == ["a 500 server_error", "b 503 server_error", "c - reset"])
                #expect(row.bytesOut == body.utf8.count && row.usageState == "unknown")
            }
        }
    }

    @Test func `switched off, the first answer is the answer`() throws {
        try Stage.run(Self.setting(["a", "b"], "[failover]\nenable = false")) {
            try $0.reply(503, body: $0.provider)
        } _: { stage throws in
            #expect(try stage.ask("POST", Self.path, body: "{}").text == "a")
            #expect(try stage.records().first?.attempts == ["a 503 server_error"])
        }
    }

    @Test func `a caller that leaves during a further try stops everything`() throws {
        let begun = try Signal()
        let gone = try Signal()
        try Stage.run(Self.setting(["a", "b", "c"])) { call in
            if call.provider == "a" { return try call.reply(500) }
            begun.raise()
            try call.waitForEnd()
            gone.raise()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("POST", Self.path, body: "{}")
            try begun.wait()
            caller.wire.close()
            try gone.wait("the end of the second try")
            let row = try #require(try stage.records().first)
            #expect((row.status, row.endState) == (nil, "client_gone"))
            #expect(row.attempts == ["a 500 server_error", "b - client_gone"])
            #expect(stage.upstream.requests.count == 2)
        }
    }

    @Test func `an error whose body does not end, or has no end, is not waited for`() throws {
        try Stage.run(Self.setting(["a", "b"])) { call in
            if call.provider == "b" { return try call.reply(body: "well") }
            try call.send("HTTP/1.1 500 Broken\r\nContent-Length: 1000000000\r\n\r\n")
            if call.request.target.hasSuffix("/long") {
                let piece = [UInt8](repeating: 65, count: 64 << 10)
                while (try? call.send(piece)) != nil {}
                call.close()
            } else {
                try call.waitForEnd()
            }
        } _: { stage throws in
            for target in ["/v1/long", "/v1/hang"] { #expect(try stage.ask("POST", target, body: "{}").text == "well") }
            #expect(try stage.records().allSatisfy { $0.attempts == ["a 500 server_error", "b 200 ok"] })
        }
    }

    @Test func `the usage chunk that one provider was asked for is not taken out of another's answer`() throws {
        let chunk =
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n"
        let setting = Stage.Setting.with {
            $0.providers = [
                Stage.provider("a", leads: true, "strip_added_usage = true"),
                Stage.provider("b", "include_usage = false"),
            ]
        }
        try Stage.run(setting) { call in
            if call.provider == "a" { return try call.reply(500) }
            try call.beginStream()
            for event in ["data: {\"choices\":[{}]}\n\n", chunk, "data: [DONE]\n\n"] { try call.chunk(event) }
            try call.endStream()
        } _: { stage throws in
            let answer = try stage.ask("POST", Self.path, body: #"{"model":"m","stream":true}"#)
            #expect(answer.text.contains(chunk))
            #expect(stage.upstream.requests.map { $0.text.contains("include_usage") } == [true, false])
        }
    }

    @Test func `pipelined requests are each failed over, in order, by two workers`() throws {
        try Stage.run(Self.setting(["a", "b"], "[server]\nworkers = 2\n[failover]\nbreaker_failures = 0")) { call in
            if call.provider == "a" { return try call.reply(500) }
            try call.reply(body: call.request.text)
        } _: { stage throws in
            let callers = try (0..<6).map { _ in try stage.caller() }
            for caller in callers {
                for number in 0..<5 { try caller.request("POST", Self.path, body: "{\"n\":\(number)}") }
            }
            for caller in callers {
                for number in 0..<5 { #expect(try caller.answer(to: "POST").text == "{\"n\":\(number)}") }
            }
            let rows = try stage.records()
            #expect(rows.count == 30 && rows.allSatisfy { $0.attempts == ["a 500 server_error", "b 200 ok"] })
        }
    }

    @Test func `a WebSocket goes to the next provider until one answers its handshake`() throws {
        try Stage.run(Self.setting(["a", "b"])) { call in
            if call.provider == "a" { return call.reset() }
            try call.reply(403, body: "no")
        } _: { stage throws in
            let answer = try stage.ask(
                "GET", "/v1/realtime?model=m",
                [
                    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                ])
            #expect((answer.status, answer.text) == (403, "no"))
            #expect(stage.upstream.requests.map { $0["Authorization"] } == ["Bearer key-a", "Bearer key-b"])
            #expect(try stage.records().first?.attempts == ["a - reset", "b 403 unauthorized"])
        }
    }

    @Test func `the provider of the smallest priority is asked as long as it answers`() throws {
        let setting = Stage.Setting.with {
            $0.providers = [("hosted", 2), ("spare", 1), ("own", 0)].map { name, priority in
                Stage.provider(name).replacing("weight = 1\n", with: "priority = \(priority)\n")
            }
        }
        let broken = Mutex<Set<String>>([])
        try Stage.run(setting) { call in
            let isBroken = broken.withLock { $0.contains(call.provider) }
            try call.reply(isBroken ? 500 : 200, body: call.provider)
        } _: { stage throws in
            func answers() throws -> Set<String> {
                Set(try (0..<10).map { _ in try stage.ask("POST", Self.path, body: #"{"model":"m"}"#).text })
            }
            #expect(try answers() == ["own"])
            broken.withLock { $0 = ["own"] }
            #expect(try answers() == ["spare"])
            broken.withLock { $0 = ["own", "spare"] }
            #expect(try answers() == ["hosted"])
        }
    }

    @Test func `weights share many requests, and a weight of zero has none`() throws {
        let setting = Stage.Setting.with {
            $0.providers = [("a", 3), ("b", 1), ("c", 0)].map { name, weight in
                Stage.provider(name).replacing("weight = 1\n", with: "weight = \(weight)\n")
            }
        }
        try Stage.run(setting) {
            try $0.reply(body: $0.provider)
        } _: { stage throws in
            let caller = try stage.caller()
            var counts: [String: Int] = [:]
            for _ in 0..<400 {
                try caller.request("POST", Self.path, body: #"{"model":"m"}"#)
                counts[try caller.answer(to: "POST").text, default: 0] += 1
            }
            // Seven standard deviations around 300.
            #expect((240...360).contains(counts["a"] ?? 0) && counts["c"] == nil, "\(counts)")
            #expect(try stage.ask("POST", "/c" + Self.path, body: "{}").problem == "no_provider")
        }
    }
}
