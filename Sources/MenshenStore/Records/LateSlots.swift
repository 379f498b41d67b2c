// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import SQLite

/// Slots of the past in which rows are being written. Belongs to the store's thread.
struct LateSlots {
    private let note: LateNote
    /// Slots of this transaction.
    private var slots: Set<Int64> = []
    /// Ids below it are of slots that are over. It never goes back, whatever the clock does.
    private var bound: Int64
    /// When the present slot ends, in seconds since 1970.
    private var endsAt: Int64 = 0

    /// `newest`: the largest id in the database; 0 without any.
    init(_ connection: Connection, newest: Int64) throws(SQLiteError) {
        note = try LateNote(connection)
        bound = Slot.firstID(Slot.of(newest) * Slot.seconds)
    }

    /// Before each transaction. `wall`: microseconds since 1970.
    mutating func begin(_ wall: UInt64) {
        let now = Int64(wall / 1_000_000)
        if now < endsAt { return }
        endsAt = (Slot.at(now) + 1) * Slot.seconds
        bound = max(bound, Slot.firstID(Slot.at(now) * Slot.seconds))
    }

    /// A row is written.
    @inline(__always)
    mutating func wrote(_ id: Int64) { if id < bound { slots.insert(Slot.of(id)) } }

    /// At the end of the transaction.
    mutating func commit() throws(SQLiteError) {
        if slots.isEmpty { return }
        for slot in slots { try note.run(slot) }
        slots.removeAll(keepingCapacity: true)
    }
}
