// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct KeyFileTests {
    private func run(
        _ key: String, in directory: TemporaryDirectory, environment: [String: String] = [:],
        _ act: (Stage) throws -> Void
    ) throws {
        try Stage.run(
            .with {
                $0.key = key
                $0.daemon.environment = environment
            }, in: directory, upstream: { try $0.reply(body: $0.request["Authorization"] ?? "none") }, act)
    }

    @Test func `a key file is read, and read again when it changes`() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("key", "  first-key \r\n")
        try run("api_key_file = \"\(file)\"", in: directory) { stage throws in
            #expect(try stage.ask().text == "Bearer first-key")
            try directory.write("key", "second-key")
            #expect(try stage.ask().text == "Bearer second-key")
            #expect(stage.upstream.requests.count == 2)
        }
    }

    @Test func `a key file that others may read is refused with the cure`() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("key", "a-key", mode: 0o644)
        try run("api_key_file = \"\(file)\"", in: directory) { stage throws in
            let answer = try stage.ask()
            #expect((answer.status, answer.problem) == (503, "key_unavailable"))
            #expect(answer.text.contains("chmod 600 \(file)"))
            #expect(!answer.text.contains("a-key"))
            #expect(stage.daemon.log.contains("chmod 600"))
            #expect(stage.upstream.connections == 0)
            try directory.write("key", "a-key", mode: 0o600)
            #expect(try stage.ask().text == "Bearer a-key")
        }
    }

    @Test func `a link of our own to a private file is followed`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("real", "linked-key")
        try directory.link("key", to: "real")
        try run("api_key_file = \"\(directory.path("key"))\"", in: directory) { stage throws in
            #expect(try stage.ask().text == "Bearer linked-key")
        }
    }

    @Test(arguments: ["", "\n\n", "two\nlines", "with space", "no\u{e9}ascii", "nul\0byte"])
    func `a file that holds no key is a 503 that does not show it`(text: String) throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("key", text)
        try run("api_key_file = \"\(file)\"", in: directory) { stage throws in
            let answer = try stage.ask()
            #expect((answer.status, answer.problem) == (503, "key_unavailable"))
            #expect(answer["x-should-retry"] == "false")
            for word in ["two\n", "lines\n", "with space", "no\u{e9}", "nul\0"] { #expect(!answer.text.contains(word)) }
            let row = try #require(try stage.records().first)
            #expect((row.status, row.problem) == (503, "key_unavailable"))
        }
    }

    @Test func `a missing key file is a 503, and serves as soon as it is there`() throws {
        let directory = try TemporaryDirectory()
        try run("api_key_file = \"\(directory.path("key"))\"", in: directory) { stage throws in
            let answer = try stage.ask()
            #expect(answer.status == 503)
            #expect(answer.text.contains(directory.path("key")))
            try directory.write("key", "late-key")
            #expect(try stage.ask().text == "Bearer late-key")
        }
    }

    @Test func `a key that goes away for a moment still serves`() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("key", "good-key")
        try run("api_key_file = \"\(file)\"", in: directory) { stage throws in
            #expect(try stage.ask().text == "Bearer good-key")
            directory.remove("key")
            #expect(try stage.ask().text == "Bearer good-key")
            try directory.write("key", "next-key")
            #expect(try stage.ask().text == "Bearer next-key")
        }
    }

    @Test func `a credential of systemd is read by its name`() throws {
        let directory = try TemporaryDirectory()
        let credentials = try directory.makeDirectory("credentials")
        try directory.write("credentials/openai.key", "credential-key", mode: 0o440)
        try run(
            "api_key_credential = \"openai.key\"", in: directory, environment: ["CREDENTIALS_DIRECTORY": credentials]
        ) { stage throws in
            #expect(try stage.ask().text == "Bearer credential-key")
        }
        try run("api_key_credential = \"openai.key\"", in: try TemporaryDirectory()) { stage throws in
            let answer = try stage.ask()
            #expect(answer.status == 503)
            #expect(answer.text.contains("LoadCredential=openai.key"))
        }
    }

    @Test func `a key of the environment is filled in`() throws {
        try run("api_key = \"${SOME_KEY}\"", in: try TemporaryDirectory(), environment: ["SOME_KEY": "env-key"]) {
            stage throws in
            #expect(try stage.ask().text == "Bearer env-key")
        }
    }

    @Test func `a provider without a key gets none`() throws {
        try run("", in: try TemporaryDirectory()) { stage throws in
            #expect(try stage.ask("GET", "/v1/models", ["Authorization: Bearer mine"]).text == "none")
        }
    }

    @Test func `a key that was read anew is not blamed for the field that menshen had added`() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("key", "first-key")
        let body = #"{"model":"m","stream":true}"#
        try Stage.run(.with { $0.key = "api_key_file = \"\(file)\"" }, in: directory) { call in
            if call.request["Authorization"] == "Bearer first-key" {
                try directory.write("key", "second-key")
                try call.reply(401, body: "{}")
            } else if call.request.text.contains("stream_options") {
                try call.reply(400, body: "{}")
            } else {
                try call.reply(body: "good")
            }
        } _: { stage throws in
            let answer = try stage.ask("POST", "/v1/chat/completions", ["Content-Type: application/json"], body: body)
            #expect(answer.status == 200 && answer.text == "good")
            #expect(stage.upstream.requests.count == 3)
        }
    }
}
