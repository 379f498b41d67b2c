// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct CommandLineTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func run(_ arguments: String...) throws -> MenshenProgram.Result {
        try MenshenProgram.run(arguments, in: directory)
    }

    @Test func `the version is one line, however it is asked for`() throws {
        let long = try run("--version")
        let short = try run("-version")
        #expect(long.exit == .code(0))
        #expect(long.output.split(separator: "\n").count == 1)
        #expect((short.exit, short.output) == (long.exit, long.output))
    }

    @Test(arguments: ["--help", "-h", "-help", "help"])
    func `help goes to the output and is a success`(word: String) throws {
        let result = try run(word)
        #expect((result.exit, result.error) == (.code(0), ""))
        for part in ["serve", "config", "--version"] { #expect(result.output.contains(part), "\(part)") }
    }

    @Test(arguments: [
        ["bogus"], ["--bogus"], ["-bogus"], ["serve", "--bogus"], ["serve", "extra"], ["config", "bogus"],
        ["serve", "--listen"],
        ["serve", "--listen", "nowhere"], ["config", "show", "a", "b"], ["-listen", "nowhere"],
    ])
    func `wrong usage is told on stderr and exits 64`(arguments: [String]) throws {
        let result = try MenshenProgram.run(arguments, in: directory)
        #expect(result.exit == .code(64))
        #expect(result.output == "")
        #expect(result.error.contains("Usage:") || result.error.contains("USAGE:"))
    }

    @Test func `serve with a broken configuration tells every fault and exits 78`() throws {
        let file = try directory.write("c.toml", "a = 1\nb = 2\n[[providers]]\nbase_url = \"http://127.0.0.1:1\"\n")
        for arguments in [["serve", "--config", file], ["-config", file], ["-config=\(file)"]] {
            let result = try MenshenProgram.run(arguments, in: directory)
            #expect(result.exit == .code(78))
            #expect(result.error.contains("\(file):1:1:") && result.error.contains("\(file):2:1:"))
        }
    }

    @Test func `serve without a configuration says how to write one`() throws {
        let result = try run("serve")
        #expect(result.exit == .code(78))
        #expect(result.error.contains("config init"))
    }

    @Test func `a printed configuration is one that is accepted`() throws {
        let printed = try run("-gen-config")
        #expect((printed.exit, printed.error) == (.code(0), ""))
        let file = try directory.write("config.toml", printed.output)
        let environment = ["OPENAI_API_KEY": "k", "PROXY_TOKEN": "a-long-token"]
        let check = try MenshenProgram.run(["config", "check", file], in: directory, environment: environment)
        #expect(check.exit == .code(0), "\(check.error)")
    }
}
