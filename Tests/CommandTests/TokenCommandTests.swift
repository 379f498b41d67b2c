// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// `menshen token`, and the menshen that it speaks to.
struct TokenCommandTests {
    private static func run(_ words: [String], _ stage: Stage) throws -> MenshenProgram.Result {
        try MenshenProgram.run(["token"] + words + ["--socket", stage.daemon.socketPath], in: stage.directory)
    }

    private static func play(_ act: (Stage) throws -> Void) throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            try $0.reply()
        } _: {
            try act($0)
        }
    }

    @Test func `a token is alone on the output, and what it may do on the other`() throws {
        try Self.play { stage in
            let made = try Self.run(
                [
                    "create", "ci", "--provider", "openai", "--model", "gpt-*", "--model", "o*", "--path", "/v1/*",
                    "--operation", "models", "--expires", "30d", "--budget", "5usd/day", "--requests", "1000/day",
                    "--rpm",
                    "60", "--tpm", "90000", "--concurrency", "4", "--max-errors", "9", "--note", "the build",
                ], stage)
            #expect(made.exit == .code(0), "\(made.error)")
            #expect(made.output.hasPrefix("mns_") && made.output.utf8.count == 41)
            let token = String(made.output.dropLast())
            #expect(!made.error.contains(token))
            let terms =
                "provider openai; models gpt-*, o*; operation models; path /v1/*; 5usd/day; 1000requests/day; "
                + "60requests/minute; 90000tokens/minute; 4 at a time; 9 errors in a row; expires "
            #expect(made.error.contains(terms), "\(made.error)")
            #expect(made.error.contains("menshen token revoke ci"))
            let shown = try Self.run(["show", "ci"], stage)
            for part in ["name", "valid", "gpt-*, o*", "/v1/*", "90000tokens/minute", "the build", "9 in a row"] {
                #expect(shown.output.contains(part), "\(shown.output)")
            }
            #expect(!shown.output.contains(token))
            let json = try Self.run(["show", "ci", "--json"], stage).output
            #expect(
                json.contains(#""limits":["5usd/day","1000requests/day","60requests/minute","90000tokens/minute"]"#))
        }
    }

    @Test func `a token is changed, replaced, listed and taken away`() throws {
        try Self.play { stage in
            func ask(_ token: String) throws -> Int {
                try stage.askTCP("GET", "/v1/models", ["x-api-key: \(token)"]).status
            }
            let first = String(try Self.run(["create", "ci", "--model", "a", "--note", "n"], stage).output.dropLast())
            let edited = try Self.run(["edit", "ci", "--clear", "model", "--clear", "note", "--rpm", "7"], stage)
            #expect((edited.exit, edited.output) == (.code(0), ""))
            #expect(edited.error.contains("Token 'ci': 7requests/minute."))
            let second = String(try Self.run(["rotate", "ci", "--grace", "1h"], stage).output.dropLast())
            #expect(try ask(first) == 200 && ask(second) == 200)
            #expect(try Self.run(["show", "ci"], stage).output.contains("the token before it counts until"))
            let third = try Self.run(["rotate", "ci", "--json"], stage)
            #expect(third.error == "" && third.output.contains(#""token":"mns_"#))
            #expect(try ask(first) == 401 && ask(second) == 401)
            let listed = try Self.run(["list"], stage).output.split(separator: "\n")
            #expect(listed.map { $0.prefix(7).filter { $0 != " " } } == ["NAME", "default", "ci"])
            let revoked = try Self.run(["revoke", "ci", "--now"], stage)
            #expect((revoked.exit, revoked.output) == (.code(0), "") && revoked.error.contains("has ended"))
            #expect(try Self.run(["list"], stage).output.contains("ci ") == false)
            #expect(try Self.run(["list", "--all"], stage).output.contains("revoked"))
            #expect(try Self.run(["list", "--all", "--json"], stage).output.contains(#""state":"revoked""#))
        }
    }

    @Test func `what menshen refuses is told in its words, with exit code 1`() throws {
        try Self.play { stage in
            for (words, sentence) in [
                (["revoke", "nobody"], "no token 'nobody' in use"), (["show", "nobody"], "menshen token list"),
                (["create", "a b"], "no space"), (["create", "x", "--budget", "five"], "'five' is no limit"),
                (["create", "x", "--expires", "soon"], "no time to expire"),
                (["create", "x", "--provider", "opena"], "no provider 'opena'"),
                (["create", "default"], "[auth]"), (["edit", "default", "--rpm", "3"], "no token 'default' in use"),
                (["show", "default"], "menshen config show"),
            ] {
                let result = try Self.run(words, stage)
                #expect((result.exit, result.output) == (.code(1), ""), "\(words)")
                #expect(result.error.contains(sentence), "\(words): \(result.error)")
            }
            let usage = try Self.run(["edit", "ci", "--clear", "models"], stage)
            #expect(usage.exit == .code(64) && usage.error.contains("does not know 'models'"))
        }
    }

    @Test func `without a running menshen it says how to start one`() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("c.toml", "")
        let result = try MenshenProgram.run(["token", "list", "--config", file], in: directory)
        #expect(result.exit == .code(69) && result.error.contains("systemctl --user enable --now menshen.socket"))
    }
}
