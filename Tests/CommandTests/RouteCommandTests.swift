// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct RouteCommandTests {
    private let directory: TemporaryDirectory
    private let file: String

    init() throws {
        directory = try TemporaryDirectory()
        file = try directory.write(
            "c.toml",
            """
            [[providers]]
            name = "big"
            base_url = "https://api.example/v1"
            models = ["gpt-*"]
            aliases = { fast = "gpt-4.1-mini" }
            weight = 3
            [[providers]]
            name = "local"
            base_url = "http://127.0.0.1:1"
            model = "qwen"
            [[providers]]
            name = "claude"
            base_url = "https://api.anthropic.com"
            [[providers]]
            name = "off"
            base_url = "https://off.example"
            weight = 0

            """)
    }

    private func explain(_ arguments: String...) throws -> MenshenProgram.Result {
        try MenshenProgram.run(["route", "--explain", "--config", file] + arguments, in: directory)
    }

    @Test func `it names who fits, with share, address and model, and why the others do not`() throws {
        let result = try explain("--model", "gpt-4.1")
        #expect(result.exit == .code(0))
        for part in [
            "yes  big: first in 75.0 %", "https://api.example/v1/chat/completions", "yes  local: first in 25.0 %",
            "http://127.0.0.1:1/v1/chat/completions", "is asked for qwen (its model)",
            "no   claude: its kind is anthropic", "no   off: switched off", "in this order: big, local",
        ] { #expect(result.output.contains(part), "\(part)") }
    }

    @Test func `lists of models, aliases and names in the path decide`() throws {
        #expect(try explain("--model", "llama").output.contains("no   big: its models (gpt-*) do not have llama"))
        let alias = try explain("--model", "fast").output
        #expect(alias.contains("is asked for gpt-4.1-mini (its alias of fast)"))
        #expect(alias.contains("no   local: fast is an alias that others have"))
        #expect(try explain("--path", "/claude/v1/models").output.contains("yes  claude: named by the path"))
    }

    @Test func `what would be refused is told as it would be answered`() throws {
        let off = try explain("--path", "/off/v1/models")
        #expect(off.exit == .code(1))
        #expect(off.output.contains("Answered 503 no_provider: Provider 'off' is switched off"))
        #expect(try explain("--path", "/a/../b").exit == .code(64))
    }

    @Test func `a broken configuration is told like everywhere`() throws {
        try directory.write("c.toml", "x = 1")
        #expect(try explain().exit == .code(78))
    }
}

struct StatusCommandTests {
    @Test func `the running daemon tells what it knows of its providers, over all workers`() throws {
        try Stage.run(
            .with { $0.tables = "[server]\nworkers = 3\n[failover]\nbreaker_failures = 1\nbreaker_pause = \"60s\"" }
        ) {
            try $0.reply(503)
        } _: { stage throws in
            let before = try MenshenProgram.run(["status", "--socket", stage.daemon.socketPath], in: stage.directory)
            #expect(before.exit == .code(0))
            #expect(before.output.contains("serving"))
            #expect(before.output.contains("openai"))
            #expect(!before.output.contains(Stage.key))
            #expect(try stage.ask().status == 503)
            let after = try MenshenProgram.run(["status", "--socket", stage.daemon.socketPath], in: stage.directory)
            // Whichever worker had it, and whichever is asked.
            #expect(after.output.contains("failing, again in 1 s"), "\(after.output)")
            #expect(after.output.contains("server_error (503)"))
            let json = try MenshenProgram.run(
                ["status", "--json", "--socket", stage.daemon.socketPath], in: stage.directory)
            #expect(json.output.contains(#""last_failure":{"reason":"server_error","status":503"#), "\(json.output)")
        }
    }

    @Test func `without a daemon it says so`() throws {
        let directory = try TemporaryDirectory()
        let result = try MenshenProgram.run(["status", "--socket", directory.path("none.sock")], in: directory)
        #expect(result.exit == .code(69))
        #expect(result.error.contains("none.sock"))
    }
}
