// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite

/// Rows of the database as reports read them. Belongs to one thread.
final class RecordSource {
    let connection: Connection
    let path: String
    /// nil: an older menshen made the database, which has no roll-ups.
    let identity: Int64?
    private let between: Statement
    private let nextID: Statement

    init(_ path: String) throws(StoreFault) {
        let reader = try RecordReader(path)
        (connection, self.path) = (reader.connection, reader.path)
        let hasAll = try reader.use { (connection) throws(SQLiteError) in
            try connection.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'gaps'")
        }
        guard hasAll == 1 else { throw .older }
        (identity, between, nextID) = try reader.use { (connection) throws(SQLiteError) in
            (
                try connection.integer("SELECT id FROM bookmarks WHERE name = 'identity'"),
                try connection.prepare("SELECT \(RollUpColumns.select) FROM requests WHERE id >= ?1 AND id < ?2"),
                try connection.prepare("SELECT id FROM requests WHERE id >= ?1 ORDER BY id LIMIT 1")
            )
        }
    }

    /// `body` sees one state of the database.
    func snapshot<Result>(_ body: () throws(SQLiteError) -> Result) throws(SQLiteError) -> Result {
        try connection.execute("BEGIN")
        defer { try? connection.execute("COMMIT") }
        return try body()
    }

    /// Requests that began in these seconds.
    func add(_ seconds: Range<Int64>, to builder: SegmentBuilder) throws(SQLiteError) {
        try between.bind(1, Slot.firstID(seconds.lowerBound))
        try between.bind(2, Slot.firstID(seconds.upperBound))
        defer { between.reset() }
        while try between.step() { try builder.add(between) }
    }

    /// The slot of the first request that began in `slot` or later.
    func nextSlot(_ slot: Int64) throws(SQLiteError) -> Int64? {
        try nextID.bind(1, Slot.firstID(slot * Slot.seconds))
        defer { nextID.reset() }
        return try nextID.step() ? nextID.integer(0).map(Slot.of) : nil
    }

    /// How often rows of a slot were written after it was over; slots that are not there: never.
    func lateVersions(_ slots: ClosedRange<Int64>) throws(SQLiteError) -> [Int64: Int64] {
        guard identity != nil else { return [:] }
        let rows = try connection.prepare("SELECT slot, version FROM late WHERE slot BETWEEN ?1 AND ?2", reused: false)
        try rows.bind(1, slots.lowerBound)
        try rows.bind(2, slots.upperBound)
        var versions: [Int64: Int64] = [:]
        while try rows.step() { versions[rows.integer(0) ?? 0] = rows.integer(1) ?? 0 }
        return versions
    }
}
