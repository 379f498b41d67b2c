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
