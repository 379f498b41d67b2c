// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import SQLite

/// Notes that rows of a slot were written after it was over, in the transaction that writes them, so that its roll-up counts as
/// old.
struct LateNote {
    private let statement: Statement

    init(_ connection: Connection) throws(SQLiteError) {
        statement = try connection.prepare(
            "INSERT INTO late VALUES (?1, 1) ON CONFLICT (slot) DO UPDATE SET version = version + 1")
    }

    func run(_ slot: Int64) throws(SQLiteError) {
        try statement.bind(1, slot)
        try statement.run()
    }
}
