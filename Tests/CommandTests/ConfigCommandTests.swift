// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct ConfigCommandTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func run(_ arguments: String...) throws -> MenshenProgram.Result {
        try MenshenProgram.run(arguments, in: directory)
    }

    @Test func `check says that a good file is good`() throws {
        let file = try directory.write("c.toml", "[[providers]]\nbase_url = \"http://127.0.0.1:1/v1\"\n")
        let result = try run("config", "check", file)
        #expect((result.exit, result.output, result.error) == (.code(0), "\(file): ok\n", ""))
    }

    @Test func `check tells every fault at once, with its place, and exits 78`() throws {
        let file = try directory.write(
            "c.toml",
            """
            listne = ":8080"
            [server]
            idle_timeout = "soon"
            [auth]
            token = "${NO_SUCH_VARIABLE}"
            [[providers]]
            base_url = "ftp://x"
            kind = "opnai"

            """)
        let result = try run("config", "check", file)
        #expect(result.exit == .code(78))
        #expect(result.output == "")
        for part in [
            "\(file):1:1: ", "listen", "\(file):3:16: ", "\(file):5:", "NO_SUCH_VARIABLE", "\(file):7:12: ",
            "\(file):8:8: ", "\"openai\"",
        ] {
            #expect(result.error.contains(part), "\(part)")
        }
    }

    @Test func `check of a file that is not there says how to get one`() throws {
        let result = try run("config", "check", directory.path("none.toml"))
        #expect(result.exit == .code(78))
        #expect(result.error.contains("config init"))
    }

    @Test func `show prints defaults and masks every secret`() throws {
        let file = try directory.write(
            "c.toml",
            """
            [auth]
            token = "token-of-callers"
            user = "admin"
            password = "page-password"
            [[providers]]
            base_url = "http://127.0.0.1:1/v1"
            api_key = "sk-real-key"
            proxy = "http://u:proxy-password@127.0.0.1:3"
            headers = { "X-Secret" = "header-secret" }

            """)
        let result = try run("config", "show", file)
        #expect(result.exit == .code(0))
        #expect(result.output.contains("gap_timeout"))
        for secret in ["token-of-callers", "page-password", "sk-real-key", "proxy-password", "header-secret"] {
            #expect(!result.output.contains(secret) && !result.error.contains(secret), "\(secret)")
        }
    }

    @Test func `init writes a private file that check accepts, and never overwrites one`() throws {
        let first = try run("config", "init")
        let file = directory.path("config/menshen/config.toml")
        #expect(first.exit == .code(0))
        #expect(first.output.contains(file))
        #expect(TemporaryDirectory.mode(file) == 0o600)
        #expect(TemporaryDirectory.mode(directory.path("config/menshen")) == 0o700)
        let environment = ["OPENAI_API_KEY": "k", "PROXY_TOKEN": "a-long-token"]
        let check = try MenshenProgram.run(["config", "check"], in: directory, environment: environment)
        #expect(check.exit == .code(0), "\(check.error)")
        try directory.write("config/menshen/config.toml", "mine")
        let second = try run("config", "init")
        #expect(second.exit == .code(73))
        #expect(second.error.contains(file))
        #expect(TemporaryDirectory.read(file) == "mine")
    }

    @Test func `init follows no link`() throws {
        _ = try directory.makeDirectory("config")
        _ = try directory.makeDirectory("config/menshen")
        try directory.link("config/menshen/config.toml", to: directory.path("elsewhere"))
        #expect(try run("config", "init").exit == .code(73))
        #expect(TemporaryDirectory.read(directory.path("elsewhere")) == nil)
    }

    @Test func `init can print in place of writing`() throws {
        let printed = try run("config", "init", "--print")
        #expect(printed.exit == .code(0))
        #expect(printed.output.contains("[[providers]]"))
        #expect(TemporaryDirectory.mode(directory.path("config")) == nil)
    }
}
