// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

@testable import MenshenCore

struct PastSpendingTests {
    private static let noon: Int64 = 1_800_000_000 - 1_800_000_000 % 86_400 + 43_200

    /// What is spent of a limit after some requests of the past.
    private static func spent(
        _ holder: Holder, _ limit: String, price: @escaping SpendingPrice = { _, _, _, _ in nil },
        _ requests: PastRequest...
    ) throws -> Int64 {
        var table = PotTable()
        let demand = Demand(holder, [try Limit.read(limit)])
        _ = table.reserve([demand], Amounts(), notify: [], at: noon, .utc)
        var past = PastSpending(table.unknown, price: price)
        for request in requests { past.add(request) }
        past.finish()
        table.fill(past)
        let state = table.state(demand, at: noon, .utc)
        #expect(state.allSatisfy { $0.isKnown })
        return state[0].spent
    }

    @Test func `each holder gets what is its own`() throws {
        let requests = [
            PastRequest.sample(
                Self.noon - 1, token: "a", rule: "r", provider: "p", model: "gpt-5-mini", input: 1, output: 2),
            PastRequest.sample(
                Self.noon - 1, token: "b", provider: "q", model: "fast", askedModel: "gpt-5", input: 10),
            PastRequest.sample(Self.noon - 1, provider: "q", model: "other", output: 100),
        ]
        for (holder, expected) in [
            (Holder(.token, "a"), 3), (Holder(.token, "b"), 10), (Holder(.token, "c"), 0), (Holder(.caller, "r"), 3),
            (Holder(.provider, "q"), 110), (Holder(.model, "gpt-5*"), 13), (Holder(.model, "*"), 113),
            (Holder.instance, 113),
        ] as [(Holder, Int64)] {
            let spent = try Self.spent(holder, "1m tokens/day", requests[0], requests[1], requests[2])
            #expect(spent == expected, "\(holder)")
        }
    }

    @Test(arguments: [("own", Int64(5), Int64(5)), ("token's", 5, 0), (nil, 5, 0)])
    func `a caller's own rule counts beside that of its token, once`(_ own: String?, _ ofToken: Int64, _ ofOwn: Int64)
        throws
    {
        let caller = CallerRecord(uid: 7, pid: nil, executable: nil, unit: nil, address: "unix")
        let request = PastRequest(
            time: Self.noon - 1, token: "a", rule: "token's", caller: caller, provider: "p", model: "m",
            answerModel: nil, isReplayed: false, usage: .reported, input: 5, output: 0, bytesIn: 0, bytesOut: 0,
            cost: nil)
        for (name, expected) in [("token's", ofToken), ("own", ofOwn)] {
            var table = PotTable()
            let demand = Demand(Holder(.caller, name), [try Limit.read("100 tokens/day")])
            _ = table.reserve([demand], Amounts(), notify: [], at: Self.noon, .utc)
            var past = PastSpending(table.unknown, ownRule: { $0.uid == 7 ? own : nil }) { _, _, _, _ in nil }
            past.add(request)
            past.finish()
            table.fill(past)
            #expect(table.state(demand, at: Self.noon, .utc).map(\.spent) == [expected], "\(name)")
        }
    }

    @Test func `a stored answer is a request, and nothing else`() throws {
        let hit = PastRequest.sample(Self.noon - 1, token: "a", provider: nil, isReplayed: true, .none)
        #expect(try Self.spent(Holder(.token, "a"), "9 requests/day", hit) == 1)
        #expect(try Self.spent(Holder(.token, "a"), "9 tokens/day", hit) == 0)
        #expect(try Self.spent(Holder(.model, "m"), "9 requests/day", hit) == 0)
    }

    @Test func `a lost request counts as the largest of its model`() throws {
        let known = PastRequest.sample(Self.noon - 3, input: 500, output: 30, cost: Money(picodollars: 70))
        let lost = PastRequest.sample(Self.noon - 2, .lost)
        let smaller = PastRequest.sample(Self.noon - 1, input: 1, output: 1, cost: Money(picodollars: 2))
        #expect(try Self.spent(.instance, "1m tokens/day", known, lost, smaller) == 530 * 2 + 2)
        #expect(try Self.spent(.instance, "1usd/day", known, lost, smaller) == 142)
        #expect(try Self.spent(.instance, "9 requests/day", known, lost, smaller) == 3)
        // Of a model that nothing is known of, a guess; and its price, if there is one.
        #expect(try Self.spent(.instance, "1m tokens/day", lost) == 2 * SpendingEstimate.unknownOutput)
        #expect(
            try Self.spent(
                .instance, "1usd/day", price: { _, _, input, output in Money(picodollars: input + output) }, lost)
                == 2000)
    }

    @Test func `what is not known is guessed, and what broke off counts by its bytes`() throws {
        let unknown = PastRequest.sample(Self.noon - 1, .unknown, bytesIn: 299)
        #expect(try Self.spent(.instance, "1m tokens/day", unknown) == 100 + SpendingEstimate.unknownOutput)
        let cut = PastRequest.sample(Self.noon - 1, .partial, input: 7, output: 1, bytesOut: 300)
        #expect(try Self.spent(.instance, "1m tokens/day", cut) == 107)
        let long = PastRequest.sample(Self.noon - 1, .partial, input: 7, output: 1, bytesOut: 300_000)
        #expect(try Self.spent(.instance, "1m tokens/day", long) == 7 + SpendingEstimate.unknownOutput)
    }

    @Test func `what was usual is known again`() throws {
        var table = PotTable()
        _ = table.reserve(
            [Demand(.instance, [try Limit.read("1 requests/day")])], Amounts(), notify: [], at: Self.noon, .utc)
        var past = PastSpending(table.unknown) { _, _, _, _ in nil }
        past.add(.sample(Self.noon - 1, output: 800))
        past.finish()
        table.fill(past)
        #expect(table.usualOutput("p", "m") == 800)
    }

    @Test func `nothing older is read than what counts`() throws {
        var table = PotTable()
        _ = table.reserve(
            [Demand(.instance, [try Limit.read("1 requests/day"), try Limit.read("1 requests/hour")])], Amounts(),
            notify: [], at: Self.noon, .utc)
        #expect(PastSpending(table.unknown) { _, _, _, _ in nil }.begin == Self.noon - 43_200)
    }
}
