// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

@testable import MenshenCore

struct PotTableTests {
    private static let noon: Int64 = 1_800_000_000 - 1_800_000_000 % 86_400 + 43_200
    private static let ci = Holder(.token, "ci")

    private var table = PotTable()

    private mutating func reserve(
        _ demands: [Demand], _ amounts: Amounts = Amounts(requests: 1), at now: Int64 = noon
    ) -> PotTable.Outcome {
        table.reserve(demands, amounts, notify: [50, 80, 100], at: now, .utc)
    }

    /// Nothing was spent before.
    private mutating func open(_ demands: [Demand]) {
        _ = reserve(demands)
        table.fill(PastSpending(table.unknown) { _, _, _, _ in nil })
    }

    private static func demand(_ limits: String..., concurrency: Int? = nil, maxErrors: Int? = nil) throws -> Demand {
        Demand(ci, try limits.map { try Limit.read($0) }, concurrency: concurrency, maxErrors: maxErrors)
    }

    @Test mutating func `a request reserves in all of its pots or in none`() throws {
        let token = try Self.demand("10 requests/day", "1000 tokens/day")
        let all = Demand(.instance, [try Limit.read("3 requests/hour")])
        open([token, all])
        let amounts = Amounts(requests: 1, inputTokens: 20, outputTokens: 10)
        for _ in 0..<3 { #expect(reserve([token, all], amounts).hold != nil) }
        let refusal = try #require(reserve([token, all], amounts).refusal)
        #expect(refusal.holder == .instance)
        #expect(refusal.reason == .pot(all.limits[0], spent: 0, reserved: 3, wanted: 1))
        #expect(refusal.resetsAt == Self.noon + 3600 && refusal.wait == 3600)
        // What was refused has left nothing behind.
        let states = table.state(token, at: Self.noon, .utc)
        #expect(states.map(\.reserved) == [3, 90])
    }

    @Test mutating func `what is not known yet admits nobody`() throws {
        let demand = try Self.demand("10 requests/day")
        guard case .unknown = reserve([demand]) else { throw Other() }
        guard case .unknown = reserve([demand]) else { throw Other() }
        var past = PastSpending(table.unknown) { _, _, _, _ in nil }
        for _ in 0..<10 { past.add(.sample(Self.noon - 100, token: "ci")) }
        past.finish()
        table.fill(past)
        #expect(reserve([demand]).refusal != nil)
    }

    @Test mutating func `another amount of the same limit keeps what was spent`() throws {
        let small = try Self.demand("2 requests/day"), large = try Self.demand("3 requests/day")
        open([small])
        for _ in 0..<2 { table.spend(try #require(reserve([small]).hold), Amounts(requests: 1)) }
        #expect(reserve([small]).refusal != nil)
        #expect(reserve([large]).hold != nil)
        #expect(reserve([large]).refusal != nil)
    }

    @Test mutating func `a request under way goes on in its pot while others ask by a new configuration`() throws {
        let old = try Self.demand("9 requests/day"), new = try Self.demand("9 requests/day")
        open([old])
        let first = try #require(reserve([old]).hold)
        let second = try #require(reserve([new]).hold)
        table.spend(first, Amounts(requests: 1))
        table.release(try #require(reserve([old]).hold))
        table.spend(second, Amounts(requests: 1))
        for demand in [old, new] {
            let state = table.state(demand, at: Self.noon, .utc)
            #expect(state.map(\.spent) == [2] && state.map(\.reserved) == [0])
        }
    }

    @Test mutating func `one demand has a pot in each table, wherever that is`() throws {
        let other = Demand(.instance, [try Limit.read("9 requests/day")])
        let shared = try Self.demand("9 requests/day")
        open([other, shared])
        var second = Self()
        second.open([shared, other])
        table.spend(try #require(reserve([shared]).hold), Amounts(requests: 1))
        second.table.spend(try #require(second.reserve([shared]).hold), Amounts(requests: 1))
        second.table.spend(try #require(second.reserve([shared]).hold), Amounts(requests: 1))
        #expect(table.state(shared, at: Self.noon, .utc).map(\.spent) == [1])
        #expect(second.table.state(shared, at: Self.noon, .utc).map(\.spent) == [2])
        #expect(table.state(other, at: Self.noon, .utc).map(\.spent) == [0])
        #expect(second.table.state(other, at: Self.noon, .utc).map(\.spent) == [0])
    }

    @Test mutating func `of two limits that share a pot the smaller one counts, once`() throws {
        let twice = try Self.demand("4 requests/day", "2 requests/day", "2 requests/day")
        #expect(twice.limits.map(\.description) == ["2 requests/day"])
    }

    @Test func `of two limits that share a pot and have one size the one that cuts counts`() throws {
        for texts in [["2 tokens/day", "2 tokens/day cut"], ["2 tokens/day cut", "2 tokens/day"]] {
            #expect(Demand(Self.ci, texts.compactMap { Limit($0) }).limits.map(\.description) == ["2 tokens/day cut"])
        }
        #expect(try !Self.demand("2 tokens/day", "3 tokens/day cut").cuts)
    }

    @Test(arguments: [(" cut", false, true), ("", true, true), ("", false, false)])
    func `a request that grows has to end where a limit that cuts has no room`(
        _ word: String, _ cutsAll: Bool, _ ends: Bool
    ) throws {
        var test = self
        let demand = try Self.demand("100 output_tokens/day\(word)", "1000 tokens/day", "1 requests/day cut")
        test.open([demand])
        var hold = try #require(test.reserve([demand], Amounts(requests: 1, inputTokens: 5, outputTokens: 60)).hold)
        let more = Amounts(outputTokens: 30)
        #expect(test.table.extend(&hold, more, cutsAll: cutsAll, at: Self.noon, .utc) == nil)
        let states = test.table.state(demand, at: Self.noon, .utc)
        #expect(states.map(\.reserved) == [90, 95, 1])
        let refusal = test.table.extend(&hold, more, cutsAll: cutsAll, at: Self.noon, .utc)
        #expect((refusal != nil) == ends)
        #expect(refusal?.resetsAt == (ends ? Self.noon + 43_200 : nil))
        // What was refused has left nothing behind, and all is given back at the end.
        #expect(test.table.state(demand, at: Self.noon, .utc).map(\.reserved) == (ends ? [90, 95, 1] : [120, 125, 1]))
        test.table.spend(hold, Amounts(requests: 1, inputTokens: 5, outputTokens: 95))
        let after = test.table.state(demand, at: Self.noon, .utc)
        #expect(after.map(\.reserved) == [0, 0, 0] && after.map(\.spent) == [95, 100, 1])
    }

    @Test mutating func `a request that grows beyond its window's end needs no room there`() throws {
        let demand = try Self.demand("100 output_tokens/day cut")
        open([demand])
        var hold = try #require(reserve([demand], Amounts(outputTokens: 60)).hold)
        let tomorrow = Self.noon + 86_400
        #expect(table.extend(&hold, Amounts(outputTokens: 600), cutsAll: false, at: tomorrow, .utc) == nil)
        #expect(table.state(demand, at: tomorrow, .utc).map(\.reserved) == [0])
    }

    @Test mutating func `each measure counts its own`() throws {
        let demand = try Self.demand("9 input_tokens/day", "9 output_tokens/day", "9 tokens/week", "1usd/day")
        open([demand])
        let hold = try #require(reserve([demand], Amounts(requests: 1, inputTokens: 4, outputTokens: 5)).hold)
        #expect(table.state(demand, at: Self.noon, .utc).map(\.reserved) == [4, 5, 9, 0])
        table.spend(hold, Amounts(requests: 1, inputTokens: 1, outputTokens: 2, money: .dollar))
        #expect(table.state(demand, at: Self.noon, .utc).map(\.spent) == [1, 2, 3, Money.dollar.picodollars])
    }

    @Test mutating func `thresholds are told once a window, the highest that is passed`() throws {
        let demand = try Self.demand("10 requests/day")
        open([demand])
        func percents(_ count: Int, at now: Int64) throws -> [Int] {
            try (0..<count).flatMap { _ in
                table.settle(
                    try #require(table.reserve([demand], Amounts(requests: 1), notify: [], at: now, .utc).hold),
                    Amounts(requests: 1), notify: [50, 80, 100], at: now, .utc
                ).map(\.percent)
            }
        }
        #expect(try percents(4, at: Self.noon) == [])
        #expect(try percents(6, at: Self.noon) == [50, 80, 100])
        #expect(try percents(8, at: Self.noon + 86_400) == [50, 80])
        // A limit that refuses is reached, though its last bit is not spent; and that is told once as well.
        let large = Amounts(requests: 3)
        guard case .refused(_, let notice) = reserve([demand], large, at: Self.noon + 86_400) else { throw Other() }
        #expect(notice?.percent == 100)
        guard case .refused(_, nil) = reserve([demand], large, at: Self.noon + 86_400) else { throw Other() }
    }

    @Test mutating func `so many at the same time, and no more`() throws {
        let demand = try Self.demand(concurrency: 2)
        let first = try #require(reserve([demand]).hold)
        _ = try #require(reserve([demand]).hold)
        #expect(reserve([demand]).refusal?.reason == .concurrency(2))
        table.release(first)
        #expect(reserve([demand]).hold != nil)
        #expect(reserve([demand]).refusal != nil)
    }

    @Test mutating func `errors in a row make a pause, after which one more makes the next`() throws {
        let demand = try Self.demand(maxErrors: 3)
        func answer(_ isError: Bool, at now: Int64) { table.answered([demand], isError: isError, pause: 60, at: now) }
        for isError in [true, true, false, true, true] { answer(isError, at: Self.noon) }
        #expect(reserve([demand]).hold != nil)
        answer(true, at: Self.noon)
        let refusal = try #require(reserve([demand], at: Self.noon + 1).refusal)
        #expect(refusal.reason == .errors(3) && refusal.wait == 59)
        #expect(reserve([demand], at: Self.noon + 60).hold != nil)
        answer(true, at: Self.noon + 60)
        #expect(reserve([demand], at: Self.noon + 61).refusal != nil)
        #expect(reserve([demand], at: Self.noon + 120).hold != nil)
        answer(false, at: Self.noon + 120)
        answer(true, at: Self.noon + 120)
        #expect(reserve([demand], at: Self.noon + 121).hold != nil)
    }

    @Test mutating func `what is usual follows the largest, and falls back slowly`() {
        #expect(table.usualOutput("p", "m") == nil)
        table.learn("p", "m", output: 100)
        table.learn("p", "m", output: 900)
        #expect(table.usualOutput("p", "m") == 900)
        table.learn("p", "m", output: 100)
        #expect(table.usualOutput("p", "m") == 800)
        #expect(table.usualOutput("p", "n") == nil)
    }

    @Test mutating func `names that callers invent do not fill the memory`() throws {
        for number in 0..<5000 {
            table.learn("p", "m\(number)", output: 1)
            let demand = Demand(Holder(.token, "t\(number)"), [try Limit.read("1 requests/day")])
            open([demand])
        }
        #expect(table.count <= 4200)
    }

    @Test mutating func `pots that are dropped to make room take nothing of others along`() throws {
        let all = Demand(.instance, [try Limit.read("100000 requests/day")])
        let paying = try Self.demand("10 requests/day")
        open([all, paying])
        let first = try #require(reserve([all, paying]).hold)
        // It reserves nothing in its pot, which goes meanwhile.
        let free = Demand(Holder(.token, "free"), [try Limit.read("1000 tokens/day")])
        open([free])
        let idle = try #require(reserve([free]).hold)
        for number in 0..<5000 {
            let limits = [try Limit.read("5 requests/day"), try Limit.read("7 requests/hour")]
            let demand = Demand(Holder(.token, "t\(number)"), limits)
            open([demand])
            table.spend(try #require(reserve([all, demand]).hold), Amounts(requests: 1))
            let states = table.state(demand, at: Self.noon, .utc)
            if states.map(\.spent) != [1, 1] || states.map(\.reserved) != [0, 0] { throw Other() }
        }
        #expect(table.count <= 4200)
        table.spend(first, Amounts(requests: 1))
        table.spend(idle, Amounts(requests: 1, inputTokens: 30))
        #expect(table.state(all, at: Self.noon, .utc).map(\.spent) == [5001])
        #expect(table.state(paying, at: Self.noon, .utc).map(\.spent) == [1])
        #expect(table.state(paying, at: Self.noon, .utc).map(\.reserved) == [0])
    }

    private struct Other: Error {}
}

extension PotTable {
    fileprivate mutating func spend(_ hold: Hold, _ amounts: Amounts) {
        _ = settle(hold, amounts, notify: [], at: 1_800_000_000 - 1_800_000_000 % 86_400 + 43_200, .utc)
    }
}

extension PotTable.Outcome {
    var hold: Hold? { if case .admitted(let hold) = self { hold } else { nil } }
    var refusal: LimitRefusal? { if case .refused(let refusal, _) = self { refusal } else { nil } }
}

extension PastRequest {
    /// A whole answer, unless said otherwise.
    static func sample(
        _ time: Int64, token: String? = nil, rule: String? = nil, provider: String? = "p", model: String? = "m",
        askedModel: String? = nil, isReplayed: Bool = false, _ usage: Usage = .reported, input: Int64 = 0,
        output: Int64 = 0, bytesIn: Int64 = 0, bytesOut: Int64 = 0, cost: Money? = nil
    ) -> PastRequest {
        PastRequest(
            time: time, token: token, rule: rule, provider: provider, model: model, askedModel: askedModel,
            answerModel: nil, isReplayed: isReplayed, usage: usage, input: input, output: output, bytesIn: bytesIn,
            bytesOut: bytesOut,
            cost: cost)
    }
}
