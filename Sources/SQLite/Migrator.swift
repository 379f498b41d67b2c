// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Brings a database's schema up to date: an append-only list of named steps and a table that says which were taken.
package struct Migrator: Sendable {
    package struct Step: Sendable {
        package let name: String
        package let sql: String

        package init(_ name: String, _ sql: String) {
            self.name = name
            self.sql = sql
        }
    }

    package enum Outcome: Sendable, Equatable {
        /// Names of the steps taken now; empty if there was nothing to do.
        case current(applied: [String])
        /// The database holds a step that this program does not know: a newer one made it. Nothing was changed.
        case newer(step: String)
    }

    private let steps: [Step]

    package init(_ steps: [Step]) { self.steps = steps }

    /// How far the database has come, without changing it.
    package enum State: Sendable, Equatable {
        case current
        case older(missing: Int)
        case newer(step: String)
    }

    package func state(_ connection: Connection) throws(SQLiteError) -> State {
        let taken = try taken(connection)
        if let unknown = unknown(taken) { return .newer(step: unknown) }
        return taken.count == steps.count ? .current : .older(missing: steps.count - taken.count)
    }

    private func taken(_ connection: Connection) throws(SQLiteError) -> Set<String> {
        var taken: Set<String> = []
        let ledger = try connection.prepare("SELECT step FROM migrations", reused: false)
        while try ledger.step() { taken.insert(ledger.text(0) ?? "") }
        return taken
    }

    private func unknown(_ taken: Set<String>) -> String? {
        taken.first { name in !steps.contains { $0.name == name } }
    }

    /// Takes the missing steps in order, all in one transaction. `user_version` becomes their number.
    package func migrate(_ connection: Connection) throws(SQLiteError) -> Outcome {
        try connection.transaction { () throws(SQLiteError) -> Outcome in
            try connection.execute(
                """
                CREATE TABLE IF NOT EXISTS migrations (
                    step TEXT PRIMARY KEY NOT NULL,
                    applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
                )
                """)
            let taken = try taken(connection)
            if let unknown = unknown(taken) { return .newer(step: unknown) }
            let entry = try connection.prepare("INSERT INTO migrations (step) VALUES (?1)", reused: false)
            var applied: [String] = []
            for step in steps where !taken.contains(step.name) {
                try connection.execute(step.sql)
                try entry.bind(1, step.name)
                try entry.run()
                applied.append(step.name)
            }
            if !applied.isEmpty { try connection.execute("PRAGMA user_version = \(steps.count)") }
            return .current(applied: applied)
        }
    }
}
