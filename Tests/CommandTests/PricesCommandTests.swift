// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct PricesCommandTests {
    private let directory: TemporaryDirectory
    private let file: String

    init() throws {
        directory = try TemporaryDirectory()
        file = try directory.write("c.toml", "[[providers]]\nbase_url = \"https://api.anthropic.com\"\n")
    }

    private func run(_ arguments: String...) throws -> MenshenProgram.Result {
        try MenshenProgram.run(["prices"] + arguments + ["--config", file], in: directory)
    }

    private var overlay: String? { TemporaryDirectory.read(directory.path("prices.toml")) }

    @Test func `list names the sellers, and what one of them charges today`() throws {
        let sellers = try run("list")
        #expect(sellers.exit == .code(0))
        for part in ["genai-prices ", "\nanthropic ", "\nopenai ", "https://"] {
            #expect(sellers.output.contains(part))
        }
        let own = try run("list", "anthropic")
        #expect(
            own.output.split(separator: "\n").contains {
                $0.contains("claude-opus-5 ") && $0.contains("input=5 output=25")
            })
        let json = try run("list", "anthropic", "--json")
        #expect(
            json.output.contains(
                #"{"provider":"anthropic","model":"claude-opus-5","from":null,"variant":null,"window":null,"input":"5""#
            ))
        #expect(try run("list", "antropic").exit == .code(64))
    }

    @Test func `show tells all rows of a model, and says how to make one where there is none`() throws {
        let rows = try run("show", "claude-opus-5-20260115", "--provider", "anthropic")
        #expect(rows.exit == .code(0) && rows.output.contains("batch") && rows.output.contains("fast"))
        let none = try run("show", "claude-opus-5-6")
        #expect(none.exit == .code(1) && none.output == "")
        #expect(none.error.contains("'menshen prices set claude-opus-5-6'"))
    }

    @Test func `set writes what people say, keeps what is there, and refuses what makes no sense`() throws {
        let first = try run("set", "qwen", "--provider", "mine", "--input", "0.15", "--output", "0.6")
        #expect(first.exit == .code(0))
        #expect(TemporaryDirectory.mode(directory.path("prices.toml")) == 0o600)
        try directory.write("prices.toml", "# By me.\n" + (try #require(overlay)), mode: 0o640)
        #expect(
            try run("set", "qwen", "--provider", "mine", "--output", "0.7", "--price", "web_search=10").exit == .code(0)
        )
        let text = try #require(overlay)
        #expect(
            text.hasPrefix("# By me.\n") && text.contains("input = 0.15\noutput = 0.7\n")
                && text.contains("web_search = 10"))
        #expect(TemporaryDirectory.mode(directory.path("prices.toml")) == 0o640)
        for (arguments, part) in [
            (["--input", "free"], "input is no price"), (["--price", "inputs=1"], "did you mean \"input\"?"),
            (["--input", "1", "--from", "soon"], "from must be a day"), ([], "no price is given"),
        ] {
            let bad = try MenshenProgram.run(
                ["prices", "set", "m", "--provider", "p", "--config", file] + arguments, in: directory)
            #expect(bad.exit == .code(64) && bad.error.contains(part), "\(bad.error)")
        }
        #expect(overlay == text)
        let shown = try run("show", "qwen")
        #expect(shown.output.contains("input=0.15 output=0.7 web_search=10"))
        try directory.write("c.toml", "[[providers]]\nbase_url = \"http://127.0.0.1:1\"\nprices = \"mine\"\n")
        #expect(try MenshenProgram.run(["config", "check", file], in: directory).exit == .code(0))
        try directory.write("c.toml", "[[providers]]\nbase_url = \"http://127.0.0.1:1\"\nprices = \"opnai\"\n")
        let unknown = try MenshenProgram.run(["config", "check", file], in: directory)
        #expect(unknown.exit == .code(78) && unknown.error.contains(":3:10: ") && unknown.error.contains("\"openai\""))
    }

    @Test func `faults of prices toml are faults of the configuration`() throws {
        try directory.write("prices.toml", "[[prices]]\nprovider = \"p\"\nmodel = \"m\"\ninput = -1\n")
        let check = try MenshenProgram.run(["config", "check", file], in: directory)
        #expect(check.exit == .code(78) && check.error.contains("prices.toml:4:9: error: prices[].input is no price"))
        #expect(try run("list").exit == .code(78))
        let refused = try run("set", "m", "--provider", "p", "--input", "1")
        #expect(refused.exit == .code(78))
    }

    @Test func `import takes a good file whole and a bad one not at all`() throws {
        try directory.write("prices.toml", "# Old.\n")
        let table = try directory.write(
            "new.tsv",
            "provider\tshop\t2026-11-27\thttps://shop.example\tshop.example\n>shop\nm n\t\tbatch\t\tinput=1>5:2\n")
        #expect(try run("import", table).exit == .code(0))
        #expect(TemporaryDirectory.read(directory.path("prices.toml.old")) == "# Old.\n")
        let text = try #require(overlay)
        #expect(
            text.contains("models = [\"n\"]") && text.contains("input = \"1>5:2\"")
                && text.contains("checked = 2026-11-27"))
        let bad = try directory.write("bad.tsv", ">shop\nm\t\t\t\tinput=1\n")
        let refused = try run("import", bad)
        #expect(refused.exit == .code(65) && refused.error.contains("bad.tsv:1:1: error: provider has no line"))
        let toml = try directory.write("bad.toml", "[[prices]]\nmodel = 1\n")
        #expect(try run("import", toml).error.contains("bad.toml:2:9: error: prices[].model must not be an integer"))
        #expect(overlay == text)
    }

    @Test func `check warns of what is old or was only announced`() throws {
        try directory.write(
            "prices.toml",
            """
            [[prices]]
            provider = "p"
            model = "m"
            from = 2021-01-01
            checked = 2020-12-01
            input = 1

            """)
        let warned = try run("check")
        #expect(warned.exit == .code(1))
        #expect(warned.output.contains("warning: p m: a change on 2021-01-01 was announced"))
        #expect(warned.output.contains("warning: p: 1 row last checked on 2020-12-01"))
    }

    @Test func `recompute says what it did, and where there is no database what to do`() throws {
        #expect(try run("recompute", "--since", "yesterday").exit == .code(64))
        let none = try run("recompute", "--since", "2026-11-01")
        #expect(none.exit == .code(69) && none.error.contains("the database can't be used"))
    }
}
