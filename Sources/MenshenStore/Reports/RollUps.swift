// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import MenshenCore
internal import SQLite

/// Makes the roll-ups of slots that are over, and makes those anew whose rows were written later. Any process of the database's
/// user may do so, also several at once. Belongs to one thread.
package final class RollUps {
    /// A slot is left alone for so many seconds after its end: what began in it is written by then, or counted as late.
    static let margin: Int64 = 60
    /// Slots whose sums are made in so many microseconds are written in one transaction.
    private static let groupTime: UInt64 = 50_000

    private let source: RecordSource
    private let file: RollUpFile
    private let names: Names
    private let builder: SegmentBuilder
    private let insertName: Statement
    private let insertSlot: Statement
    /// What the file calls names that were temporary when the builder learnt them.
    private var adopted: [Names.Number: Names.Number] = [:]

    /// nil: an older menshen made the database; its next start makes it fit.
    package init?(_ path: String) throws(StoreFault) {
        source = try RecordSource(path)
        guard let identity = source.identity else { return nil }
        file = try RollUpFile.make(for: source.path, identity: identity)
        do throws(SQLiteError) {
            names = try Names(file.connection)
            builder = SegmentBuilder(names)
            insertName = try file.connection.prepare(
                "INSERT INTO names (text) VALUES (?1) ON CONFLICT (text) DO UPDATE SET text = text RETURNING id")
            insertSlot = try file.connection.prepare("INSERT OR REPLACE INTO slots VALUES (?1, ?2, ?3)")
        } catch {
            throw StoreFault(error, path: file.path)
        }
    }

    /// Brings them up to `now` (seconds since 1970). `goOn` is asked every twentieth of a second or so with the share (0…1) that
    /// is done; returns false if it said no before all was.
    @discardableResult
    package func update(now: Int64, goOn: (Double) -> Bool = { _ in true }) throws(StoreFault) -> Bool {
        let due = try dueSlots(before: Slot.at(now - Self.margin))
        var done = 0
        while done < due.count {
            done += try make(due[done...])
            if done < due.count, !goOn(Double(done) / Double(due.count)) { return false }
        }
        do throws(SQLiteError) { try file.connection.checkpoint() } catch { throw StoreFault(error, path: file.path) }
        return true
    }

    /// Those without roll-up or with an old one. Roll-ups of slots that have no rows any more go.
    private func dueSlots(before end: Int64) throws(StoreFault) -> [Int64] {
        do throws(SQLiteError) {
            var have: [Int64: Int64] = [:]
            let rows = try file.connection.prepare("SELECT slot, version FROM slots", reused: false)
            while try rows.step() { have[rows.integer(0) ?? 0] = rows.integer(1) ?? 0 }
            rows.reset()
            let late = try source.lateVersions(0...max(0, end))
            var due: [Int64] = []
            var slot = try source.nextSlot(0)
            while let found = slot, found < end {
                if have.removeValue(forKey: found) != late[found] ?? 0 { due.append(found) }
                slot = try source.nextSlot(found + 1)
            }
            let gone = have.keys.filter { $0 < end }
            if !gone.isEmpty {
                try file.connection.transaction { () throws(SQLiteError) in
                    for slot in gone { try file.connection.execute("DELETE FROM slots WHERE slot = \(slot)") }
                }
            }
            return due
        } catch {
            throw StoreFault(error, path: file.path)
        }
    }

    /// Makes some of them, at least one; returns how many.
    private func make(_ slots: ArraySlice<Int64>) throws(StoreFault) -> Int {
        let end = Clock.monotonic() + Self.groupTime
        do throws(SQLiteError) {
            return try file.connection.transaction { () throws(SQLiteError) -> Int in
                var made = 0
                for slot in slots {
                    try make(slot)
                    made += 1
                    if Clock.monotonic() >= end { break }
                }
                return made
            }
        } catch {
            throw StoreFault(error, path: file.path)
        }
    }

    private func make(_ slot: Int64) throws(SQLiteError) {
        builder.clear()
        let version = try source.snapshot { () throws(SQLiteError) -> Int64 in
            try source.add(slot * Slot.seconds..<(slot + 1) * Slot.seconds, to: builder)
            return try source.lateVersions(slot...slot)[slot] ?? 0
        }
        let bytes = try Segment.encode(builder) { (number) throws(SQLiteError) in try fileNumber(number) }
        try insertSlot.bind(1, slot)
        try insertSlot.bind(2, version)
        try insertSlot.run(3, bytes: bytes)
    }

    private func fileNumber(_ number: Names.Number) throws(SQLiteError) -> Names.Number {
        guard Names.isTemporary(number), let text = try names.text(number) else { return number }
        if let known = adopted[number] { return known }
        try insertName.bind(1, text)
        defer { insertName.reset() }
        guard try insertName.step(), let id = insertName.integer(0) else { return Names.none }
        names.adopt(Names.Number(id), for: text)
        adopted[number] = Names.Number(id)
        return Names.Number(id)
    }
}
