// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// `menshen key` without a daemon; with one, and on a terminal, it is tested by Tests/e2e/keys.py.
struct KeyCommandLineTests {
    private let directory: TemporaryDirectory
    private let file: String

    init() throws {
        directory = try TemporaryDirectory()
        file = try directory.write(
            "c.toml",
            """
            [[providers]]
            name = "one"
            base_url = "https://api.example/v1"
            api_key_file = "one.key"
            [[providers]]
            name = "none"
            base_url = "http://127.0.0.1:1"
            [[providers]]
            name = "pool"
            base_url = "http://127.0.0.1:1"
            api_keys = ["${A}", "${B}"]
            [[providers]]
            name = "said"
            base_url = "https://api.example/v1"
            api_key_command = ["pass", "show", "hidden-word"]
            [[providers]]
            name = "kept"
            base_url = "https://api.example/v1"
            api_key_credential = "kept.key"

            """)
    }

    private func key(_ arguments: String...) throws -> MenshenProgram.Result {
        try MenshenProgram.run(
            ["key"] + arguments + ["--config", file], in: directory, environment: ["A": "sk-a-key", "B": "sk-b-key"])
    }

    @Test func `the list has a row for each key, with fingerprints and without keys`() throws {
        try directory.write("one.key", "sk-a-key\n")
        let result = try key("list")
        #expect(result.exit == .code(0) && result.error.isEmpty, "\(result.error)")
        let rows = result.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(rows.map { $0[0] } == ["PROVIDER", "one", "none", "pool", "pool", "said", "kept"])
        #expect(rows[1][2] == "file" && rows[1][3] == directory.path("one.key") && rows[1][4] == "0600")
        #expect(rows[1].last == rows[3].last && rows[3].last != rows[4].last)
        #expect(rows[1].last?.hasPrefix("sha256:") == true && rows[1].last?.utf8.count == 15)
        #expect(rows[5][2...3] == ["command", "pass"] && rows[6][2...3] == ["credential", "kept.key"])
        for word in ["sk-a", "sk-b", "hidden-word"] { #expect(!result.output.contains(word)) }
    }

    @Test func `a file that gives no key is told, and so is one that nobody uses`() throws {
        try directory.write("one.key", "sk-a-key", mode: 0o644)
        _ = try directory.makeDirectory("keys")
        try directory.write("keys/none", "sk-b-key")
        let result = try key("list")
        #expect(result.error.contains("'one' has no key:") && result.error.contains("chmod 600"))
        #expect(
            result.error.contains("'none' does not use it: write api_key_file = \"\(directory.path("keys/none"))\""))
        let json = try key("list", "--json").output
        #expect(
            json.contains(
                #"{"provider":"none","key":null,"from":"none","place":null,"mode":null,"changed":null,"fingerprint":null,"trouble":null}"#
            ), "\(json)")
        #expect(json.contains(#""provider":"pool","key":2,"from":"configuration""#))
    }

    @Test(arguments: [("pool", "api_keys in"), ("said", "the command 'pass'"), ("kept", "credential 'kept.key'")])
    func `only a file is written or deleted`(provider: String, source: String) throws {
        for verb in ["set", "remove"] {
            let result = try key(verb, provider)
            #expect(result.exit == .code(78) && result.error.contains(source), "\(result.error)")
            #expect(result.error.contains("api_key_file = \"\(directory.path("keys/\(provider)"))\""))
        }
    }

    @Test func `a file that is no key stays where it is`() throws {
        try directory.write("one.key", "a list\nof things\n")
        let result = try key("remove", "one")
        #expect(result.exit == .code(73) && result.error.contains("nothing was deleted"), "\(result.error)")
        #expect(TemporaryDirectory.read(directory.path("one.key")) != nil)
    }

    @Test(arguments: [
        (["set"], "<name>"), (["set", "onw"], "Did you mean 'one'?"), (["sett", "one"], "'menshen key set'"),
        (["set", "one", "--output", "/x"], "goes with --credential"),
        (["set", "one", "--credential", "--output", "x"], "absolute path"),
    ])
    func `wrong usage is told`(words: [String], sentence: String) throws {
        let result = try MenshenProgram.run(
            ["key"] + words + ["--config", file], in: directory, environment: ["A": "a", "B": "b"])
        #expect(result.exit == .code(64) && result.error.contains(sentence), "\(result.error)")
    }

    @Test func `a test without a daemon says how to start one`() throws {
        let result = try key("test", "one", "--socket", directory.path("none.sock"))
        #expect(result.exit == .code(69) && result.error.contains("menshen status"), "\(result.error)")
    }
}
