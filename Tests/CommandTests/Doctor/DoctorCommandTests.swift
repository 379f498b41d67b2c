// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import TestSupport
import Testing

@testable import menshen

struct DoctorCommandTests {
    private static func run(_ stage: Stage, _ arguments: String...) throws -> MenshenProgram.Result {
        try MenshenProgram.run(
            ["doctor", "--socket", stage.daemon.socketPath, "--config", stage.daemon.configurationPath] + arguments,
            in: stage.directory)
    }

    /// Lines in one, as a sentence is read.
    private static func said(_ result: MenshenProgram.Result) -> String {
        result.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    @Test func `with nothing configured it says how to begin, and makes nothing`() throws {
        let directory = try TemporaryDirectory()
        _ = try directory.makeDirectory("run")
        let result = try MenshenProgram.run(["doctor"], in: directory)
        #expect(result.exit == .code(1) && result.error == "", "\(result.error)")
        let said = Self.said(result)
        for part in [
            "✕ Socket nobody listens on", "→ start it: 'systemctl --user enable --now menshen.socket'",
            "✕ Configuration there is none at \(directory.path("config"))/menshen/config.toml → 'menshen config init'",
            "● Database \(directory.path("state"))/menshen/menshen.db is not there yet",
        ] {
            #expect(said.contains(part), "\(part) in \(result.output)")
        }
        #expect(access(directory.path("state"), F_OK) != 0 && access(directory.path("config"), F_OK) != 0)
    }

    @Test func `one that runs well has nothing failed, and its provider is asked only when told to`() throws {
        try Stage.run(upstream: { try $0.reply(body: #"{"data":[]}"#) }) { stage throws in
            let quiet = try Self.run(stage)
            #expect(quiet.exit == .code(0), "\(quiet.output)")
            for part in [
                "● Version menshen ", "● Socket \(stage.daemon.socketPath) answers (0600, pid ",
                "● Configuration \(stage.daemon.configurationPath), 1 provider", "● Keys 1 in the configuration",
                "● Providers 1 provider in use, none left alone", "● Database \(stage.daemon.databasePath), ",
                "● TCP not in use", " 0 failed No provider was asked",
            ] {
                #expect(Self.said(quiet).contains(part), "\(part) in \(quiet.output)")
            }
            #expect(try stage.daemon.rows().isEmpty)
            #expect(!quiet.output.contains(Stage.key) && !quiet.output.contains(Stage.token))

            let asking = try Self.run(stage, "--online")
            #expect(asking.exit == .code(0) && asking.output.contains("its key works: 200 in "), "\(asking.output)")
            let json = try Self.run(stage, "--json")
            #expect(json.output.hasPrefix(#"{"schema":"menshen.doctor.v1","version":"0.1.0","ok":"#), "\(json.output)")
            #expect(json.output.contains(#"{"subject":"TCP","state":"ok","text":"not in use","fix":null}"#))
        }
    }

    @Test func `a configuration that was changed and not taken is told until it is`() throws {
        try Stage.run(upstream: { try $0.reply() }) { stage throws in
            let text = try #require(TemporaryDirectory.read(stage.daemon.configurationPath))
            #expect(try !Self.said(Self.run(stage)).contains("it was changed at"))
            try stage.directory.write("config.toml", text + "\n# A remark.\n")
            #expect(
                try Self.said(Self.run(stage)).contains(
                    "the running menshen goes by what was there before → 'menshen config check'"))
            try stage.daemon.reload()
            #expect(try !Self.said(Self.run(stage)).contains("it was changed at"))
        }
    }

    @Test func `what a provider answers is told with what to do`() throws {
        let body = #"{"error":{"message":"Incorrect API key"}}"#
        try Stage.run(upstream: { try $0.reply(401, body: body) }) { stage throws in
            let result = try Self.run(stage, "--online")
            #expect(result.exit == .code(1))
            let said = Self.said(result)
            #expect(
                said.contains("✕ openai its key is refused: 401 in ") && said.contains(": Incorrect API key"), "\(said)"
            )
            #expect(said.contains("→ 'menshen key set openai' takes another"), "\(said)")
        }
    }

    @Test func `each fault of a configuration, a key and a database is a line, though no menshen runs`() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write(
            "c.toml",
            """
            listen = "127.0.0.1:1"

            [auth]
            token = "some-token-of-a-caller-1"

            [[providers]]
            name = "lost"
            base_url = "http://127.0.0.1:1"
            api_key_file = "\(directory.path("lost.key"))"

            [[providers]]
            name = "none"
            base_url = "http://127.0.0.1:1"
            """)
        let database = try directory.write("none.db", String(repeating: "no database\n", count: 100))
        let result = try MenshenProgram.run(["doctor", "--config", file, "--database", database], in: directory)
        #expect(result.exit == .code(1))
        let said = Self.said(result)
        for part in [
            "● Configuration \(file), 2 providers", "✕ lost \(directory.path("lost.key")) does not exist",
            "→ 'menshen key set lost'", "✕ Database the records can't be read", "● TCP 127.0.0.1:1 is free",
        ] {
            #expect(said.contains(part), "\(part) in \(result.output)")
        }
        let broken = try directory.write("broken.toml", "lisen = \":8080\"\n[[providers]]\nbase_url = 7\n")
        let faults = Self.said(try MenshenProgram.run(["doctor", "--config", broken], in: directory))
        #expect(faults.contains("✕ Configuration 3:12:"), "\(faults)")
    }

