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
            for path in ["/v1/chat/completions", "/v1/messages", "/v1/chat/completions", "/v1/embeddings"] {
                let answer = try stage.ask("POST", path, body: "{}")
                #expect((answer.status, answer.problem) == (503, "audit_unavailable"))
                #expect(!answer.text.contains("must not be seen"))
                #expect((answer["x-should-retry"], answer["Retry-After"]) == ("true", "1"))
            }
            #expect(stage.daemon.log.contains("/proc/menshen"))
            // Nobody knew before the first one's receipt; the others wait for theirs, and are not sent.
            #expect(stage.upstream.requests.count <= 1)
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

    @Test func `an answer's first byte waits until its intent is on file`() throws {
        let directory = try TemporaryDirectory()
        var names: [String] = []
        let script: FakeUpstream.Script = { call in
            if call.request.target == "/v1/quick" { return try call.reply() }
            try call.beginStream()
            try call.waitForEnd()
        }
        // Killed at the first byte, each time.
        for _ in 0..<5 {
            try Stage.run(in: directory, upstream: script) { stage throws in
                // The database is open then, so that what follows does not wait for it.
                #expect(try stage.ask("GET", "/v1/quick").status == 200)
                let caller = try stage.caller()
                try caller.request("GET", "/v1/slow")
                let head = try caller.head()
                try stage.daemon.kill()
                names.append(head["x-menshen-request-id"] ?? "")
            }
        }
        try Stage.run(in: directory, upstream: script) { stage throws in
            #expect(try stage.ask("GET", "/v1/quick").status == 200)
            let slow = try stage.records().filter { $0.path == "/v1/slow" }
            #expect(slow.map(\.textID) == names && slow.allSatisfy { $0.endState == "lost" })
        }
    }

    @Test(arguments: [true, false])
    func `verbose writes a line for each request, without its query and its key`(isVerbose: Bool) throws {
        try Stage.run(.with { $0.top = "verbose = \(isVerbose)" }) {
            try $0.reply(429)
        } _: { stage throws in
            _ = try stage.ask("GET", "/v1/a?n=in-the-query")
            _ = try stage.ask("GET", "/v1/../b")
            _ = try stage.daemon.stop()
            let lines = stage.daemon.log.split(separator: "\n").filter { $0.hasPrefix("Request ") }
            #expect(lines.count == (isVerbose ? 2 : 0))
            #expect(lines.allSatisfy { !$0.contains("in-the-query") && !$0.contains(Stage.key) })
            guard isVerbose, lines.count == 2 else { return }
            #expect(lines[0].contains("GET /v1/a: complete, status 429") && lines[0].contains("tried openai 429"))
            #expect(lines[1].contains("refused, status 400") && lines[1].contains("problem forbidden_path"))
        }
    }
}
