// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct StatusPageTests {
    private static let withPassword = Stage.Setting.with {
        $0.hasTCP = true
        $0.authentication = Stage.password
    }
    /// admin:open sesame
    private static let credentials = "Authorization: Basic YWRtaW46b3BlbiBzZXNhbWU="

    private static let path = "/_menshen/status"

    @Test func `the page asks for user and password`() throws {
        let path = Self.path
        try Stage.run(Self.withPassword) {
            try $0.reply()
        } _: { stage throws in
            let refused = try stage.askTCP("GET", path, [])
            #expect(refused.status == 401)
            #expect(refused["WWW-Authenticate"]?.hasPrefix("Basic ") == true)
            // admin:wrong
            #expect(try stage.askTCP("GET", path, ["Authorization: Basic YWRtaW46d3Jvbmc="]).status == 401)
            let answer = try stage.askTCP("GET", path, [Self.credentials])
            #expect(answer.status == 200)
            #expect(answer.text.contains("openai"))
            #expect(!answer.text.contains(Stage.key))
            #expect(!answer.text.contains(Stage.token))
            #expect(stage.upstream.connections == 0)
        }
    }

    @Test func `user and password open no provider`() throws {
        try Stage.run(Self.withPassword) {
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.askTCP("GET", "/v1/models", [Self.credentials]).status == 401)
        }
    }

    @Test func `without a password the page is closed on TCP and open on the socket`() throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            try $0.reply()
        } _: { stage throws in
            let refused = try stage.askTCP("GET", Self.path, [Self.credentials])
            #expect(refused.status == 401)
            #expect(refused.text.contains("there is no password"))
            #expect(try stage.ask("GET", Self.path).status == 200)
        }
    }

    @Test func `the root leads everybody to the dashboard, and says nothing`() throws {
        try Stage.run(Self.withPassword) {
            try $0.reply()
        } _: { stage throws in
            for ask in [stage.askTCP, stage.ask] {
                for method in ["GET", "HEAD"] {
                    let answer = try ask(method, "/", [], nil)
                    #expect((answer.status, answer["Location"], answer.body) == (303, "/_menshen/ui/", []))
                }
            }
            #expect(try stage.records().isEmpty)
        }
    }

    @Test func `health is open to everybody and says nothing else`() throws {
        try Stage.run(Self.withPassword) {
            try $0.reply()
        } _: { stage throws in
            let answer = try stage.askTCP("GET", "/_menshen/health", [])
            #expect((answer.status, answer.text) == (200, "{\"status\":\"ok\"}\n"))
            let head = try stage.askTCP("HEAD", "/_menshen/health", [])
            #expect((head.status, head.body) == (200, []))
        }
    }

    @Test func `Claude Code's first question costs no request`() throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            try $0.reply()
        } _: { stage throws in
            for ask in [stage.askTCP, stage.ask] {
                let answer = try ask("HEAD", "/api/hello", [], nil)
                #expect((answer.status, answer.body) == (200, []))
            }
            #expect(stage.upstream.connections == 0)
            #expect(try stage.records().isEmpty)
        }
    }

    @Test func `pages answer GET only, and unknown ones are not forwarded`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.ask("POST", "/", body: "{}").status == 405)
            #expect(try stage.ask("GET", "/_menshen/keys").status == 404)
            #expect(stage.upstream.connections == 0)
        }
    }

    @Test func `a body that a page does not read is left alone`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            // This one answers before it has seen the body, and says that nothing can follow.
            let health = try stage.ask("GET", "/_menshen/health", body: "{}")
            #expect((health.status, health["Connection"]) == (200, "close"))
            let caller = try stage.caller()
            try caller.request("GET", Self.path, ["Content-Type: application/json"], body: #"{"model":"m"}"#)
            #expect(try caller.answer().status == 200)
            // One answer, and the connection goes on behind it.
            try caller.request("HEAD", Self.path)
            let head = try caller.answer(to: "HEAD")
            #expect(head.status == 200 && head.body.isEmpty && head["Content-Length"] != "0")
            #expect(stage.upstream.connections == 0)
            #expect(try stage.records().isEmpty)
        }
    }

    @Test func `the status lists the last requests, escaped`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            _ = try stage.ask(
                "POST", "/v1/chat/completions", ["Content-Type: application/json"], body: #"{"model":"<b>&\"x"}"#)
            let status = try stage.ask("GET", Self.path)
            #expect(status["Content-Type"] == "application/json")
            #expect(status.text.contains(#""path":"/v1/chat/completions""#))
            #expect(status.text.contains(#"<b>&\"x"#))
        }
    }

    @Test func `a browser is shown a page, and asked for a password when its user wants to sign in`() throws {
        try Stage.run(Self.withPassword) {
            try $0.reply()
        } _: { stage throws in
            let browser = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
            let shown = try stage.askTCP("GET", "/_menshen/ui/", [browser])
            #expect((shown.status, shown["Content-Type"]) == (401, "text/html; charset=utf-8"))
            #expect(shown["WWW-Authenticate"]?.hasPrefix("Bearer ") == true)
            #expect(shown.text.contains("href=\"/_menshen/ui/?signin\">Sign in</a>"))
            // Its style is there for somebody who has not signed in, and no more.
            let style = try #require(shown.text.split(separator: "\"").first { $0.hasSuffix(".css") })
            #expect(try stage.askTCP("GET", String(style), []).status == 200)
            #expect(try stage.askTCP("GET", "/_menshen/ui/assets/x", []).status == 404)
            #expect(shown["Content-Security-Policy"]?.contains("default-src 'none'") == true)
            for fields in [[browser, "Authorization: Basic YWRtaW46d3Jvbmc="], [browser]] {
                let asked = try stage.askTCP("GET", "/_menshen/ui/?signin", fields)
                #expect(asked.status == 401 && asked["WWW-Authenticate"]?.hasPrefix("Basic ") == true)
            }
            #expect(try stage.askTCP("GET", "/_menshen/ui/?signin", [browser, Self.credentials]).status == 200)
            // The wrong password, and the file that is not there.
            let rows = try stage.records()
            #expect(rows.map(\.problem).sorted { ($0 ?? "") < ($1 ?? "") } == ["not_found", "unauthenticated"])
        }
    }

    @Test func `menshen's own pages are no requests of the user's`() throws {
        try Stage.run {
            try $0.reply(429)
        } _: { stage throws in
            for path in ["/", "/_menshen/ui/", Self.path] { _ = try stage.ask("GET", path) }
            _ = try stage.ask("GET", "/v1/models")
            let page = try stage.ask("GET", Self.path).text
            #expect(page.contains(#""path":"/v1/models""#) && !page.contains(#""path":"/""#))
            #expect(page.contains(#""status":429,"end_state":"complete""#))
            #expect(try stage.records().count == 1)
        }
    }

    @Test func `a page whose request turns out to be malformed is answered once`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            for _ in 0..<20 {
                let caller = try stage.caller()
                try caller.send(
                    "GET /_menshen/status HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n")
                #expect(try caller.answer().status == 400)
                #expect(try caller.isClosedCleanly())
            }
            #expect(try stage.ask("GET", "/_menshen/health").status == 200)
        }
    }
}
