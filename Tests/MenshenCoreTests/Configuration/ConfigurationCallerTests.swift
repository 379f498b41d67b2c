// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct ConfigurationCallerTests {
    private let provider = "[[providers]]\nname = \"a\"\nbase_url = \"https://api.openai.com/v1\"\n"

    @Test func `a rule is read whole, and shown as it reads`() throws {
        let text = """
            [[callers]]
            name = "students"
            user = ["alice", "1001"]
            group = "users"
            token = "laptop"
            unit = "app-*.scope"
            program = ["python3*", "/opt/x"]
            providers = ["a"]
            models = ["gpt-*"]
            operations = ["chat", "count_tokens"]
            paths = ["/v1/*"]
            limits = ["1000 requests/day"]
            budgets = ["5usd/day", "50usd"]
            concurrency = 4
            max_errors = 20

            [[callers]]
            name = "nobody"
            deny = true
            """
        let configuration = try #require(decodeConfiguration(text + "\n\(provider)").configuration)
        #expect(configuration.callers.count == 2)
        let rule = configuration.callers[0]
        #expect((rule.name, rule.line, rule.isDenied) == ("students", 1, false))
        #expect(
            rule.users.map(\.text) == ["alice", "1001"] && rule.users.map(\.id) == [nil, 1001]
                && rule.users[0].line == 3)
        #expect(rule.scope.operations == [.chat, .countTokens] && rule.scope.paths.map(\.description) == ["/v1/*"])
        #expect(Set(rule.limits.map(\.description)) == ["1000 requests/day", "5usd/day", "50usd"])
        #expect((rule.concurrency, rule.maxErrors) == (4, 20))
        #expect(configuration.callers[1].isDenied && configuration.callers[1].line == 17)
        let shown = ConfigurationRendering.text(of: configuration)
        for line in text.split(separator: "\n") { #expect(shown.contains(line), "\(line) in \(shown)") }
        let again = try #require(decodeConfiguration(shown).configuration)
        #expect(again.callers.map(\.scope) == configuration.callers.map(\.scope))
    }

    @Test(arguments: [
        ("", "[[callers]] needs a name"), ("name = \"\"", "must have 1 to 64 bytes"),
        ("name = \"unix\"", "a word by which records tell"),
        ("name = \"b\"\n[[callers]]\nname = \"b\"", "another rule has this name, on line 2"),
        ("name = \"b\"\nmodels = []", "callers[].models has nothing in it"),
        ("name = \"b\"\nuser = [\"\"]", "callers[].user has nothing in it"),
        ("name = \"b\"\nuser = 1000", "callers[].user must be a string or an array of strings, not an integer"),
        ("name = \"b\"\noperations = [\"chats\"]", "there is no such operation"),
        ("name = \"b\"\nproviders = [\"aa\"]", "no provider has this name"),
        ("name = \"b\"\nlimits = [\"5usd/day\"]", "callers[].limits: this is not one of them"),
        ("name = \"b\"\nbudgets = [\"some\"]", "callers[].budgets: this is not one of them"),
        ("name = \"b\"\ndeny = true\nmodels = [\"x\"]", "callers[].models has no effect beside deny = true"),
        (
            "name = \"b\"\nproject = \"x\"\n[logging]\ncaller_project = false",
            "callers[].project cannot be judged: logging.caller_project = false"
        ),
        ("name = \"b\"\njob = [\"\"]", "callers[].job has nothing in it"),
        ("name = \"b\"\nmodel = [\"x\"]", "unknown key \"model\" in [[callers]]"),
    ])
    func `what is wrong with a rule is said`(lines: String, message: String) {
        let decoded = decodeConfiguration("[[callers]]\n\(lines)\n\(provider)")
        #expect(decoded.configuration == nil)
        #expect(decoded.diagnostics.contains { $0.message.contains(message) }, "\(decoded.diagnostics)")
        #expect(decoded.diagnostics.count == 1, "\(decoded.diagnostics)")
    }
}
