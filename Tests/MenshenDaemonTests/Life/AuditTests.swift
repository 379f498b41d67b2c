// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
import TestSupport
import Testing

struct AuditTests {
    /// With a journal there is a second device, and requests go on.
    static var hasJournal: Bool { access("/run/systemd/journal/socket", F_OK) == 0 }

    @Test(.enabled(if: !hasJournal))
    func `without any place for records requests are refused, and the provider's answer is thrown away`() throws {
        try Stage.run(.with { $0.tables = "[storage.sqlite]\npath = \"/proc/menshen/no.db\"" }) {
            try $0.reply(body: "must not be seen")
        } _: { stage throws in
            for path in ["/v1/chat/completions", "/v1/messages"] {
                let answer = try stage.ask("POST", path, body: "{}")
                #expect((answer.status, answer.problem) == (503, "audit_unavailable"))
                #expect(!answer.text.contains("must not be seen"))
                #expect((answer["x-should-retry"], answer["Retry-After"]) == ("true", "1"))
            }
            #expect(stage.daemon.log.contains("/proc/menshen"))
        }
    }

    @Test func `bodies are stored only when asked for, cut, and with the key masked`() throws {
        try Stage.run(
            .with {
                $0.tables = "[logging]\nlog_request_body = true\nlog_response_body = true\nmax_body_bytes = \"64B\""
            }
        ) {
            try $0.reply(body: "echo \($0.request["Authorization"] ?? "") " + String(repeating: "b", count: 100))
        } _: { stage throws in
            let answer = try stage.ask("POST", "/v1/x", body: "prompt with \(Stage.key) in it")
            #expect(answer.text.contains(Stage.key))
            _ = try stage.daemon.stop()
            let bodies = try stage.daemon.bodies()
            #expect(bodies.count == 2)
            #expect(bodies.allSatisfy { !$0.contains(Stage.key) && $0.utf8.count <= 64 })
            #expect(bodies[0].hasPrefix("prompt with ****"))
        }
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            _ = try stage.ask("POST", "/v1/x", body: "prompt")
            _ = try stage.daemon.stop()
            #expect(try stage.daemon.bodies().isEmpty)
        }
    }

    @Test func `an answer's first byte waits for its record`() throws {
        let seen = try Signal()
        try Stage.run { call in
            try call.beginStream()
            try call.chunk("x")
            try seen.wait()
            try call.endStream()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            let head = try caller.head()
            let rows = try stage.daemon.rows()
            #expect(rows.map(\.textID) == [head["x-menshen-request-id"]])
            seen.raise()
            while try caller.chunk() != nil {}
        }
    }
}
