// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct RoutingModelTests {
    @Test(arguments: [
        ("gpt-*", "gpt-4.1", true), ("gpt-*", "gpt-", true), ("gpt-*", "o3", false), ("o3", "o3", true),
        ("o3", "o3-mini", false), ("*", "", true), ("*-mini", "gpt-4o-mini", true), ("a*b*c", "axbxc", true),
        ("a*b*c", "acb", false), ("a*bc*c", "abcc", true), ("a*a", "a", false), ("**x**", "x", true),
        ("*ab*", "aab", true), ("GPT-*", "gpt-4", false), ("", "", true), ("", "x", false),
    ])
    func `a star stands for any characters`(pattern: String, model: String, fits: Bool) {
        #expect(ModelPattern(pattern).matches(model) == fits)
    }

    private func table(_ change: (inout [Provider]) -> Void) throws -> RouteTable {
        let base = try #require(BaseURL("https://api.example/v1"))
        var providers = [
            Provider(name: "one", kind: .openai, baseURL: base, key: .none),
            Provider(name: "two", kind: .openai, baseURL: base, key: .none),
            Provider(name: "claude", kind: .anthropic, baseURL: base, key: .none),
        ]
        change(&providers)
        return RouteTable(providers: providers)
    }

    private func fitting(
        _ table: RouteTable, _ path: String = "/v1/chat/completions", model: String? = nil
    ) throws -> [String] {
        let target = try #require(RequestTarget(path: path, query: nil, providerNames: table.names))
        return try table.fitting(target, Dialect(path: target.path), model: model).map { table.providers[$0].name }
    }

    @Test func `a list of models takes a provider out for others, and never for none`() throws {
        let table = try table { $0[0].models = [ModelPattern("gpt-*"), ModelPattern("o3")] }
        #expect(try fitting(table, model: "gpt-4.1") == ["one", "two"])
        #expect(try fitting(table, model: "llama") == ["two"])
        #expect(try fitting(table) == ["one", "two"])
        #expect(try fitting(table, "/v1/messages", model: "llama") == ["claude"])
        // Whoever names a provider gets it.
        #expect(try fitting(table, "/one/v1/chat/completions", model: "llama") == ["one"])
    }

    @Test func `a model that nobody has is said to be so`() throws {
        let table = try table {
            $0[0].models = [ModelPattern("gpt-*")]
            $0[1].models = [ModelPattern("o*")]
        }
        let problem = #expect(throws: Problem.self) { try fitting(table, model: "llama") }
        #expect(problem?.code == .modelNotRouted)
        #expect(problem?.status == 404)
    }

    @Test func `an alias goes only to those that have it, whatever their lists say`() throws {
        let table = try table {
            $0[0].models = [ModelPattern("gpt-*")]
            $0[0].aliases = ["fast": "gpt-4.1-mini"]
        }
        #expect(try fitting(table, model: "fast") == ["one"])
        #expect(table.providers[0].replacement(for: "fast") == "gpt-4.1-mini")
        #expect(table.providers[0].replacement(for: "gpt-4.1") == nil)
        // Of another dialect's provider it is no alias here.
        #expect(try fitting(table, "/v1/messages", model: "fast") == ["claude"])
    }

    @Test func `a model of the provider's goes before the caller's and before aliases`() throws {
        let table = try table {
            $0[0].model = "gpt-4.1"
            $0[0].aliases = ["fast": "other"]
        }
        for model in ["fast", "llama", nil] { #expect(table.providers[0].replacement(for: model) == "gpt-4.1") }
        #expect(table.providers[0].replacement(for: "gpt-4.1") == nil)
        #expect(table.replacesModels)
    }

    @Test func `the drawn one is first, and the others follow as configured`() throws {
        let table = try table { _ in }
        #expect(table.order([0, 1, 2], available: [0, 1, 2], draw: 0.5) == [1, 0, 2])
        #expect(table.order([0, 1, 2], available: [2], draw: 0) == [2, 0, 1])
        #expect(table.order([0, 1, 2], available: [], draw: 0.99) == [2, 0, 1])
        #expect(table.order([1], available: [], draw: 0.99) == [1])
    }

    @Test func `the smallest priority goes first, and weights count within one`() throws {
        let table = try table {
            $0[0].turn.priority = 5
            $0[2].turn.priority = 5
            $0[2].turn.weight = 3
        }
        for draw in [0, 0.5, 0.99] { #expect(table.order([0, 1, 2], available: [0, 1, 2], draw: draw) == [1, 0, 2]) }
        // What is full or paused does not hold back those behind it; it stays the next.
        #expect(table.order([0, 1, 2], available: [0, 2], draw: 0) == [0, 1, 2])
        #expect(table.order([0, 1, 2], available: [0, 2], draw: 0.3) == [2, 1, 0])
        #expect(table.order([0, 1, 2], available: [], draw: 0.9) == [1, 0, 2])
        #expect(table.order([0, 2], available: [0, 2], draw: 0.2) == [0, 2])
    }

    // MARK: Changing the model

    private func changed(_ body: String, to model: String) -> String? {
        var scan = RequestScan()
        scan.feed(Array(body.utf8).span)
        let splices = scan.modelPlaces.splices(model)
        if splices.isEmpty { return nil }
        var bytes = Array(body.utf8)
        Splice.apply(splices, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `only the value of the model changes`() {
        #expect(
            changed(#"{ "n":9007199254740993 , "model" : "a\u0062" ,"x":{"model":"a"}}"#, to: #"q"\"#)
                == #"{ "n":9007199254740993 , "model" : "q\"\\" ,"x":{"model":"a"}}"#)
        // Whichever of two a provider goes by.
        #expect(changed(#"{"model":"a","model":null}"#, to: "b") == #"{"model":"b","model":"b"}"#)
        #expect(changed(#"{"a":[] }"#, to: "b") == #"{"a":[] ,"model":"b"}"#)
        #expect(changed("{}", to: "b") == #"{"model":"b"}"#)
        #expect(changed("[1]", to: "b") == nil)
        #expect(changed(#"{"a":"#, to: "b") == nil)
    }

    @Test func `sixty-four places of a model change, and a body with more is not read`() {
        func body(_ count: Int) -> String { "{" + String(repeating: "\"model\":0,", count: count) + "\"z\":\"model\"}" }
        let most = RequestScan.maxFindings
        #expect(changed(body(most), to: "m") == body(most).replacing(":0", with: ":\"m\""))
        for text in [
            body(most + 1), body(100_000), "{" + String(repeating: "\"user\":0,", count: most + 1) + "\"model\":0}",
        ] {
            var scan = RequestScan()
            scan.feed(Array(text.utf8).span)
            #expect(scan.isExcessive && scan.facts == RequestFacts() && scan.modelPlaces.splices("m").isEmpty)
            var pieces = RequestScan()
            for byte in text.utf8.prefix(2_000) { pieces.feed([byte].span) }
            #expect(pieces.isExcessive)
            scan.reset()
            scan.feed(Array(body(1).utf8).span)
            #expect(!scan.isExcessive && scan.modelPlaces.splices("m").count == 1)
        }
    }

    @Test func `the model and the usage option change together`() {
        let body = Array(#"{"stream":true,"model":"fast"}"#.utf8)
        var scan = RequestScan()
        scan.feed(body.span)
        var bytes = body
        let usage = scan.usageSplice(in: body)
        Splice.apply(scan.modelPlaces.splices("m") + (usage.map { [$0] } ?? []), to: &bytes)
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"stream":true,"model":"m","stream_options":{"include_usage":true}}"#)
        // Both at the end of the object.
        let bare = Array(#"{"stream":true}"#.utf8)
        scan.reset()
        scan.feed(bare.span)
        bytes = bare
        Splice.apply(scan.modelPlaces.splices("m") + (scan.usageSplice(in: bare).map { [$0] } ?? []), to: &bytes)
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"stream":true,"model":"m","stream_options":{"include_usage":true}}"#)
    }

    @Test(arguments: [
        (
            Dialect.gemini, "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
            "/v1beta/models/m%2F1:streamGenerateContent"
        ),
        (.azure, "/openai/deployments/mine/chat/completions", "/openai/deployments/m%2F1/chat/completions"),
        (.bedrock, "/model/anthropic.claude/converse", "/model/m%2F1/converse"),
    ])
    func `where the path has the model, it changes there`(dialect: Dialect, path: String, expected: String) throws {
        let target = try #require(RequestTarget(path: path, query: "a=b", providerNames: []))
        let changed = try #require(target.asking(for: "m/1", dialect))
        #expect(changed.path == expected)
        #expect(changed.query == "a=b")
        let other = try #require(RequestTarget(path: "/v1/chat/completions", query: nil, providerNames: []))
        #expect(other.asking(for: "m", .openai) == nil)
        #expect(other.asking(for: "m", dialect) == nil)
    }
}
