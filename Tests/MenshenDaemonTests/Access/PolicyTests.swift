// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import TestSupport
import Testing

/// `[[callers]]`, from the socket to the record.
struct PolicyTests {
    private static let json = "Content-Type: application/json"
    private static let path = "/v1/chat/completions"

    /// "a" has an alias for the dear model, "b" asks for a model of its own.
    private static func setting(_ rules: String, _ more: (inout Stage.Setting) -> Void = { _ in }) -> Stage.Setting {
        .with {
            $0.hasTCP = true
            $0.authentication = """
                token = "\(Stage.token)"
                [[auth.tokens]]
                name = "laptop"
                token = "laptop-token-2"
                """
            $0.tables = rules
            $0.providers = [
                Stage.provider("a", leads: true, "aliases = { fast = \"dear-1\", small = \"cheap-2\" }"),
                Stage.provider("b", "model = \"own\""), Stage.provider("c"),
            ]
            more(&$0)
        }
    }

    private static func body(_ model: String) -> String { "{\"model\":\"\(model)\",\"messages\":[]}" }

    private static let cheap = """
        [[callers]]
        name = "students"
        user = "\(getuid())"
        models = ["cheap-*", "small"]
        [[callers]]
        name = "laptops"
        token = "lap*"
        models = ["cheap-*", "fast"]
        """

