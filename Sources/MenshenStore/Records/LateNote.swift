// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import SQLite

/// Notes that rows of a slot were written after it was over, in the transaction that writes them, so that its roll-up counts as
/// old.
struct LateNote {
    private let statement: Statement

    init(_ connection: Connection) throws(SQLiteError) {
        statement = try connection.prepare(Self.sql(for: "VALUES (?1, 1)"))
    }

    /// `slots`: rows of a slot and 1 each, as VALUES or SELECT … WHERE.
    static func sql(for slots: String) -> String {
        "INSERT INTO late \(slots) ON CONFLICT (slot) DO UPDATE SET version = version + 1"
    }

    func run(_ slot: Int64) throws(SQLiteError) {
        try statement.bind(1, slot)
        try statement.run()
    }
}