    @Test func `a port that somebody else has is told`() throws {
        let directory = try TemporaryDirectory()
        let held = try FreePort.listener()
        let port = held.number
        defer { withExtendedLifetime(held) {} }
        let file = try directory.write(
            "c.toml",
            "listen = \"127.0.0.1:\(port)\"\n[auth]\ntoken = \"some-token-of-a-caller-1\"\n[[providers]]\nbase_url = \"http://127.0.0.1:1\"\n"
        )
        let result = try MenshenProgram.run(["doctor", "--config", file], in: directory)
        #expect(
            Self.said(result).contains(" has 127.0.0.1:\(port), so menshen cannot listen there"), "\(result.output)")
    }

    /// A service manager that says of units what `words` does, a shell's `case` on the arguments.
    private static func managed(_ words: String) throws -> String {
        let directory = try TemporaryDirectory()
        let file = try directory.write(
            "c.toml", "[[providers]]\nname = \"one\"\nbase_url = \"http://127.0.0.1:1\"\n")
        try directory.write("systemctl", "#!/bin/sh\ncase \"$*\" in\n\(words)\n*) exit 1;; esac\n", mode: 0o700)
        let result = try MenshenProgram.run(
            ["doctor", "--config", file], in: directory, environment: ["PATH": "\(directory.path):/usr/bin:/bin"])
        return "\(result.exit) \(said(result))"
    }

    @Test func `one that sleeps is fine and is not woken, and a unit that has failed is told`() throws {
        let asleep = try Self.managed(
            "*'ActiveState menshen.socket menshen.service') echo ActiveState=active; echo ActiveState=inactive;;")
        #expect(asleep.hasPrefix("code(0)"), "\(asleep)")
        #expect(asleep.contains("menshen.sock: systemd listens; menshen sleeps until it is asked for something"))
        let failed = try Self.managed(
            """
            *'ActiveState menshen.service') echo ActiveState=failed;;
            *menshen-tcp.socket) echo ActiveState=failed; echo 'Listen=127.0.0.1:8080 (Stream)';;
            """)
        #expect(failed.hasPrefix("code(1)"))
        for part in [
            "✕ Unit menshen.service has failed", "✕ TCP menshen-tcp.socket has failed", "may have 127.0.0.1:8080",
            "→ 'ss -ltnp' shows who",
        ] {
            #expect(failed.contains(part), "\(part) in \(failed)")
        }
    }

    @Test func `a finding fits its terminal, and no name reaches it as it is`() {
        let finding = Finding.failed(
            "gemini\u{1b}[2J", "left alone: 5 failures in a row (503)", "menshen logs --provider gemini")
        let style = ReportStyle(width: 44, hasColour: false, isASCII: false)
        #expect(
            finding.lines(style) == [
                "✕ gemini\\u001b[2J left alone: 5 failures in",
                "                  a row (503)",
                "                  → menshen logs --provider",
                "                    gemini",
            ])
        let plain = finding.lines(ReportStyle(width: nil, hasColour: true, isASCII: true))
        #expect(
            plain[0].hasPrefix("\u{1b}[31mx\u{1b}[0m gemini") && plain[1].hasSuffix("-> menshen logs --provider gemini")
        )
    }
}
