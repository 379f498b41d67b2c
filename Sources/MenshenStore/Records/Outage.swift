// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite

/// The time in which the database is not in use, and what that has cost: a gap is written once the database is back, and made
/// smaller by what the journal gives back. Belongs to the store's thread.
struct Outage {
    private var began: (at: Int64, reason: String)?
    /// The last one, of which the journal may still give something back.
    private var gap: RecordGap?
    /// It is not in the database as it is here.
    private(set) var isUnwritten = false

    /// Microseconds since 1970.
    mutating func begin(_ now: Int64, _ reason: String) {
        if began == nil { began = (now, reason) }
    }

    /// `missing`: requests whose rows nobody has kept.
    mutating func end(_ now: Int64, missing: Int64) {
        defer { began = nil }
        gap = nil
        guard missing > 0, let began else { return }
        gap = RecordGap(since: began.at, until: max(now, began.at), missing: missing, reason: began.reason)
        isUnwritten = true
    }

    /// The journal was read to its end, and so many entries that it took alone were not in it.
    mutating func hasReadJournal(missing: Int) {
        guard let found = gap, Int64(missing) < found.missing else { return }
        gap?.missing = Int64(missing)
        isUnwritten = true
    }

    mutating func write(_ database: AuditDatabase) throws(SQLiteError) {
        if let gap { try database.write(gap) }
        isUnwritten = false
    }
}

extension AuditDatabase {
    /// In place of what was said of it before.
    func write(_ gap: RecordGap) throws(SQLiteError) {
        let insert = try connection.prepare(
            "INSERT OR REPLACE INTO gaps (since, until, missing, reason) VALUES (?1, ?2, ?3, ?4)", reused: false)
        try insert.bind(1, gap.since)
        try insert.bind(2, gap.until)
        try insert.bind(3, gap.missing)
        try insert.bind(4, gap.reason)
        try insert.run()
    }
}
