// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import Testing

@Suite struct ClientFactsTests {
    private func facts(_ lines: String...) throws -> ClientFacts { ClientFacts(try wireHead(lines)) }

    @Test func `Claude Code names its conversation, and the agent within it`() throws {
        let agent = "User-Agent: claude-cli/2.1.3 (external, cli)"
        #expect(
            try facts(agent, "X-Claude-Code-Session-Id: 6f1d", "x-claude-code-agent-id: reviewer@team")
                == ClientFacts(client: "claude-code", session: "6f1d", agent: "reviewer@team"))
        #expect(try facts(agent) == ClientFacts(client: "claude-code"))
        // Through a library with a name of its own.
        #expect(
            try facts("User-Agent: node", "x-claude-code-session-id: 6f1d")
                == ClientFacts(client: "claude-code", session: "6f1d"))
    }

    @Test func `Codex names its conversation in either spelling, and a thread of its own where it has one`() throws {
        let agent = "User-Agent: codex_cli_rs/0.144.0 (Debian 12.0.0; x86_64) xterm"
        for name in ["session_id", "Session-Id"] {
            #expect(
                try facts(agent, "originator: codex_cli_rs", "\(name): 0198", "thread-id: 0198")
                    == ClientFacts(client: "codex", session: "0198"))
        }
        #expect(
            try facts(agent, "session-id: 0198", "thread-id: 0199")
                == ClientFacts(client: "codex", session: "0198", agent: "0199"))
    }

    @Test(
        arguments: [
            ("GitHubCopilotChat/0.35.0", ["x-interaction-id: i"], "copilot-vscode", "i"),
            ("copilot/1.0.2 (linux) term/unknown", ["X-Client-Session-Id: c"], "copilot-cli", "c"),
            ("OpenAI/JS 5.12.2", ["X-KiloCode-TaskId: k"], "kilo-code", "k"), ("Kilo-Code/4.1", [], "kilo-code", nil),
            ("OpenAI/JS 5.12.2", ["originator: Roo-Code"], "roo-code", nil), ("RooCode/3.52.3", [], "roo-code", nil),
            ("mux/0.1", ["x-mux-workspace-id: m"], "mux", "m"), ("Zed/0.211.4 (linux; x86_64)", [], "zed", nil),
            ("opencode/1.0.7 ai-sdk/openai/2.0", ["x-session-id: s"], "opencode", "s"),
            ("opencode/1.0.7", ["x-session-id: s", "x-opencode-session: o"], "opencode", "o"),
            ("Mozilla/5.0", ["x-cursor-client-version: 2.1"], "cursor", nil),
            ("Charm Crush/0.9", [], "crush", nil), ("GeminiCLI/0.9/gemini-2.5-pro (linux)", [], "gemini-cli", nil),
            ("OpenAI/Python 2.1.0", [], "openai-python", nil), ("AsyncOpenAI/Python 2.1.0", [], "openai-python", nil),
            ("Anthropic/JS 0.60.0", [], "anthropic-js", nil),
            ("AsyncAnthropic/Python 0.7", [], "anthropic-python", nil),
            ("google-genai-sdk/1.40.0 gl-python/3.11", [], "google-genai", nil),
            // Others are called by the product that they name first.
            ("curl/8.5.0", ["session-id: no", "x-session-id: no"], "curl", nil), ("my app", [], "my", nil),
            ("(compatible)", [], nil, nil), ("opencod", [], "opencod", nil), ("\u{e9}t\u{e9}/1", [], nil, nil),
        ] as [(String, [String], String?, String?)])
    func `a client is known by its User-Agent, or by what only it sends`(
        _ userAgent: String, _ fields: [String], _ client: String?, _ session: String?
    ) throws {
        #expect(
            ClientFacts(try wireHead(["User-Agent: " + userAgent] + fields))
                == ClientFacts(client: client, session: session))
    }

    @Test func `a request that says nothing of it gives nothing`() throws {
        #expect(try facts() == ClientFacts())
        #expect(try facts("User-Agent:", "x-claude-code-session-id:", "session_id: s") == ClientFacts())
    }

    @Test(arguments: [
        "Authorization: Bearer token-of-the-caller", "x-api-key: token-of-the-caller", "api-key: token-of-the-caller",
    ])
    func `a credential that the caller shows is not recorded under another name`(_ field: String) throws {
        let claude = "User-Agent: claude-cli/2"
        for value in ["token-of-the-caller", "a token-of-the-caller b"] {
            let shown = try facts(claude, field, "x-claude-code-session-id: \(value)", "x-claude-code-agent-id: b")
            #expect(shown == ClientFacts(client: "claude-code", agent: "b"))
            #expect(
                try facts("User-Agent: \(value.split(separator: " ").count > 1 ? "a" : value)/1", field).session == nil)
        }
        #expect(try facts("User-Agent: token-of-the-caller/1", field) == ClientFacts())
    }

    @Test func `a known key is masked, and what is too long for an id is left out`() throws {
        var masked = try facts("User-Agent: sk-known-key-1/2", "x-mux-workspace-id: of sk-known-key-1")
        masked.mask([Secret("sk-known-key-1")])
        #expect(masked == ClientFacts(client: "mux", session: "of **************"))
        let long = String(repeating: "x", count: 129)
        #expect(
            try facts("User-Agent: mux/1", "x-mux-workspace-id: \(long)") == ClientFacts(client: "mux"))
        #expect(try facts("User-Agent: \(long)") == ClientFacts())
    }

    @Test func `of a repeated field the first counts`() throws {
        #expect(
            try facts("User-Agent: mux/1", "User-Agent: zed/1", "x-mux-workspace-id: a", "x-mux-workspace-id: b")
                == ClientFacts(client: "mux", session: "a"))
    }
}
