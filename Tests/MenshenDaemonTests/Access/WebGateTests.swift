// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// What a web page could make a browser send to a TCP listener.
struct WebGateTests {
    private static let tcp = Stage.Setting.with { $0.hasTCP = true }
    private static let front = "http://localhost:5173"
    private static let open = Stage.Setting.with {
        $0.hasTCP = true
        $0.tables = "[server]\nallowed_origins = [\"\(front)\"]\nallowed_hosts = [\"menshen.test\"]"
    }
    private static let token = "x-api-key: \(Stage.token)"

    private func send(_ stage: Stage, _ text: String) throws -> Answer {
        let caller = try stage.tcpCaller()
        try caller.send(text)
        return try caller.answer()
    }

    @Test(arguments: [
        "evil.example", "", "127.0.0.1.evil.example", "localhost:1", "evil.example:80", "127.0.0.2", "localhost.",
    ])
    func `a foreign Host is misdirected`(host: String) throws {
        try Stage.run(Self.tcp) {
            try $0.reply()
        } _: { stage throws in
            let answer = try send(stage, "GET /v1/models HTTP/1.1\r\nHost: \(host)\r\n\(Self.token)\r\n\r\n")
            #expect((answer.status, answer.problem) == (421, "forbidden_host"))
            let page = try send(stage, "GET /_menshen/health HTTP/1.1\r\nHost: \(host)\r\n\r\n")
            #expect(page.status == 421)
            #expect(stage.upstream.connections == 0)
        }
    }

    @Test func `own names are taken with and without the port`() throws {
        try Stage.run(Self.open) {
            try $0.reply()
        } _: { stage throws in
            let port = stage.daemon.port
            for host in [
                "localhost", "LOCALHOST:\(port)", "127.0.0.1", "127.0.0.1:\(port)", "[::1]:\(port)", "menshen.test",
                "menshen.test:\(port)",
            ] {
                let answer = try send(stage, "GET /v1/models HTTP/1.1\r\nHost: \(host)\r\n\(Self.token)\r\n\r\n")
                #expect(answer.status == 200, "\(host)")
            }
        }
    }

    @Test func `each request of a connection is judged by its own Host`() throws {
        try Stage.run(Self.tcp) {
            try $0.reply()
        } _: { stage throws in
            let caller = try stage.tcpCaller()
            for (host, status) in [("localhost", 200), ("evil.example", 421), ("localhost", 200), ("localhosts", 421)] {
                try caller.send("GET /v1/models HTTP/1.1\r\nHost: \(host)\r\n\(Self.token)\r\n\r\n")
                #expect(try caller.answer().status == status)
            }
        }
    }

    @Test func `a caller of HTTP 1.0 needs a Host on TCP too`() throws {
        try Stage.run(Self.tcp) {
            try $0.reply()
        } _: { stage throws in
            let answer = try send(stage, "GET /v1/models HTTP/1.0\r\n\(Self.token)\r\n\r\n")
            #expect(answer.status == 421)
        }
    }

    @Test(arguments: [
        "http://evil.example", "null", "https://localhost", "http://localhost:5173.evil.example",
        "http://localhost:5174", "",
    ])
    func `a foreign Origin is refused, token or not`(origin: String) throws {
        try Stage.run(Self.open) {
            try $0.reply()
        } _: { stage throws in
            let answer = try stage.askTCP("GET", "/v1/models", [Self.token, "Origin: \(origin)"])
            #expect((answer.status, answer.problem) == (403, "forbidden_origin"))
            #expect(answer["Access-Control-Allow-Origin"] == nil)
            #expect(stage.upstream.connections == 0)
        }
    }

