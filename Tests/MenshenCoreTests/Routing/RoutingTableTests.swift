// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

@Suite struct RoutingTableTests {
    private func table(_ providers: [(String, Dialect, Int)]) throws -> RouteTable {
        let base = try #require(BaseURL("https://api.example/v1"))
        return RouteTable(
            providers: providers.map { name, kind, weight in
                var provider = Provider(name: name, kind: kind, baseURL: base, key: .none)
                provider.turn.weight = weight
                return provider
            })
    }

    private func choose(
        _ table: RouteTable, _ path: String = "/v1/chat/completions", _ dialect: Dialect = .openai, draw: Double = 0
    ) throws -> String {
        let target = try #require(RequestTarget(path: path, query: nil, providerNames: table.names))
        let fitting = try table.fitting(target, dialect, model: nil)
        return table.providers[table.order(fitting, available: fitting, draw: draw)[0]].name
    }

    @Test func `ten thousand draws follow the weights`() throws {
        let weights = ["a": 1, "b": 2, "c": 7, "off": 0, "d": 90]
        let table = try table(weights.sorted { $0.key < $1.key }.map { ($0.key, .openai, $0.value) })
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(state: seed)
        var counts: [String: Int] = [:]
        for _ in 0..<10_000 {
            counts[try choose(table, draw: Double.random(in: 0..<1, using: &random)), default: 0] += 1
        }
        for (name, weight) in weights {
            let share = Double(weight) / 100
            // Six standard deviations: one false alarm in hundreds of millions of runs.
            let margin = 6 * (10_000 * share * (1 - share)).squareRoot()
            let count = Double(counts[name] ?? 0)
            #expect(abs(count - 10_000 * share) <= margin, "seed \(seed): \(name) \(count)")
        }
    }

    @Test func `the ends of the range fall on the first and the last`() throws {
        for weight in [1, 2, 3, 5, 7, 1000, 1 << 30] {
            let table = try table([("a", .openai, weight), ("b", .openai, weight), ("c", .openai, 1)])
            #expect(try choose(table, draw: 0) == "a")
            #expect(try choose(table, draw: 1.0.nextDown) == "c")
        }
    }

    @Test func `providers of the dialect's kind come first`() throws {
        let table = try table([("o", .openai, 1), ("a", .anthropic, 1), ("g", .gemini, 1)])
        for draw in [0, 0.5, 0.99] {
            #expect(try choose(table, "/v1/messages", .anthropic, draw: draw) == "a")
            #expect(try choose(table, "/v1beta/models", .gemini, draw: draw) == "g")
            #expect(try choose(table, draw: draw) == "o")
        }
        // None of that kind: any.
        #expect(try choose(table, "/openai/deployments/d/x", .azure, draw: 0.99) == "g")
    }

    @Test func `a native provider that is switched off leaves the others`() throws {
        let table = try table([("o", .openai, 1), ("a", .anthropic, 0)])
        #expect(try choose(table, "/v1/messages", .anthropic) == "o")
    }

    @Test func `a named provider is taken whatever its kind and weight`() throws {
        let table = try table([("big", .openai, 100), ("small", .anthropic, 1)])
        for draw in [0, 0.5, 0.99] { #expect(try choose(table, "/small/v1/chat/completions", draw: draw) == "small") }
    }

    @Test func `a named provider that is switched off is a problem, not another provider`() throws {
        let table = try table([("a", .openai, 1), ("off", .openai, 0)])
        let problem = #expect(throws: Problem.self) { try choose(table, "/off/v1/models") }
        #expect(problem?.code == .noProvider && problem?.status == 503 && problem?.message.contains("'off'") == true)
    }

    @Test func `without a provider there is a problem`() throws {
        for table in [try table([]), try table([("off", .openai, 0)])] {
            let problem = #expect(throws: Problem.self) { try choose(table, draw: 0.5) }
            #expect(problem?.code == .noProvider && problem?.status == 503)
        }
    }
}
