// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

@testable import MenshenCore

struct LimitTableTests {
    @Test func `everybody and a model have a concurrency, of two of a pattern the smaller one`() throws {
        var configuration = Configuration()
        configuration.limits.concurrency = 9
        configuration.limits.models = [
            .init(pattern: ModelPattern("a"), concurrency: 3), .init(pattern: ModelPattern("a"), concurrency: 2),
        ]
        configuration.providers = [
            Provider(name: "p", kind: .openai, baseURL: try #require(BaseURL("http://127.0.0.1:1")), key: .none)
        ]
        let table = LimitTable(configuration)
        #expect(table.admission(nil, []).map(\.words) == ["9 at a time"])
        #expect(table.attempt(0, model: "a").map(\.words) == ["2 at a time"] && table.attempt(0, model: "b").isEmpty)
    }

    @Test func `a pattern that stands there twice is one holder`() throws {
        var configuration = Configuration()
        configuration.limits.models = [
            .init(
                pattern: ModelPattern("gpt-*"), limits: [try Limit.read("9usd/day"), try Limit.read("7 requests/day")]),
            .init(pattern: ModelPattern("*"), limits: [try Limit.read("1usd/day")]),
            .init(pattern: ModelPattern("gpt-*"), limits: [try Limit.read("5usd/day")]),
        ]
        configuration.providers = [
            Provider(name: "a", kind: .openai, baseURL: try #require(BaseURL("http://127.0.0.1:1")), key: .none)
        ]
        let table = LimitTable(configuration)
        let demands = table.attempt(0, model: "gpt-5")
        #expect(demands.map(\.holder.name) == ["gpt-*", "*"])
        #expect(demands[0].limits.map(\.description) == ["5usd/day", "7 requests/day"])
        // As many requests as the limit says.
        var pots = PotTable()
        let amounts = Amounts(requests: 1)
        _ = pots.reserve(demands, amounts, notify: [], at: 0, .utc)
        pots.fill(PastSpending(pots.unknown) { _, _, _, _ in nil })
        for _ in 0..<7 { #expect(pots.reserve(demands, amounts, notify: [], at: 0, .utc).hold != nil) }
        #expect(pots.reserve(demands, amounts, notify: [], at: 0, .utc).refusal != nil)
    }
}
