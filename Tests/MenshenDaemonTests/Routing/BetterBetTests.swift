// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Synchronization
import TestSupport
import Testing

/// Where another provider than the next one is the better bet: one that takes longer requests, or the same once more.
struct BetterBetTests {
    private static let path = "/v1/chat/completions"
    private static let body = #"{"model":"m","messages":[]}"#
    private static let tooLong =
        #"{"error":{"message":"This model's maximum context length is 8 tokens.","code":"context_length_exceeded"}}"#

    private static func setting(_ providers: [(name: String, lines: String)], _ tables: String = "") -> Stage.Setting {
        .with {
            $0.providers = providers.map { Stage.provider($0.name, leads: $0.name == "a", $0.lines) }
            $0.tables = tables
        }
    }

    // MARK: A larger context

    private static let windows = [
        (name: "a", lines: "context_window = 1000"), (name: "b", lines: "context_window = 1000"),
        (name: "c", lines: ""), (name: "d", lines: "context_window = 2_000"),
    ]

    @Test(arguments: [400, 413, 422])
    func `a request that is too long for a provider goes to one that takes more, and to no other`(status: Int) throws {
        try Stage.run(Self.setting(Self.windows)) { call in
            if call.provider == "d" { return try call.reply(body: "well") }
            try call.reply(status, body: Self.tooLong)
        } _: { stage throws in
            let answer = try stage.ask("POST", Self.path, body: Self.body)
            #expect((answer.status, answer.text) == (200, "well"))
            #expect(stage.upstream.requests.map(\.provider) == ["a", "d"])
            let row = try #require(try stage.records().first)
            #expect(row.attempts == ["a \(status) context_length_exceeded", "d 200 ok"])
        }
    }

    @Test func `the answer of the last that takes more is the caller's`() throws {
        try Stage.run(Self.setting(Self.windows)) { call in
            try call.reply(400, body: Self.tooLong.replacing("8 tokens", with: "8 tokens of \(call.provider)"))
        } _: { stage throws in
            let answer = try stage.ask("POST", Self.path, body: Self.body)
            #expect(answer.status == 400 && answer.text.contains("8 tokens of d"))
            // It is the request that is at fault: nobody's breaker hears of it.
            for _ in 0..<6 { _ = try stage.ask("POST", Self.path, body: Self.body) }
            let rows = try stage.records()
            #expect(rows.allSatisfy { $0.attempts == ["a 400 context_length_exceeded", "d 400 ok"] })
            #expect(stage.upstream.requests.map(\.provider) == Array(repeating: ["a", "d"], count: 7).flatMap { $0 })
        }
    }

    @Test func `another refusal, and one that nobody takes more than, is the caller's at once`() throws {
        let other = #"{"error":{"message":"Unknown field","code":"invalid"}}"#
        try Stage.run(Self.setting(Self.windows)) { call in
            try call.reply(400, body: other)
        } _: { stage throws in
            #expect(try stage.ask("POST", Self.path, body: Self.body).text == other)
            #expect(stage.upstream.requests.count == 1)
        }
        try Stage.run(Self.setting([("a", "context_window = 9"), ("b", "context_window = 9"), ("c", "")])) { call in
            try call.reply(400, body: Self.tooLong)
        } _: { stage throws in
            #expect(try stage.ask("POST", Self.path, body: Self.body).text == Self.tooLong)
            #expect(stage.upstream.requests.count == 1)
        }
    }

    @Test func `so does one whose stream begins with that error`() throws {
        let event = "data: {\"type\":\"error\",\"code\":\"context_length_exceeded\",\"message\":\"too long\"}\n\n"
        let good = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n"
        let end = "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"g\"}}\n\n"
        try Stage.run(Self.setting(Self.windows)) { call in
            try call.beginStream()
            if call.provider == "d" { try call.chunk(good + end) } else { try call.chunk(event) }
            try call.endStream()
        } _: { stage throws in
            let answer = try stage.ask("POST", "/v1/responses", body: #"{"model":"m","stream":true}"#)
            #expect(answer.text == good + end)
            let row = try #require(try stage.records().first)
            #expect(row.attempts == ["a 200 context_length_exceeded", "d 200 ok"])
        }
    }

    // MARK: The same once more

    private static let priorities = [(name: "a", lines: ""), (name: "b", lines: "priority = 1")]

    @Test(arguments: [500, 502])
    func `a provider that fails at once is asked once more before a worse one`(status: Int) throws {
        let count = Mutex(0)
        try Stage.run(Self.setting(Self.priorities)) { call in
            let isFirst = count.withLock { count in
                count += 1
                return count == 1
            }
            try call.reply(isFirst ? status : 200, body: isFirst ? "oh" : "well")
        } _: { stage throws in
            #expect(try stage.ask("POST", Self.path, body: Self.body).text == "well")
            #expect(stage.upstream.requests.map(\.provider) == ["a", "a"])
            #expect(try stage.records().first?.attempts == ["a \(status) server_error", "a 200 ok"])
        }
    }

    @Test func `but once, and not if it is overloaded, asks for a pause, or the next is as good`() throws {
        func asked(
            _ status: Int, _ fields: [String] = [], _ providers: [(name: String, lines: String)] = Self.priorities,
            _ tables: String = ""
        ) throws -> [String] {
            var asked: [String] = []
            try Stage.run(Self.setting(providers, tables)) { call in
                if call.provider == "b" { return try call.reply(body: "well") }
                try call.reply(status, fields, body: "oh")
            } _: { stage throws in
                #expect(try stage.ask("POST", Self.path, body: Self.body).text == "well")
                asked = stage.upstream.requests.map(\.provider)
            }
            return asked
        }
        #expect(try asked(500) == ["a", "a", "b"])
        for status in [503, 504, 529, 429, 408] { #expect(try asked(status) == ["a", "b"], "\(status)") }
        #expect(try asked(500, ["Retry-After: 5"]) == ["a", "b"])
        #expect(try asked(500, [], [("a", ""), ("b", "")]) == ["a", "b"])
        #expect(try asked(500, [], Self.priorities, "[failover]\nquick_retry = false") == ["a", "b"])
        #expect(try asked(500, [], Self.priorities, "[failover]\nbreaker_failures = 1") == ["a", "b"])
    }

    @Test func `nobody is asked twice where nobody else could be asked`() throws {
        try Stage.run(Self.setting([("a", "")])) { call in
            try call.reply(500, body: "oh")
        } _: { stage throws in
            #expect(try stage.ask("POST", Self.path, body: Self.body).status == 500)
            #expect(stage.upstream.requests.count == 1)
        }
    }
}
