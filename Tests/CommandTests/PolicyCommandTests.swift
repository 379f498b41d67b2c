// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct PolicyCommandTests {
    private let directory: TemporaryDirectory
    private let file: String

    private static let providers = """
        [[providers]]
        name = "big"
        base_url = "https://api.example/v1"
        aliases = { fast = "o3" }
        [[providers]]
        name = "local"
        base_url = "http://127.0.0.1:1"
        model = "qwen"

        """

    init() throws {
        directory = try TemporaryDirectory()
        file = try directory.write(
            "c.toml",
            """
            [[callers]]
            name = "admin"
            token = "admin"
            [[callers]]
            name = "ops"
            user = "root"
            [[callers]]
            name = "students"
            group = ["7001", "7002"]
            models = ["gpt-*", "fast"]
            \(Self.providers)
            """)
    }

    private func test(_ arguments: String...) throws -> MenshenProgram.Result {
        try MenshenProgram.run(["policy", "test", "--config", file] + arguments, in: directory)
    }

    @Test func `it says which rule matches, why earlier ones do not, and which providers are left`() throws {
        let result = try test("--user", "4242", "--group", "7002", "--model", "gpt-4.1")
        #expect(result.exit == .code(0), "\(result.output) \(result.error)")
        for part in [
            "caller    uid 4242", "no  admin (line 1): its token is admin", "no  ops (line 4): its user is root",
            "yes students (line 7): matches", "yes caller: the rule 'students' decides",
            "yes head: path and operation 'chat' are allowed", "yes model: 'gpt-4.1' is allowed",
            "yes big: is asked for gpt-4.1",
            "no  local: The rule 'students' of [[callers]] does not allow the model 'qwen'", "Allowed.",
        ] { #expect(result.output.contains(part), "\(part) in \(result.output)") }
    }

    @Test func `what would be refused is told as it would be answered`() throws {
        let alias = try test("--user", "4242", "--group", "7001", "--model", "fast")
        #expect(alias.exit == .code(1))
        #expect(
            alias.output.contains(
                "Refused: answered 403 denied_by_policy: The rule 'students' of [[callers]] does not allow the model 'o3', which provider 'big'"
            ))
        let nobody = try test("--user", "4242", "--model", "gpt-4.1")
        #expect(
            nobody.exit == .code(1) && nobody.output.contains("No rule of [[callers]] is for this caller (uid 4242)"))
        #expect(try test("--token", "admin", "--model", "o3").exit == .code(0))
        let both = try test("--user", "4242", "--group", "7001", "--token", "admin", "--model", "o3")
        #expect(both.exit == .code(1) && both.output.contains("without its token it falls under 'students'"))
        #expect(try test("--user", "root", "--model", "o3").exit == .code(0))
        let json = try test("--user", "4242", "--group", "7001", "--model", "o3", "--json")
        #expect(
            json.output.hasPrefix(
                #"{"allowed":false,"rule":"students","without_token":null,"model":"o3","rules":[{"name":"admin (line 1)","result":"no""#
            ))
        #expect(json.output.contains(#""status":403,"code":"denied_by_policy""#))
    }

    @Test func `jobs and projects are asked about, too`() throws {
        try directory.write(
            "c.toml",
            "[[callers]]\nname = \"batch\"\njob = \"17\"\n[[callers]]\nname = \"notes\"\nproject = \"notes\"\n\(Self.providers)"
        )
        let job = try test("--user", "4242", "--job", "17.0", "--model", "m")
        #expect(job.exit == .code(0) && job.output.contains("yes caller: the rule 'batch' decides"))
        let project = try test("--user", "4242", "--job", "18.0", "--project", "/src/notes", "--model", "m")
        #expect(project.exit == .code(0) && project.output.contains("no  batch (line 1): its job is 17"))
        let none = try test("--user", "4242", "--model", "m")
        #expect(none.exit == .code(1) && none.output.contains("its project is notes"))
    }

    /// A menshen with such tokens, and the file that it leaves.
    private func withTokens(_ act: (Stage) throws -> Void) throws {
        try Stage.run(.with { $0.hasTCP = true }, in: directory) {
            try $0.reply()
        } _: { stage throws in
            for words in [
                ["create", "ci", "--model", "gpt-*", "--budget", "5usd/day"], ["create", "gone"], ["create", "free"],
                ["revoke", "gone"],
            ] {
                let done = try MenshenProgram.run(
                    ["token"] + words + ["--socket", stage.daemon.socketPath], in: stage.directory)
                #expect(done.exit == .code(0), "\(done.error)")
            }
            try act(stage)
        }
    }

    @Test func `a token is judged by what it may do by itself, whether its menshen runs or not`() throws {
        try directory.write(
            "c.toml",
            "[limits]\ninstance = [\"9usd/day\"]\n[[auth.tokens]]\nname = \"old\"\ntoken = \"a-token-of-old\"\n\(Self.providers)"
        )
        func check(_ more: [String]) throws {
            func ask(_ words: String...) throws -> MenshenProgram.Result {
                try MenshenProgram.run(["policy", "test", "--config", file] + words + more, in: directory)
            }
            let allowed = try ask("--token", "ci", "--model", "gpt-4.1")
            #expect(allowed.exit == .code(0) && allowed.error.isEmpty, "\(allowed)")
            for part in [
                "yes token: 'ci' is valid; by itself: model gpt-*; 5usd/day",
                "limits that it counts in, if there is room", "-   token 'ci': 5usd/day", "-   this menshen: 9usd/day",
            ] { #expect(allowed.output.contains(part), "\(part) in \(allowed.output)") }
            let refused = try ask("--token", "ci", "--model", "o3")
            #expect(refused.exit == .code(1))
            #expect(refused.output.contains("The token 'ci' does not allow the model 'o3' (it allows: gpt-*)."))
            let gone = try ask("--token", "gone", "--model", "gpt-4.1")
            #expect(gone.exit == .code(1) && gone.output.contains("no  token: 'gone' is revoked"))
            #expect(gone.output.contains("Refused: answered 401 unauthenticated: The proxy token 'gone' was revoked."))
            let free = try ask("--token", "free", "--model", "o3", "--json")
            #expect(free.output.contains("'free' is valid, and may by itself do everything"))
            #expect(free.output.contains(#""limits":[{"name":"this menshen","result":null,"why":"9usd/day"}]"#))
            let old = try ask("--token", "old", "--model", "o3")
            #expect(old.exit == .code(0) && old.output.contains("'old' stands in [auth] of the configuration"))
            let unknown = try ask("--token", "nobody", "--model", "o3")
            #expect(unknown.exit == .code(0) && unknown.error.contains("no token 'nobody' is known here"))
        }
        try withTokens { stage in
            try check(["--socket", stage.daemon.socketPath])
            _ = try stage.daemon.stop()
            try check([])
        }
    }

    @Test func `what cannot be asked is said`() throws {
        #expect(try test("--user", "nobody-has-this-name").error.contains("knows no user"))
        #expect(try test("--user", "1", "--provider", "none").error.contains("There is no provider 'none'"))
        #expect(try test("--user", "1", "--path", "x").exit == .code(64))
        #expect(try test("--user", "1", "--method", "BREW").exit == .code(64))
        #expect(try MenshenProgram.run(["policy", "tset"], in: directory).error.contains("'menshen policy test'"))
    }

    @Test func `config check finds unknown users and rules that can never match`() throws {
        try directory.write("c.toml", "[[callers]]\nname = \"x\"\nuser = \"nobody-has-this-name\"\n\(Self.providers)")
        let unknown = try MenshenProgram.run(["config", "check", file], in: directory)
        #expect(unknown.exit == .code(78))
        #expect(
            unknown.error.contains("c.toml:3:8: error: callers[].user: this machine knows no such user"),
            "\(unknown.error)")
        try directory.write(
            "c.toml",
            "[[callers]]\nname = \"x\"\nuser = \"root\"\n[[callers]]\nname = \"y\"\nuser = [\"0\"]\ndeny = true\n\(Self.providers)"
        )
        let covered = try MenshenProgram.run(["config", "check", file], in: directory)
        #expect(covered.exit == .code(0))
        #expect(
            covered.error.contains(
                "c.toml:4:1: warning: this rule of [[callers]] can never match: the one on line 1 matches everybody"),
            "\(covered.error)")
    }
}
