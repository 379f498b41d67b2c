// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import SQLite
import TestSupport
import Testing

/// What requests cost, from the provider's answer to the row.
struct CostTests {
    private static let json = ["Content-Type: application/json"]
    private static let chat = #"{"model":"gpt-5","messages":[]}"#

    private static func answer(_ model: String = "gpt-5-2025-08-07", _ more: String = "") -> String {
        #"{"object":"chat.completion","model":"\#(model)","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":400}}\#(more)}"#
    }

    private func costs(_ stage: Stage) throws -> [String] {
        let rows = try Connection(path: stage.daemon.databasePath, .readOnly, busyMilliseconds: 5000).prepare(
            """
            SELECT coalesce(cost, '-') || ' ' || cost_state || ' ' || coalesce(cost_reason, '') || ' ' ||
                (price_version IS NOT NULL) FROM requests ORDER BY id
            """)
        var found: [String] = []
        while try rows.step() { found.append(rows.text(0) ?? "") }
        return found
    }

    @Test func `a row says what its request cost by the seller's list, or why it is not known`() throws {
        try Stage.run(.with { $0.provider = "prices = \"openai\"" }) { call in
            let model = call.request.text.contains("unheard") ? "unheard-of" : "gpt-5-2025-08-07"
            if call.request.text.contains("refuse") { return try call.reply(400, Self.json, body: "{}") }
            try call.reply(
                200, Self.json,
                body: Self.answer(model, call.request.text.contains("flex") ? #","service_tier":"flex""# : ""))
        } _: { stage throws in
            for body in [
                Self.chat, #"{"model":"unheard"}"#, #"{"model":"gpt-5","service_tier":"flex"}"#, #"{"model":"refuse"}"#,
            ] {
                _ = try stage.ask("POST", "/v1/chat/completions", Self.json, body: body)
            }
            _ = try stage.records()
            // 600 × 1.25 + 400 × 0.125 + 100 × 10 dollars for a million; flex is half of it.
            #expect(
                try costs(stage) == [
                    "1800000000 priced  1", "- unpriced no price for unheard-of of openai 1", "900000000 priced  1",
                    "0 none  0",
                ])
        }
    }

    @Test func `a local server has no prices unless somebody sets them, and a reload brings them into force`() throws {
        try Stage.run { call in
            try call.reply(200, Self.json, body: Self.answer("mine"))
        } _: { stage throws in
            _ = try stage.ask("POST", "/v1/chat/completions", Self.json, body: Self.chat)
            try stage.directory.write(
                "prices.toml", "[[prices]]\nprovider = \"us\"\nmodel = \"mine\"\ninput = 1\noutput = 0.5\ncached = 0\n")
            try stage.daemon.reload(Stage.configuration(.with { $0.provider = "prices = \"us\"" }, stage.upstream))
            _ = try stage.ask("POST", "/v1/chat/completions", Self.json, body: Self.chat)
            // What cannot be read leaves what is in force.
            try stage.directory.write("prices.toml", "[[prices]]\nprovider = 1\n")
            try stage.daemon.reload(Stage.configuration(.with { $0.provider = "prices = \"free\"" }, stage.upstream))
            #expect(stage.daemon.log.contains("prices.toml:2:12: error: prices[].provider must not be an integer"))
            _ = try stage.ask("POST", "/v1/chat/completions", Self.json, body: Self.chat)
            _ = try stage.records()
            #expect(
                try costs(stage) == [
                    "- unpriced the provider has no list of prices 1", "650000000 priced  1", "650000000 priced  1",
                ])
        }
    }

    @Test func `what is recorded is computed anew with a price that was set, beside the daemon and twice`() throws {
        try Stage.run { call in
            try call.reply(200, Self.json, body: Self.answer("mine"))
        } _: { stage throws in
            func prices(_ arguments: String...) throws -> MenshenProgram.Result {
                try MenshenProgram.run(
                    ["prices"] + arguments + ["--config", stage.daemon.configurationPath], in: stage.directory)
            }
            _ = try stage.ask("POST", "/v1/chat/completions", Self.json, body: Self.chat)
            let set = try prices("set", "mine", "--provider", "us", "--input", "1", "--output", "0.5", "--cached", "0")
            #expect(set.exit == .code(0))
            try stage.daemon.reload(Stage.configuration(.with { $0.provider = "prices = \"us\"" }, stage.upstream))
            #expect(try prices("recompute", "--since", "2020-01-01").exit == .code(0))
            _ = try stage.ask("POST", "/v1/chat/completions", Self.json, body: Self.chat)
            _ = try stage.records()
            #expect(try prices("recompute", "--since", "2020-01-01").exit == .code(0))
            #expect(try prices("recompute", "--since", "2020-01-01").output == "2 rows since 2020-01-01: 0 changed.\n")
            #expect(try costs(stage) == ["650000000 priced  1", "650000000 priced  1"])
        }
    }
}
