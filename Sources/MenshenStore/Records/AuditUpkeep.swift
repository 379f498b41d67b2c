// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite

/// What the store does when nobody waits: rows that a crash left open, rows too old, the write-ahead log.
extension AuditDatabase {
    /// Marks rows that nobody will settle any more, with those of `intents` that have none yet; returns their number.
    /// `all`: every open row is meant. That is right only while this process has no request in the database, which is so at
    /// its first successful opening.
    func settleLost(_ intents: [AuditIntent], all: Bool) throws(SQLiteError) -> Int {
        try chain.transaction { () throws(SQLiteError) -> Int in
            let row = try connection.prepare("SELECT 1 FROM requests WHERE id = ?1", reused: false)
            var count = 0
            for intent in intents {
                try row.bind(1, intent.id.rawValue)
                let hasRow = try row.step()
                row.reset()
                if hasRow { continue }
                try write(intent)
                if all { continue }
                try lose(intent.id)
                count += 1
            }
            guard all else { return count }
            try noteLate("id >= \(settledBelow) AND end_state = 'open'")
            let open = try connection.prepare(
                "SELECT id FROM requests WHERE id >= \(settledBelow) AND end_state = 'open'", reused: false)
            while try open.step() { if let id = open.integer(0) { chain.note(id) } }
            open.reset()
            try connection.execute(
                "UPDATE requests SET end_state = 'lost' WHERE id >= \(settledBelow) AND end_state = 'open'")
            return connection.changes
        }
    }

    func lose(_ id: RequestID) throws(SQLiteError) {
        try noteLate("id = \(id.rawValue)")
        try connection.execute("UPDATE requests SET end_state = 'lost' WHERE id = \(id.rawValue)")
        chain.note(id.rawValue)
    }

    /// Roll-ups of the slots of those rows count as old from now on.
    private func noteLate(_ condition: String) throws(SQLiteError) {
        try connection.execute(
            LateNote.sql(for: "SELECT DISTINCT \(Slot.ofID), 1 FROM requests WHERE \(condition)"))
    }

    /// Moves the bookmark past rows that are settled: up to 5,000 of them, about a millisecond.
    func advanceBookmark() throws(SQLiteError) {
        let rows = try connection.prepare(
            "SELECT id, end_state = 'open' FROM requests WHERE id >= \(settledBelow) ORDER BY id LIMIT 5000",
            reused: false)
        var target = settledBelow
        while try rows.step() {
            guard let id = rows.integer(0) else { continue }
            if rows.integer(1) == 1 {
                target = id
                break
            }
            target = id + 1
        }
        rows.reset()
        guard target != settledBelow else { return }
        try connection.transaction { () throws(SQLiteError) in try moveBookmark(to: target) }
    }

    /// Deletes up to `limit` requests older than `cutoff` with all that belongs to them; returns how many there were.
    func expire(before cutoff: RequestID, limit: Int) throws(SQLiteError) -> Int {
        let rest = try connection.prepare(
            "SELECT id FROM requests WHERE id < ?1 ORDER BY id LIMIT 1 OFFSET \(limit)", reused: false)
        try rest.bind(1, cutoff.rawValue)
        let bound = try rest.step() ? rest.integer(0) ?? cutoff.rawValue : cutoff.rawValue
        rest.reset()
        let count = try chain.transaction { () throws(SQLiteError) -> Int in
            try connection.execute("DELETE FROM late WHERE slot < \(Slot.of(bound))")
            try connection.execute("DELETE FROM bodies WHERE request_id < \(bound)")
            try connection.execute("DELETE FROM attempts WHERE request_id < \(bound)")
            try connection.execute("DELETE FROM requests WHERE id < \(bound)")
            let count = connection.changes
            if count > 0 {
                // What is left of the bound's slot has another roll-up.
                try connection.execute(LateNote.sql(for: "VALUES (\(Slot.of(bound)), 1)"))
                try chain.expire(below: bound)
            }
            return count
        }
        if count > 0 { try connection.execute("PRAGMA incremental_vacuum(256)") }
        return count
    }

    func newestRecord() throws(SQLiteError) -> RequestID? {
        let rows = try connection.prepare("SELECT max(id) FROM requests", reused: false)
        defer { rows.reset() }
        guard try rows.step(), let id = rows.integer(0) else { return nil }
        return RequestID(rawValue: id)
    }
}
