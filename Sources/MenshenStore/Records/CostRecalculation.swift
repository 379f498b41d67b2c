// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import MenshenCore
internal import SQLite

/// Computes anew what recorded requests cost, from the usage that their rows have. Beside a running daemon: each step holds the
/// write lock for a few rows only.
package struct CostRecalculation {
    package struct Outcome: Sendable, Equatable {
        package var examined = 0
        package var changed = 0
        /// Rows of providers that the configuration doesn't have any more; they stay as they are.
        package var withoutProvider = 0
    }

    private static let step = 256
    private static let columns = [
        "provider", "model", "answer_model", "service_tier", "usage_state", "usage_other", "seconds", "messages_in",
        "asked_tier", "speed", "inference_geo", "cache_write_ttl", "cost", "cost_state", "cost_reason", "price_version",
        "saved", "cache",
    ]
    private static let counts = Usage.countNames.map { "\($0)" }

    private let book: PriceBook
    private let providers: [String: String?]
    private let connection: Connection
    private let select: Statement
    private let update: Statement
    private let noteLate: LateNote
    private let chain: ChainWriter
    private var outcome = Outcome()

    /// `since`: in microseconds since 1970. `providers`: of each configured provider, whose prices are its own.
    package static func run(
        _ path: String, since: Int64, book: PriceBook, providers: [String: String?]
    ) throws(StoreFault) -> Outcome {
        let file = try DatabaseFile.resolve(path).file
        do {
            // Read only at first: a file that is not there must not be made.
            let reader = try Connection(path: file, .readOnly, busyMilliseconds: 10_000)
            guard try reader.integer("PRAGMA application_id") == Schema.applicationID else { throw StoreFault.foreign }
            let isCurrent = try reader.integer(
                "SELECT count(*) FROM pragma_table_info('requests') WHERE name = 'saved'")
            let hasChain = try reader.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'chain'")
            guard isCurrent == 1, hasChain == 1 else { throw StoreFault.older }
            let connection = try Connection(path: file, .readWrite, busyMilliseconds: 10_000)
            var recalculation = try CostRecalculation(connection, book, providers)
            try recalculation.run(since)
            return recalculation.outcome
        } catch let error as SQLiteError {
            throw StoreFault(error, path: file)
        } catch let fault as StoreFault {
            throw fault
        } catch {
            throw StoreFault(reason: "\(error)", advice: "")
        }
    }

    private init(_ connection: Connection, _ book: PriceBook, _ providers: [String: String?]) throws(SQLiteError) {
        (self.connection, self.book, self.providers) = (connection, book, providers)
        chain = try ChainWriter(connection) { Clock.wall() }
        select = try connection.prepare(
            """
            SELECT id, (SELECT model FROM attempts WHERE request_id = requests.id ORDER BY n DESC LIMIT 1),
                \((Self.columns + Self.counts).joined(separator: ", "))
            FROM requests WHERE id > ?1 AND usage_state IS NOT NULL AND end_state <> 'open' ORDER BY id LIMIT \(Self.step)
            """)
        update = try connection.prepare(
            """
            UPDATE requests SET cost = ?2, cost_state = ?3, cost_reason = ?4, price_version = ?5, saved = ?6
            WHERE id = ?1 AND end_state <> 'open'
            """)
        noteLate = try LateNote(connection)
    }

    private mutating func run(_ since: Int64) throws(SQLiteError) {
        var last = RequestID(microseconds: since).rawValue - 1
        while true {
            var changes: [(id: Int64, after: Cost)] = []
            var seen = 0
            try select.bind(1, last)
            while try select.step() {
                seen += 1
                last = select.integer(0) ?? last
                if let cost = recalculated() { changes.append((last, cost)) }
            }
            select.reset()
            outcome.changed += changes.count
            if !changes.isEmpty {
                try chain.transaction { () throws(SQLiteError) in
                    for change in changes { try write(change.id, change.after) }
                    for slot in Set(changes.map { Slot.of($0.id) }) { try noteLate.run(slot) }
                }
            }
            if seen < Self.step { return }
        }
    }

    private func write(_ id: Int64, _ cost: Cost) throws(SQLiteError) {
        try update.bind(1, id)
        try update.bind(2, cost.amount?.picodollars)
        try update.bind(3, cost.state.rawValue)
        try update.bind(4, cost.reason)
        try update.bind(5, cost.priceVersion)
        try update.bind(6, cost.saved?.picodollars)
        try update.run()
        if connection.changes > 0 { chain.note(id, .recomputed) }
    }

    /// What the row under the cursor costs, if that is other than it says. What the provider said stays.
    private mutating func recalculated() -> Cost? {
        func text(_ name: String) -> String? { Self.place(name).flatMap { select.text($0) } }
        func integer(_ name: String) -> Int64? { Self.place(name).flatMap { select.integer($0) } }

        outcome.examined += 1
        // A hit costs nothing, and what it saved depends on an answer that is not in its row.
        guard text("cost_state") != Cost.State.provider.rawValue, text("cache") != "hit",
            let state = text("usage_state").flatMap({ UsageState(rawValue: $0) })
        else { return nil }
        let name = text("provider")
        if let name, providers[name] == nil, state != .none {
            outcome.withoutProvider += 1
            return nil
        }
        var usage = Usage()
        for (index, count) in Self.counts.enumerated() { usage[keyPath: Usage.counts[index]] = integer(count) }
        usage.seconds = Self.place("seconds").flatMap { select.double($0) }
        usage.take(named: text("usage_other").map(Usage.Extra.read) ?? [], cacheWriteTTL: integer("cache_write_ttl"))
        var facts = PricedFacts(usage: usage.isCounted ? usage : nil, usageState: state)
        facts.answerTier = text("service_tier")
        facts.askedTier = text("asked_tier")
        facts.speed = text("speed")
        facts.inferenceGeo = text("inference_geo")
        facts.isSum = integer("messages_in") != nil
        let id = RequestID(rawValue: select.integer(0) ?? 0)
        let cost = book.cost(
            provider: name.flatMap { providers[$0] ?? nil }, answerModel: text("answer_model"),
            askedModel: select.text(1) ?? text("model"), facts: facts, at: id.microseconds / 1_000_000)
        let before = (integer("cost"), text("cost_state"), text("cost_reason"), text("price_version"), integer("saved"))
        let after = (
            cost.amount?.picodollars, cost.state.rawValue, cost.reason, cost.priceVersion, cost.saved?.picodollars
        )
        return before == after ? nil : cost
    }

    private static func place(_ name: String) -> Int32? {
        (columns + counts).firstIndex(of: name).map { Int32($0) + 2 }
    }
}

extension StoreFault {
    static let older = StoreFault(
        reason: "an older menshen made it, and it lacks tables or columns of this one",
        advice: "Start this menshen once; it adds them.")
}