    @Test func `a rule holds for the model that is asked for as well as for the alias, on both kinds of sockets`()
        throws
    {
        try Stage.run(Self.setting(Self.cheap)) {
            try $0.reply(body: $0.provider)
        } _: { stage throws in
            #expect(try stage.ask("POST", Self.path, [Self.json], body: Self.body("small")).text == "a")
            let refused = try stage.ask("POST", Self.path, [Self.json], body: Self.body("dear-1"))
            #expect((refused.status, refused.problem) == (403, "denied_by_policy"))
            #expect(
                refused.text.contains(
                    "The rule 'students' of [[callers]] does not allow the model 'dear-1' (it allows: cheap-*, small).")
            )
            let laptop = ["Authorization: Bearer laptop-token-2", Self.json]
            let alias = try stage.askTCP("POST", Self.path, laptop, body: Self.body("fast"))
            #expect(alias.status == 403)
            #expect(
                alias.text.contains(
                    "The rule 'laptops' of [[callers]] does not allow the model 'dear-1', which provider 'a' is asked for in place of 'fast'"
                ))
            // No rule is for the other token.
            let other = try stage.askTCP(
                "POST", Self.path, ["Authorization: Bearer \(Stage.token)", Self.json], body: Self.body("cheap-1"))
            #expect((other.status, other.text.contains("(token 'default')")) == (403, true))
            #expect(stage.upstream.requests.count == 1)
            let rows = try stage.records()
            #expect(rows.map(\.endState) == ["complete", "refused", "refused", "refused"])
            #expect(rows.dropFirst().allSatisfy { $0.problem == "denied_by_policy" })
        }
    }

    @Test func `a token on the Unix socket narrows, and never widens`() throws {
        let rules = """
            [[callers]]
            name = "admin"
            token = "default"
            [[callers]]
            name = "laptops"
            token = "laptop"
            operations = ["chat"]
            [[callers]]
            name = "me"
            user = "\(getuid())"
            models = ["cheap-*"]
            """
        try Stage.run(Self.setting(rules)) {
            try $0.reply(body: $0.provider)
        } _: { stage throws in
            let (admin, laptop) = ("Authorization: Bearer \(Stage.token)", "Authorization: Bearer laptop-token-2")
            #expect(try stage.askTCP("POST", Self.path, [admin, Self.json], body: Self.body("dear-1")).status == 200)
            let wide = try stage.ask("POST", Self.path, [admin, Self.json], body: Self.body("dear-1"))
            #expect((wide.status, wide.text.contains("rule 'me'")) == (403, true))
            #expect(try stage.ask("GET", "/v1/models").status == 200)
            let narrow = try stage.ask("GET", "/v1/models", [laptop])
            #expect((narrow.status, narrow.text.contains("rule 'laptops'")) == (403, true))
            // An unknown token names nobody.
            #expect(try stage.ask("GET", "/v1/models", ["Authorization: Bearer sk-x"]).status == 200)
        }
    }

    @Test func `one connection is asked anew for each token, and after a reload`() throws {
        try Stage.run(Self.setting("[[callers]]\nname = \"laptops\"\ntoken = \"laptop\"\noperations = [\"models\"]\n"))
        {
            try $0.reply(body: $0.provider)
        } _: { stage throws in
            let caller = try stage.tcpCaller()
            func status(_ token: String) throws -> Int {
                try caller.request("GET", "/v1/models", ["Authorization: Bearer \(token)"])
                return try caller.answer().status
            }
            #expect(try status("laptop-token-2") == 200)
            #expect(try status(Stage.token) == 403)
            #expect(try status("laptop-token-2") == 200)
            let before = try String(#require(TemporaryDirectory.read(stage.daemon.configurationPath)))
            try stage.daemon.reload(before.replacing("operations = [\"models\"]", with: "deny = true"))
            let refused = try stage.askTCP("GET", "/v1/models", ["Authorization: Bearer laptop-token-2"])
            #expect(refused.text.contains("The rule 'laptops' of [[callers]] refuses this caller."))
            #expect(try status("laptop-token-2") == 403)
            // menshen's own pages have their own door.
            #expect(try stage.ask("GET", "/_menshen/status").status == 200)
        }
    }

    @Test func `failover stays within the scope`() throws {
        let rules = "[[callers]]\nname = \"me\"\nproviders = [\"a\", \"b\"]\nmodels = [\"cheap-*\"]\n"
        try Stage.run(Self.setting(rules)) {
            try $0.reply(503)
        } _: { stage throws in
            // "b" would ask for its own model, and "c" is none of this caller's.
            #expect(try stage.ask("POST", Self.path, [Self.json], body: Self.body("cheap-1")).status == 503)
            #expect(stage.upstream.requests.map(\.provider) == ["a"])
            let none = try stage.ask("POST", "/c" + Self.path, [Self.json], body: Self.body("cheap-1"))
            #expect(none.text.contains("does not allow the provider 'c' (it allows: a, b)"))
        }
    }

    @Test(arguments: [
        ("{\"model\":\"cheap-1\",\"Model\":\"dear-1\"}", 400), ("{\"model\":\"cheap-1\",\"model\":\"dear-1\"}", 400),
        ("{\"mod\\u0065l\":\"dear-1\"}", 403), ("{\"model\":[\"dear-1\"]}", 400), ("{\"model\":\"cheap-1\"", 400),
        ("{\"messages\":[]}", 403), ("", 403), ("{\"model\":\"cheap-1\",\"models\":[\"dear-1\"]}", 403),
        ("{\"model\":\"cheap-1\",\"fallbacks\":[\"dear-1\"]}", 403), ("{\"model\":\"cheap-1,dear-1\"}", 403),
        ("{\"model\":\"cheap-1\",\"models\":null}", 200),
    ])
    func `a body is no way around a rule about models`(body: String, status: Int) throws {
        try Stage.run(Self.setting(Self.cheap)) {
            try $0.reply(body: $0.provider)
        } _: { stage throws in
            let answer = try stage.ask("POST", Self.path, [Self.json], body: body)
            #expect(answer.status == status, "\(answer.text)")
            #expect(stage.upstream.requests.count == (status == 200 ? 1 : 0))
        }
    }

    @Test
    func
        `a compressed body in a coding that is not known, and a large one without a model in its beginning, are refused`()
        throws
    {
        try Stage.run(Self.setting(Self.cheap)) {
            try $0.reply(body: $0.provider)
        } _: { stage throws in
            let coded = try stage.ask("POST", Self.path, [Self.json, "Content-Encoding: zzz"], body: "xx")
            #expect(
                coded.status == 415
                    && coded.text.contains(
                        "Whether it is allowed depends on it (see the models of the rule 'students' of [[callers]])")
            )
            let large = "{\"pad\":\"" + String(repeating: "x", count: 3 << 20) + "\",\"model\":\"dear-1\"}"
            let caller = try stage.caller()
            try? caller.request("POST", Self.path, [Self.json], body: large)
            #expect(try caller.answer(to: "POST").status == 400)
        }
    }

    @Test func `a large body that names another model later goes out to nobody whole`() throws {
        try Stage.run(Self.setting(Self.cheap) { $0.daemon.arguments = [] }) { call in
            do { try call.reply(body: call.provider) } catch {}
        } _: { stage throws in
            for late in ["\"model\":\"dear-1\"", "\"models\":[\"dear-1\"]"] {
                let large = "{\"model\":\"cheap-1\",\"pad\":\"" + String(repeating: "x", count: 3 << 20) + "\",\(late)}"
                let caller = try stage.caller()
                try? caller.request("POST", Self.path, [Self.json], body: large)
                #expect(try caller.answer(to: "POST").status == 400, "\(late)")
            }
            #expect(!stage.upstream.requests.contains { $0.body.count > 3 << 20 })
        }
    }

    @Test(arguments: [
        ("/v1beta/models/dear-1:generateContent", "\"status\":\"PERMISSION_DENIED\""),
        ("/openai/deployments/dear-1/chat/completions?api-version=1", "\"code\":\"denied_by_policy\""),
        ("/model/dear-1/converse", "\"message\":"), ("/v1/messages", "\"type\":\"permission_error\""),
        ("/v1/messages/batches", "\"type\":\"permission_error\""), ("/v1/batches", "\"code\":\"denied_by_policy\""),
        ("/a/v1/chat/completions", "\"code\":\"denied_by_policy\""),
        ("/v1/chat/completions?model=dear-1", "\"code\":\"denied_by_policy\""),
    ])
    func `each API says no in its own words`(path: String, part: String) throws {
        try Stage.run(Self.setting(Self.cheap)) {
            try $0.reply(body: $0.provider)
        } _: { stage throws in
            let model = path.contains("dear-1") ? "cheap-1" : "dear-1"
            let answer = try stage.ask("POST", path, [Self.json], body: Self.body(model))
            #expect(answer.status == 403 && answer.text.contains(part), "\(answer.text)")
            #expect(answer.text.contains("The rule 'students' of [[callers]]"))
            #expect((answer["x-menshen-error"], answer["x-should-retry"]) == ("denied_by_policy", "false"))
            if path.hasPrefix("/model/") { #expect(answer["x-amzn-ErrorType"] == "AccessDeniedException") }
            #expect(stage.upstream.requests.isEmpty)
        }
    }

    @Test func `a stored answer is given to nobody whose scope forbids its model or provider`() throws {
        let rules = """
            [[callers]]
            name = "all"
            token = "default"
            [[callers]]
            name = "laptops"
            token = "laptop"
            providers = ["c"]
            models = ["cheap-*"]
            """
        try Stage.run(
            Self.setting(rules) { $0.tables += "\n[cache]\nenable = true\nmax_age = \"1h\"\nscope = \"instance\"" }
        ) {
            try $0.reply(body: "{\"choices\":[],\"by\":\"\($0.provider)\"}")
        } _: { stage throws in
            func ask(_ token: String, _ model: String) throws -> Answer {
                try stage.askTCP(
                    "POST", Self.path, ["Authorization: Bearer \(token)", Self.json], body: Self.body(model))
            }
            #expect(try ask(Stage.token, "cheap-1")["X-Cache"] == "MISS")
            let again = try ask(Stage.token, "cheap-1")
            #expect(again["X-Cache"] == "HIT" && again.text.contains("\"by\":\"a\""))
            let other = try ask("laptop-token-2", "cheap-1")
            #expect(other["X-Cache"] == "MISS" && other.text.contains("\"by\":\"c\""))
            #expect(try ask(Stage.token, "dear-1").status == 200)
            #expect(try ask("laptop-token-2", "dear-1").status == 403)
        }
    }

    @Test func `WebSockets are judged by their query, and refused where their messages name the model`() throws {
        try Stage.run(Self.setting(Self.cheap)) {
            try $0.reply(400)
        } _: { stage throws in
            let upgrade = [
                "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ]
            #expect(try stage.ask("GET", "/v1/realtime?model=dear-1", upgrade).status == 403)
            #expect(try stage.ask("GET", "/v1/realtime", upgrade).status == 400)
            #expect(try stage.ask("GET", "/v1/realtime?model=cheap-1&deployment=dear-1", upgrade).status == 400)
            #expect(try stage.ask("GET", "/v1/responses?model=cheap-1", upgrade).status == 403)
            #expect(stage.upstream.requests.isEmpty)
            _ = try stage.ask("GET", "/c/v1/realtime?model=cheap-1", upgrade)
            #expect(stage.upstream.requests.count == 1)
        }
    }
}
