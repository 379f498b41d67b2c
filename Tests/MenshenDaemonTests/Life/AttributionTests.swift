// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import Linux
import TestSupport
import Testing

/// Who is said to have asked, in the records.
struct AttributionTests {
    private static let claude = [
        "User-Agent: claude-cli/2.1.3 (external, cli)", "x-claude-code-session-id: session-1",
        "x-claude-code-agent-id: agent-1", "Content-Type: application/json",
    ]
    private static let columns =
        "SELECT coalesce(client, '-') || ' ' || coalesce(session, '-') || ' ' || coalesce(agent, '-') || ' ' || "
        + "coalesce(rule, '-') FROM requests ORDER BY id"

    @Test func `client, session, agent and rule are in the record of each request`() throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            #expect(
                $0.request["x-claude-code-session-id"] == "session-1" || $0.request["x-claude-code-session-id"] == nil)
            try $0.reply()
        } _: { stage throws in
            let caller = try stage.caller()
            for fields in [Self.claude, ["User-Agent: curl/8.5.0"], []] {
                try caller.request("POST", "/v1/chat/completions", fields, body: "{}")
                _ = try caller.answer()
            }
            _ = try stage.askTCP(
                "GET", "/v1/models", ["User-Agent: curl/8.5.0", "Authorization: Bearer \(Stage.token)"])
            #expect(try stage.askTCP("GET", "/v1/models", ["User-Agent: zed/1"]).status == 401)
            _ = try stage.daemon.stop()
            #expect(
                try stage.daemon.texts(Self.columns) == [
                    "claude-code session-1 agent-1 unix", "curl - - unix", "- - - unix", "curl - - token", "zed - - -",
                ])
        }
    }

    @Test func `what a program says of itself is left out where the configuration says so`() throws {
        try Stage.run(.with { $0.tables = "[logging]\nclient_headers = false\ncaller_project = false" }) {
            try $0.reply()
        } _: { stage throws in
            _ = try stage.ask("POST", "/v1/chat/completions", Self.claude, body: "{}")
            _ = try stage.daemon.stop()
            #expect(try stage.daemon.texts(Self.columns) == ["- - - unix"])
            #expect(try stage.daemon.texts("SELECT caller_project FROM requests") == [nil])
        }
    }

    @Test func `a key that stands where a session's id belongs is in no record`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            let shown = "sk-what-the-caller-carries-5d2e"
            for (session, key) in [(shown, shown), ("x \(Stage.key)", shown)] {
                _ = try stage.ask(
                    "POST", "/v1/chat/completions",
                    ["Authorization: Bearer \(key)", "x-claude-code-session-id: \(session)"], body: "{}")
            }
            _ = try stage.daemon.stop()
            #expect(try stage.daemon.texts("SELECT session FROM requests ORDER BY id") == [nil, "x ****************"])
        }
    }

    @Test func `the repository that a caller works in is in its records`() throws {
        let directory = try #require(RepositoryRoot.resolved("."))
        let root = RepositoryRoot.find(from: directory, notBeyond: nil, owner: geteuid())
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            for _ in 0..<2 { _ = try stage.ask("POST", "/v1/chat/completions", [], body: "{}") }
            _ = try stage.daemon.stop()
            #expect(try stage.daemon.texts("SELECT caller_project FROM requests").last == root)
        }
    }

    @Test func `what a request asks for and an answer says of its cost is recorded`() throws {
        try Stage.run {
            try $0.reply(
                body: #"{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cache_write_tokens":5},"cost":9.6e-05}}"#)
        } _: { stage throws in
            let body = #"{"model":"m","service_tier":"flex","speed":"fast","prompt_cache_options":{"ttl":"30m"}}"#
            _ = try stage.ask("POST", "/v1/chat/completions", ["Content-Type: application/json"], body: body)
            _ = try stage.daemon.stop()
            let facts = try stage.daemon.texts(
                "SELECT asked_tier || speed || cache_write || ' ' || cache_write_ttl || ' ' || stated_cost || "
                    + "coalesce(service_tier, '-') FROM requests")
            #expect(facts == ["flexfast5 1800 96000000-"])
        }
    }
}
