// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import MenshenStore
import SQLite
import Testing

/// `menshen prices recompute`.
@Suite struct CostRecalculationTests {
    private let scratch = Scratch()
    private var path: String { scratch("menshen.db") }

    private func book(_ input: Int) throws -> PriceBook {
        let text = """
            [[prices]]
            provider = "seller"
            model = "gpt-4o"
            input = \(input)
            output = 0
            web_search = 10
            """
        return PriceBook(try #require(PriceOverlay.decode(Array(text.utf8), file: "p").overlay))
    }

    private func end(_ number: Int64, _ state: UsageState = .reported, cost: Cost? = nil) -> AuditSettlement {
        var end = settlement(intent(id(number)))
        var usage = Usage()
        (usage.inputTotal, usage.outputTotal) = (1000, 10)
        usage.other = [.init(name: "web_search_requests", count: 1)]
        end.answer = AnswerRecord(
            usage: state == .reported ? usage : nil, model: nil, finishReason: nil, serviceTier: nil, endUser: nil,
            masking: [])
        end.usageState = state
        end.cost = cost
        return end
    }

    private func costs() throws -> [String] {
        let rows = try Connection.reading(path).prepare(
            "SELECT coalesce(cost, '-') || ' ' || coalesce(cost_state, '-') || ' ' || coalesce(cost_reason, '') FROM requests ORDER BY id"
        )
        var found: [String] = []
        while try rows.step() { found.append(rows.text(0) ?? "") }
        return found
    }

    private func run(_ input: Int, since: Int64 = 0, providers: [String: String?] = ["openai": "seller"]) throws
        -> CostRecalculation.Outcome
    {
        try CostRecalculation.run(path, since: since, book: book(input), providers: providers)
    }

    @Test func `rows get what their usage costs, the second time without a change, while the daemon writes on`() throws
    {
        let worker = StoreWorker(StoreSettings(databasePath: path, journal: nil)) { _ in }
        let stated = Cost(Money(picodollars: 5), .provider)
        worker.record([
            .settled(end(1)), .settled(end(2, .unknown)), .settled(end(3, .none)), .settled(end(4, cost: stated)),
            .intent(intent(id(5))),
        ])
        let first = try run(2)
        #expect(first.examined == 4 && first.changed == 3 && first.withoutProvider == 0)
        let expected = [
            "12000000000 priced ", "- unpriced the provider did not say what was used", "0 none ", "5 provider ",
            "- - ",
        ]
        #expect(try costs() == expected)
        #expect(try run(2).changed == 0)
        worker.record([.settled(end(6))])
        #expect(try run(2).changed == 1)
        // Prices that rose since: two rows are reported, and one says by which version it is unknown.
        #expect(try run(3).changed == 3)
        #expect(try costs()[0] == "13000000000 priced ")
    }

    @Test func `only rows since the day, and of providers that are there, are touched`() throws {
        let worker = StoreWorker(StoreSettings(databasePath: path, journal: nil)) { _ in }
        worker.record((1...600).map { .settled(end($0)) })
        #expect(try run(2, since: id(301).microseconds).changed == 300)
        #expect(try costs().filter { $0 == "- - " }.count == 300)
        let gone = try run(2, providers: ["another": "seller"])
        #expect(gone.changed == 0 && gone.withoutProvider == 600)
        let unsold = try run(2, providers: ["openai": String?.none])
        #expect(unsold.changed == 600)
        #expect(try costs()[0] == "- unpriced the provider has no list of prices")
    }

    @Test func `what caches saved is computed anew, but for menshen's own, whose answers are elsewhere`() throws {
        let worker = StoreWorker(StoreSettings(databasePath: path, journal: nil)) { _ in }
        worker.record([
            .settled(end(1)), .settled(end(2, .none, cost: Cost(.zero, .none, saved: Money(picodollars: 7)))),
        ])
        let connection = try Connection.reading(path)
        try connection.execute(
            "UPDATE requests SET cache_read = 400 WHERE cost IS NULL; UPDATE requests SET cache = 'hit' WHERE saved = 7"
        )
        let book = PriceBook(
            try #require(
                PriceOverlay.decode(
                    Array(
                        "[[prices]]\nprovider = \"seller\"\nmodel = \"gpt-4o\"\ninput = 3\ncached = 1\noutput = 0\nweb_search = 0"
                            .utf8),
                    file: "p"
                ).overlay))
        let outcome = try CostRecalculation.run(path, since: 0, book: book, providers: ["openai": "seller"])
        #expect(outcome.changed == 1)
        #expect(try connection.integer("SELECT saved FROM requests WHERE cache_read = 400") == 800_000_000)
        #expect(try connection.integer("SELECT saved FROM requests WHERE cache = 'hit'") == 7)
    }

    @Test func `a file that is no database of this menshen is a fault, and is not made`() throws {
        #expect(throws: StoreFault.self) { try run(2) }
        #expect(Scratch.names(in: scratch.path).isEmpty)
        let other = try Connection.reading(path)
        try other.execute("PRAGMA application_id = \(0x6d6e_736e); CREATE TABLE requests (id INTEGER)")
        let fault = #expect(throws: StoreFault.self) { try run(2) }
        #expect(fault?.reason.contains("older menshen") == true)
    }
}
