// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// Ways from menshen to a provider.
struct RouteOutTests {
    @Test func `a provider on a Unix socket is reached`() throws {
        try Stage.run(.with { $0.upstreamOnUnix = true }) {
            try $0.reply(body: $0.request.target)
        } _: { stage throws in
            #expect(try stage.ask("GET", "/v1/models").text == "/v1/models")
            #expect(try stage.ask("POST", "/chat/completions", body: "{}").text == "/v1/chat/completions")
            #expect(stage.upstream.requests.last?["Authorization"] == "Bearer \(Stage.key)")
            #expect(stage.upstream.connections == 1)
        }
    }

    @Test func `proxy variables of the environment never apply`() throws {
        let trap = try FakeUpstream { try $0.reply(500, body: "trapped") }
        let address = "http://127.0.0.1:\(trap.port)"
        try Stage.run(
            .with {
                for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
                    $0.daemon.environment[name] = address
                }
            }
        ) {
            try $0.reply(body: "direct")
        } _: { stage throws in
            #expect(try stage.ask().text == "direct")
        }
        #expect(trap.connections == 0)
        try trap.stop()
    }

    @Test func `a provider's proxy is used, with the whole address`() throws {
        try Stage.run(
            .with {
                $0.baseURL = "http://provider.invalid"
                $0.provider = "proxy = \"UPSTREAM\""
                $0.daemon.environment["no_proxy"] = "*"
                $0.daemon.environment["NO_PROXY"] = "provider.invalid"
            }
        ) {
            try $0.reply(body: $0.request.target)
        } _: { stage throws in
            let answer = try stage.ask("GET", "/v1/a%2Fb?x=%20")
            #expect(answer.text == "http://provider.invalid/v1/a%2Fb?x=%20")
            let request = try #require(stage.upstream.requests.first)
            #expect(request["Host"] == "provider.invalid")
            #expect(request["User-Agent"] == nil)
        }
    }

    @Test func `a .netrc in the home never applies`() throws {
        let directory = try TemporaryDirectory()
        try directory.write(".netrc", "machine 127.0.0.1 login somebody password secret\ndefault login x password y\n")
        try Stage.run(.with { $0.key = "" }, in: directory) {
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.ask().status == 200)
            let request = try #require(stage.upstream.requests.first)
            #expect(request["Authorization"] == nil)
        }
    }

    @Test func `a first segment that is a provider's name picks it`() throws {
        let other = try FakeUpstream { try $0.reply(body: "other \($0.request.target)") }
        defer { try? other.stop() }
        try Stage.run(
            .with { $0.provider = "[[providers]]\nname = \"other\"\nbase_url = \"\(other.baseURL)/v1\"" }
        ) {
            try $0.reply(body: "first \($0.request.target)")
        } _: { stage throws in
            #expect(try stage.ask("GET", "/openai/models").text == "first /v1/models")
            #expect(try stage.ask("GET", "/other/v1/models?a=b").text == "other /v1/models?a=b")
            #expect(other.requests.first?["Authorization"] == nil)
        }
    }

    @Test(arguments: ["/v1/../admin", "/v1/./x", "/v1/%2e%2E/admin", "/v1/a/.%2e", "/../x"])
    func `a path with dot segments goes nowhere`(path: String) throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            let answer = try stage.ask("GET", path)
            #expect((answer.status, answer.problem) == (400, "forbidden_path"))
            #expect(stage.upstream.requests.isEmpty)
        }
    }
}
