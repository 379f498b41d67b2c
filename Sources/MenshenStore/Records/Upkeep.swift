// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite

/// When checkpoints, the bookmark and the deletion of old rows are due.
struct Upkeep {
    private static let hour: UInt64 = 3_600_000_000

    /// 8 MiB.
    var checkpoints = CheckpointPlan(idlePages: 2000)
    private var retentionAt: UInt64 = 0
    private var chunk = 500
    private var deleted = 0
    /// Monotonic, in microseconds.
    private var doubtedUntil: UInt64 = 0
    /// The clocks when they were last read, in microseconds.
    private var sync: (wall: UInt64, monotonic: UInt64)?
    private var hasToldDoubt = false
    private static let day = 24 * hour

    mutating func checkpoint(_ database: AuditDatabase) throws(SQLiteError) {
        try database.advanceBookmark()
        try database.connection.checkpoint()
        checkpoints.copied(database.connection.logPages)
    }

    /// One bounded piece of work; false if nothing is due.
    mutating func step(
        _ database: AuditDatabase, _ settings: StoreSettings, _ now: UInt64, _ log: @Sendable (StoreEvent) -> Void
    ) throws(SQLiteError) -> Bool {
        if checkpoints.isDue(database.connection.logPages) {
            try checkpoint(database)
            return true
        }
        guard let days = settings.retentionDays, now >= retentionAt else { return false }
        let age = UInt64(max(days, 0)) * 24 * Self.hour
        let wall = settings.wall()
        if try isDoubted(wall, now, age, database) {
            if !hasToldDoubt { log(.clockDoubted(days: days)) }
            hasToldDoubt = true
            retentionAt = now + Self.hour
            return true
        }
        let cutoff = RequestID(microseconds: Int64(wall > age ? wall - age : 0))
        let count = try database.expire(before: cutoff, limit: chunk)
        deleted += count
        if count == chunk {
            // Large bodies make a chunk slow; an intent may be waiting behind it.
            let took = settings.monotonic() - now
            if took > 10_000, chunk > 20 { chunk /= 2 }
            return true
        }
        retentionAt = now + Self.hour
        chunk = 500
        if deleted > 0 { log(.expired(count: deleted, days: days)) }
        deleted = 0
        return true
    }

    /// A clock that is wrong must not delete everything. It is doubted for a day when it is ahead of the newest record at the start,
    /// or jumps ahead later, by more than the time that records are kept, and by a month at least: shorter is a holiday or a suspend.
    private mutating func isDoubted(
        _ wall: UInt64, _ now: UInt64, _ age: UInt64, _ database: AuditDatabase
    ) throws(SQLiteError) -> Bool {
        let expected: UInt64
        if let sync {
            expected = sync.wall + (now - sync.monotonic)
        } else {
            expected = try database.newestRecord().map { UInt64(max(0, $0.microseconds)) } ?? wall
        }
        sync = (wall, now)
        if wall > expected + max(age, 30 * Self.day) { doubtedUntil = now + Self.day }
        return now < doubtedUntil
    }

    func deadline(_ settings: StoreSettings) -> UInt64? { settings.retentionDays == nil ? nil : retentionAt }
}