    @Test func `an allowed page gets its pre-flight and its answers`() throws {
        try Stage.run(Self.open) {
            try $0.reply(200, ["Access-Control-Allow-Origin: *", "Content-Type: application/json"])
        } _: { stage throws in
            let asked = try stage.askTCP(
                "OPTIONS", "/v1/chat/completions",
                [
                    "Origin: \(Self.front)", "Access-Control-Request-Method: POST",
                    "Access-Control-Request-Headers: authorization",
                ])
            #expect(asked.status == 204)
            #expect(asked["Access-Control-Allow-Origin"] == Self.front)
            #expect(asked["Access-Control-Allow-Headers"]?.contains("authorization") == true)
            #expect(asked["Access-Control-Allow-Methods"]?.contains("POST") == true)
            #expect(stage.upstream.connections == 0)
            let fields = ["Origin: \(Self.front)", Self.token, "Content-Type: application/json"]
            let answer = try stage.askTCP("POST", "/v1/chat/completions", fields, body: "{}")
            #expect(answer.head.all("Access-Control-Allow-Origin") == [Self.front])
            let refused = try stage.askTCP("GET", "/v1/models", ["Origin: \(Self.front)"])
            #expect((refused.status, refused["Access-Control-Allow-Origin"]) == (401, Self.front))
        }
    }

    @Test(arguments: [
        "text/plain", "application/x-www-form-urlencoded", "text/plain; a=application/json", "application/jsonx", "",
    ])
    func `a page's body that a form could send is refused, and a program's with a token passes`(type: String) throws {
        try Stage.run(Self.open) {
            try $0.reply()
        } _: { stage throws in
            let fields = type.isEmpty ? [Self.token] : [Self.token, "Content-Type: \(type)"]
            let answer = try stage.askTCP(
                "POST", "/v1/chat/completions", fields + ["Origin: \(Self.front)"], body: "{}")
            #expect((answer.status, answer.problem) == (415, "forbidden_content_type"))
            #expect(stage.upstream.connections == 0)
            #expect(try stage.askTCP("POST", "/v1/chat/completions", fields, body: "{}").status == 200)
        }
    }

    @Test func `without authentication no page of another site spends the key, by any method`() throws {
        var setting = Self.tcp
        setting.authentication = "enable = false"
        try Stage.run(setting) {
            try $0.reply()
        } _: { stage throws in
            for site in ["cross-site", "same-site"] {
                let answer = try stage.askTCP(
                    "GET", "/v1/models", ["Sec-Fetch-Site: \(site)", "Sec-Fetch-Mode: no-cors"])
                #expect((answer.status, answer.problem) == (403, "forbidden_origin"))
            }
            #expect(
                try stage.askTCP("POST", "/v1/chat/completions", ["Content-Type: text/plain"], body: "{}").status == 415
            )
            #expect(stage.upstream.connections == 0)
            #expect(try stage.askTCP("GET", "/v1/models", ["Sec-Fetch-Site: none"]).status == 200)
            #expect(try stage.askTCP("GET", "/v1/models", []).status == 200)
        }
    }

    @Test func `a question about the server itself is not forwarded`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            let answer = try stage.ask("OPTIONS", "*")
            #expect(answer.status == 204 && answer["Allow"]?.contains("POST") == true)
            #expect(stage.upstream.connections == 0)
        }
    }

    @Test(arguments: [
        "application/json", "Application/JSON; charset=utf-8", "multipart/form-data; boundary=x",
        "application/vnd.x+json",
    ])
    func `JSON and multipart bodies pass`(type: String) throws {
        try Stage.run(Self.tcp) {
            try $0.reply()
        } _: { stage throws in
            let answer = try stage.askTCP(
                "POST", "/v1/chat/completions", [Self.token, "Content-Type: \(type)"], body: "{}")
            #expect(answer.status == 200)
            #expect(stage.upstream.requests.first?["Content-Type"] == type)
        }
    }

    @Test func `a refusal of the gate leaves the connection usable`() throws {
        try Stage.run(Self.tcp) {
            try $0.reply(body: "ok")
        } _: { stage throws in
            let caller = try stage.tcpCaller()
            try caller.request("GET", "/v1/models", ["Origin: http://evil.example"])
            #expect(try caller.answer().status == 403)
            try caller.request("GET", "/v1/models", [Self.token])
            #expect(try caller.answer().text == "ok")
        }
    }
}
