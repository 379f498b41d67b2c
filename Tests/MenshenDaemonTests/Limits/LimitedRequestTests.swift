// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import TestSupport
import Testing

/// Limits as callers meet them.
struct LimitedRequestTests {
    private static let chat = #"{"model":"m","max_tokens":5,"messages":[]}"#
    /// 42 bytes ÷ 3, and 5.
    private static let estimate = 19
    private static let answer =
        #"{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Yes"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#

    private static func limits(_ text: String) -> Stage.Setting {
        .with { $0.tables = "[limits]\ntimezone = \"UTC\"\n\(text)\n" }
    }

    private static func ask(_ stage: Stage, _ fields: [String] = [], body: String = chat) throws -> Answer {
        try stage.ask(
            "POST", "/v1/chat/completions", ["Content-Type: application/json"] + fields, body: body)
    }

    private static func spent(_ stage: Stage) throws -> [Int] {
        let text = try stage.ask("GET", "/_menshen/usage").text
        return text.split(separator: "\"spent\":").dropFirst().compactMap { Int($0.prefix { $0 != "," }) }
    }

    @Test func `who has no place is told the limit, its holder, and when it starts anew`() throws {
        try Stage.run(Self.limits("instance = [\"2 requests/month\"]")) {
            try $0.reply(body: Self.answer)
        } _: { stage throws in
            for _ in 0..<2 { #expect(try Self.ask(stage).status == 200) }
            let refused = try Self.ask(stage)
            #expect(refused.status == 429 && refused.problem == "limit_reached")
            #expect(refused["x-should-retry"] == "false")
            let wait = try #require(refused["Retry-After"].flatMap { Int($0) })
            #expect((1...31 * 86_400).contains(wait))
            for word in [
                "2 requests/month", "this menshen", "2 requests spent", "0 requests reserved", "-01 00:00 (UTC)",
            ] {
                #expect(refused.text.contains(word), "\(word)")
            }
            // menshen's own pages are not under it.
            #expect(try stage.ask("GET", "/_menshen/status").status == 200)
            #expect(try Self.spent(stage) == [2])
            #expect(stage.upstream.requests.count == 2)
            let rows = try stage.records()
            #expect(rows.map(\.problem) == [nil, nil, "limit_reached"])
            #expect(rows.last?.endState == "refused")
        }
    }

    @Test func `what was reported takes the place of the estimate`() throws {
        // Two estimates have no room, an estimate and what one answer has reported do.
        try Stage.run(Self.limits("instance = [\"\(Self.estimate + 7) tokens/day\"]")) {
            try $0.reply(body: Self.answer)
        } _: { stage throws in
            #expect(try Self.ask(stage).status == 200)
            #expect(try Self.ask(stage).status == 200)
            #expect(try Self.spent(stage) == [14])
            let refused = try Self.ask(stage)
            #expect(refused.status == 429)
            #expect(refused.text.contains("14 tokens spent") && refused.text.contains("\(Self.estimate) tokens."))
        }
    }

    @Test func `a request that alone is too large is told so`() throws {
        try Stage.run(Self.limits("instance = [\"100 tokens/day\"]")) { _ in
        } _: { stage throws in
            let refused = try Self.ask(stage, body: #"{"model":"m","max_completion_tokens":500,"messages":[]}"#)
            #expect(refused.status == 429 && refused["Retry-After"] == nil)
            #expect(refused.text.contains("max_tokens"))
        }
    }

    @Test(arguments: [
        ("concurrency = 1", "This menshen has 1 requests under way"),
        ("[[limits.models]]\nmodel = \"m\"\nconcurrency = 1", "Model 'm' has 1 requests under way"),
    ]) func `more requests at a time than everybody, or a model, may have are refused, and worth another try`(
        _ limit: String, _ words: String
    ) throws {
        let arrived = try Signal(), answered = try Signal()
        try Stage.run(Self.limits(limit)) { call in
            if call.number == 0 {
                arrived.raise()
                try answered.wait()
            }
            try call.reply(body: Self.answer)
        } _: { stage throws in
            let first = try stage.caller()
            try first.request("POST", "/v1/chat/completions", ["Content-Type: application/json"], body: Self.chat)
            try arrived.wait()
            let refused = try Self.ask(stage)
            #expect((refused.status, refused.problem) == (429, "concurrency_limited"))
            #expect(refused["x-should-retry"] == "true" && refused.text.contains(words), "\(refused.text)")
            answered.raise()
            #expect(try first.answer().status == 200)
            #expect(try Self.ask(stage).status == 200)
        }
    }

    @Test func `what nobody was asked for is given back`() throws {
        // Nobody listens there.
        let setting = Stage.Setting.with {
            $0.baseURL = "http://127.0.0.1:1"
            $0.tables = "[limits]\ninstance = [\"1 requests/day\"]\n"
        }
        try Stage.run(setting) { _ in
        } _: { stage throws in
            for _ in 0..<3 { #expect(try Self.ask(stage).status == 502) }
            #expect(try Self.spent(stage) == [0])
        }
    }

    @Test func `a restart finds what was spent as it was, by both rules and without what nobody was asked for`() throws
    {
        let directory = try TemporaryDirectory()
        let setting = Stage.Setting.with {
            $0.providers = [
                Stage.provider("a"),
                "name = \"gone\"\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1\"\napi_key = \"k\"",
            ]
            $0.tables = """
                [[callers]]
                name = "token's"
                token = "default"
                limits = ["10 requests/day"]
                [[callers]]
                name = "own"
                user = "\(getuid())"
                limits = ["20 requests/day"]
                """
        }
        let shown = ["x-api-key: \(Stage.token)"]
        for isAgain in [false, true] {
            try Stage.run(setting, in: directory) {
                try $0.reply(body: Self.answer)
            } _: { stage throws in
                func spent(_ fields: [String]) throws -> [Int] {
                    let text = try stage.ask("GET", "/_menshen/usage", fields).text
                    return text.split(separator: "\"spent\":").dropFirst().compactMap { Int($0.prefix { $0 != "," }) }
                }
                if !isAgain {
                    for (path, fields, status) in [("/a", shown, 200), ("/gone", shown, 502), ("/a", [], 200)] {
                        let answer = try stage.ask(
                            "POST", "\(path)/v1/chat/completions", ["Content-Type: application/json"] + fields,
                            body: Self.chat)
                        #expect(answer.status == status)
                    }
                } else {
                    // Asking has it read.
                    _ = try stage.ask(
                        "POST", "/gone/v1/chat/completions", ["Content-Type: application/json"] + shown, body: Self.chat
                    )
                }
                #expect(try spent(shown) == [1, 2])
                #expect(try spent([]).first == 2)
                _ = try stage.daemon.stop()
            }
        }
    }

    @Test func `an answer that says nothing of its usage counts as estimated, and a refusal as a request`() throws {
        try Stage.run(Self.limits("instance = [\"500 tokens/day\", \"50 requests/day\"]")) { call in
            if call.number == 0 { return try call.reply(body: #"{"choices":[]}"#) }
            try call.reply(400, body: #"{"error":{"message":"no","type":"invalid_request_error"}}"#)
        } _: { stage throws in
            #expect(try Self.ask(stage).status == 200)
            #expect(try Self.spent(stage) == [Self.estimate, 1])
            #expect(try Self.ask(stage).status == 400)
            #expect(try Self.spent(stage) == [Self.estimate, 2])
        }
    }

    @Test func `a provider whose limit is reached is passed over`() throws {
        let setting = Stage.Setting.with {
            $0.providers = [
                Stage.provider("a", leads: true, "limits = [\"1 requests/day\"]"), Stage.provider("b"),
            ]
        }
        try Stage.run(setting) {
            try $0.reply(body: Self.answer)
        } _: { stage throws in
            for _ in 0..<3 { #expect(try Self.ask(stage).status == 200) }
            #expect(stage.upstream.requests.map(\.provider) == ["a", "b", "b"])
            // By its name there is nobody else.
            let refused = try stage.ask(
                "POST", "/a/v1/chat/completions", ["Content-Type: application/json"], body: Self.chat)
            #expect(refused.status == 429 && refused.text.contains("provider 'a'"))
            let rows = try stage.records()
            #expect(rows.map(\.provider).prefix(3) == ["a", "b", "b"])
        }
    }

    @Test func `a model's limit goes by the name that the provider is asked for`() throws {
        let setting = Stage.Setting.with {
            $0.provider = "aliases = { fast = \"gpt-5-mini\" }"
            $0.tables = "[[limits.models]]\nmodel = \"gpt-5*\"\nlimits = [\"1 requests/day\"]\n"
        }
        func chat(_ model: String) -> String { Self.chat.replacing("\"m\"", with: "\"\(model)\"") }
        try Stage.run(setting) {
            try $0.reply(body: Self.answer)
        } _: { stage throws in
            #expect(try Self.ask(stage, body: chat("fast")).status == 200)
            let refused = try Self.ask(stage, body: chat("gpt-5"))
            #expect(refused.status == 429 && refused.text.contains("model 'gpt-5*'"))
            #expect(try Self.ask(stage, body: chat("gpt-4")).status == 200)
        }
    }

    @Test func `Anthropic's SDK hears of money in its own words`() throws {
        // Whatever the price is, there is not enough.
        let setting = Stage.Setting.with {
            $0.kind = "anthropic"
            $0.basePath = ""
            $0.tables = "[limits]\nunpriced = \"refuse\"\ninstance = [\"0.000000000001usd\"]\n"
        }
        try Stage.run(setting) { _ in
        } _: { stage throws in
            let refused = try stage.ask(
                "POST", "/v1/messages", ["Content-Type: application/json"],
                body: #"{"model":"no-such-model","max_tokens":5,"messages":[]}"#)
            #expect(refused.status == 403 && refused.problem == "unpriced_model")
            #expect(refused.text.contains(#""type":"permission_error""#))
            #expect(refused.text.contains("no-such-model") && refused.text.contains("menshen prices set"))
        }
    }

    @Test func `a reload keeps what was spent, and a new limit counts it`() throws {
        try Stage.run(Self.limits("instance = [\"2 requests/day\"]")) {
            try $0.reply(body: Self.answer)
        } _: { stage throws in
            for _ in 0..<2 { #expect(try Self.ask(stage).status == 200) }
            #expect(try Self.ask(stage).status == 429)
            try stage.daemon.reload(
                Stage.configuration(
                    Self.limits("instance = [\"3 requests/day\", \"100 tokens/month\"]"), stage.upstream))
            #expect(try Self.ask(stage).status == 200)
            #expect(try Self.ask(stage).status == 429)
            #expect(try Self.spent(stage) == [3, 21])
        }
    }

    @Test func `what was spent survives kill -9, and a request that was under way counts`() throws {
        let directory = try TemporaryDirectory()
        let setting = Self.limits("instance = [\"3 requests/month\", \"10000 tokens/month\"]")
        let begun = try Signal()
        try Stage.run(setting, in: directory) { call in
            if call.request.text.contains("hang") {
                begun.raise()
                return try call.waitForEnd()
            }
            try call.reply(body: Self.answer)
        } _: { stage throws in
            #expect(try Self.ask(stage).status == 200)
            // The page is made of the records, and with that its row is complete.
            #expect(try stage.ask("GET", "/_menshen/status").status == 200)
            #expect(try Self.spent(stage) == [1, 7])
            let caller = try stage.caller()
            try caller.request(
                "POST", "/v1/chat/completions", ["Content-Type: application/json"],
                body: Self.chat.replacing("\"m\"", with: "\"hang\""))
            try begun.wait()
            try stage.daemon.kill()
        }
        try Stage.run(setting, in: directory) {
            try $0.reply(body: Self.answer)
        } _: { stage throws in
            #expect(try Self.ask(stage).status == 200)
            #expect(try Self.ask(stage).status == 429)
            // Of a model that never answered it is 1,000 tokens each way.
            #expect(try Self.spent(stage) == [3, 2014])
        }
    }

    @Test func `a stored answer is a request and costs nothing`() throws {
        let setting = Stage.Setting.with {
            $0.tables =
                "[cache]\nenable = true\nmax_age = \"1h\"\n[limits]\ninstance = [\"3 requests/day\", \"1000 tokens/day\"]\n"
        }
        try Stage.run(setting) {
            try $0.reply(body: Self.answer)
        } _: { stage throws in
            for _ in 0..<3 { #expect(try Self.ask(stage).status == 200) }
            #expect(stage.upstream.requests.count == 1)
            #expect(try Self.spent(stage) == [3, 7])
            #expect(try Self.ask(stage).status == 429)
        }
    }

    @Test func `thresholds are in the log, and a command hears of them`() throws {
        let directory = try TemporaryDirectory()
        let figures = directory.path("figures")
        let setting = Self.limits(
            """
            instance = ["2 requests/month"]
            notify = [50]
            notify_command = ["/bin/sh", "-c", "env | grep MENSHEN_ | sort > \(figures).new && mv \(figures).new \(figures)"]
            """)
        try Stage.run(setting, in: directory) {
            try $0.reply(body: Self.answer)
        } _: { stage throws in
            for _ in 0..<2 { #expect(try Self.ask(stage).status == 200) }
            var text = ""
            for _ in 0..<1000 where text.isEmpty {
                text = TemporaryDirectory.read(figures) ?? ""
                if text.isEmpty { _ = try stage.ask("GET", "/_menshen/health") }
            }
            for line in [
                "MENSHEN_HOLDER_KIND=instance", "MENSHEN_LIMIT=2 requests/month", "MENSHEN_PERCENT=50",
                "MENSHEN_SPENT=1 requests", "-01T00:00:00+00:00",
            ] { #expect(text.contains(line), "\(line) in \(text)") }
            #expect(stage.daemon.log.split(separator: "50 % of the limit").count == 2)
        }
    }

    @Test func `a header tells what is left where that is asked for`() throws {
        var setting = Self.limits("instance = [\"5 requests/day\"]")
        setting.tables += "[server]\ndebug_headers = true\n"
        try Stage.run(setting) {
            try $0.reply(body: Self.answer)
        } _: { stage throws in
            #expect(try Self.ask(stage)["x-menshen-budget-remaining"] == "4 requests of 5 requests/day (instance)")
        }
        try Stage.run(Self.limits("instance = [\"5 requests/day\"]")) {
            try $0.reply(body: Self.answer)
        } _: { stage throws in
            #expect(try Self.ask(stage)["x-menshen-budget-remaining"] == nil)
        }
    }

    @Test func `a token's holder sees its key in LiteLLM's shape, and nobody else's limits`() throws {
        var setting = Self.limits("instance = [\"5 requests/day\"]")
        setting.hasTCP = true
        setting.provider = "limits = [\"9 requests/day\"]"
        try Stage.run(setting) {
            try $0.reply(body: Self.answer)
        } _: { stage throws in
            let key = try stage.askTCP("GET", "/key/info")
            #expect(key.status == 200)
            #expect(key.text.contains(#""key":"default","info":{"key_name":"default""#))
            #expect(key.text.contains(#""max_budget":null"#) && !key.text.contains(Stage.token))
            #expect(try stage.ask("GET", "/key/info").status == 404)
            #expect(try stage.askTCP("GET", "/key/info", []).status == 401)
            let own = try stage.askTCP("GET", "/_menshen/usage")
            #expect(own.text.contains("5 requests/day") && !own.text.contains("9 requests/day"))
            #expect(try stage.ask("GET", "/_menshen/usage").text.contains("9 requests/day"))
            #expect(try stage.askTCP("GET", "/_menshen/usage", []).status == 401)
        }
    }

    @Test func `a zone that is not there is a fault`() throws {
        try Stage.run {
            try $0.reply(body: Self.answer)
        } _: { stage throws in
            try stage.daemon.reload(
                Stage.configuration(.with { $0.tables = "[limits]\ntimezone = \"Mars/Base\"\n" }, stage.upstream))
            #expect(stage.daemon.log.contains("no such time zone"))
            #expect(try Self.ask(stage).status == 200)
        }
    }
}
