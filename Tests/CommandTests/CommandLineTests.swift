// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
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
        for part in ["menshen 0.1.0 (commit ", " libcurl/", " OpenSSL/", " SQLite/"] {
            #expect(long.output.contains(part), "\(part)")
        }
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

    @Test(arguments: [
        (["version"], "menshen --version"), (["-V"], "menshen --version"), (["log"], "menshen logs"),
        (["usgae"], "menshen usage"), (["check"], "menshen config check"), (["init"], "menshen config init"),
        (["reload"], "systemctl --user reload menshen"), (["keys"], "menshen key list"),
        (["tokens"], "menshen token list"), (["token", "creat"], "menshen token create"),
        (["sreve"], "menshen serve"), (["config", "chekc"], "menshen config check"), (["help", "nosuch"], "'nosuch'"),
        (["help", "config", "nosuch"], "'config nosuch'"),
    ])
    func `a word of another tool's is answered with what is meant`(words: [String], meant: String) throws {
        let result = try MenshenProgram.run(words, in: directory)
        #expect((result.exit, result.output) == (.code(64), ""))
        #expect(result.error.contains("there is no command") && result.error.contains(meant), "\(result.error)")
    }

    @Test(arguments: [["serve", "--listen", "nowhere"], ["route", "--path", "x"], ["config", "show", "a", "b"]])
    func `wrong usage shows the usage of that command`(arguments: [String]) throws {
        let file = try directory.write("c.toml", "[[providers]]\nbase_url = \"http://127.0.0.1:1\"\n")
        let result = try MenshenProgram.run(arguments + ["--config", file], in: directory)
        #expect(result.exit == .code(64))
        #expect(result.error.contains(arguments[0] + " "), "\(result.error)")
    }

    @Test func `every command takes --config`() throws {
        let file = try directory.write("c.toml", "[[providers]]\nbase_url = \"http://127.0.0.1:1\"\n")
        for words in [["config", "check"], ["config", "show"], ["route"]] {
            let result = try MenshenProgram.run(words + ["--config", file], in: directory)
            #expect(result.exit == .code(0), "\(words): \(result.error)")
        }
        let new = directory.path("new.toml")
        #expect(try run("config", "init", "--config", new).exit == .code(0))
        #expect(TemporaryDirectory.read(new)?.contains("[[providers]]") == true)
        let demo = try run("demo", "--config", file)
        #expect(demo.exit == .code(64) && demo.error.contains("configuration of its own"))
    }

    /// What the environment says, and what of it the command names.
    @Test(arguments: [
        (["HOME": "", "XDG_CONFIG_HOME": ""], ["config", "check"], "HOME is not set"),
        (["HOME": "home", "XDG_CONFIG_HOME": ""], ["config", "init"], "HOME is 'home'"),
        (["HOME": "", "XDG_CONFIG_HOME": "relative"], ["serve"], "HOME is not set"),
        (["XDG_RUNTIME_DIR": "run"], ["status"], "XDG_RUNTIME_DIR is 'run'"),
        (["XDG_RUNTIME_DIR": "run"], ["serve", "--config", "FILE"], "XDG_RUNTIME_DIR is 'run'"),
        (["XDG_RUNTIME_DIR": "/proc/1"], ["status"], "XDG_RUNTIME_DIR is /proc/1"),
        (
            ["STATE_DIRECTORY": "/a:/b"], ["serve", "--config", "FILE", "--socket", "SOCKET"],
            "STATE_DIRECTORY is '/a:/b'"
        ),
        (["STATE_DIRECTORY": "a"], ["serve", "--config", "FILE", "--socket", "SOCKET"], "STATE_DIRECTORY is 'a'"),
        (
            ["HOME": "", "XDG_STATE_HOME": ""], ["serve", "--config", "FILE", "--socket", "SOCKET"],
            "HOME is not set; hint: set storage.sqlite.path"
        ),
    ])
    func `a variable that leads nowhere is named`(
        _ environment: [String: String], _ words: [String], _ sentence: String
    ) throws {
        // As root, /proc/1 is our own.
        if environment["XDG_RUNTIME_DIR"] == "/proc/1", geteuid() == 0 { return }
        let file = try directory.write("c.toml", "[[providers]]\nbase_url = \"http://127.0.0.1:1\"\n")
        let words = words.map { $0 == "FILE" ? file : $0 == "SOCKET" ? directory.path("run/m.sock") : $0 }
        let result = try MenshenProgram.run(words, in: directory, environment: environment)
        #expect(result.exit != .code(0))
        #expect(result.error.contains(sentence), "\(result.error)")
    }

    @Test func `status says what to type when nobody listens`() throws {
        let socket = directory.path("run/menshen/menshen.sock")
        let fresh = try run("status")
        #expect(fresh.exit == .code(69))
        #expect(fresh.error.contains("menshen config init") && fresh.error.contains(socket), "\(fresh.error)")
        let file = try directory.write("c.toml", "")
        let configured = try run("status", "--config", file)
        #expect(configured.error.contains("systemctl --user enable --now menshen.socket"), "\(configured.error)")
        let elsewhere = try run("status", "--config", file, "--socket", directory.path("s"))
        #expect(elsewhere.error.contains("menshen serve --socket \(directory.path("s"))"), "\(elsewhere.error)")
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
