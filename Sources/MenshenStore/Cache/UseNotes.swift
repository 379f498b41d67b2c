// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import SQLite

/// What lookups leave to be written: times of use, and entries that are of no use. They gather, so that a hit writes nothing.
struct UseNotes {
    private var touched: [Int64: UInt64] = [:]
    private var doomed: Set<Int64> = []
    /// When they are to be written; nil: there are none.
    private(set) var dueAt: UInt64?

    /// Something is to be written by then, even if it is only an eviction.
    mutating func isDue(at time: UInt64) { if dueAt == nil { dueAt = time } }

    mutating func touch(_ id: Int64, _ now: UInt64) { touched[id] = now }

    /// False if it is already.
    mutating func doom(_ id: Int64) -> Bool { doomed.insert(id).inserted }

    /// Within a transaction.
    func write(to database: CacheDatabase) throws(SQLiteError) {
        for (id, time) in touched { try database.touch(id, at: time) }
        for id in doomed { try database.remove(id) }
    }

    mutating func areWritten() {
        touched.removeAll(keepingCapacity: true)
        doomed.removeAll()
        dueAt = nil
    }
}
