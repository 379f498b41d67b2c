// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite

/// All that the cache's thread owns. Not Sendable; made and used on that thread. Every fault ends here: it makes misses,
/// one event and another attempt later.
package final class CacheWorker {
    private let settings: CacheSettings
    private let log: @Sendable (CacheEvent) -> Void
    private var database: CacheDatabase?
    private var lock: HeldLock?
    /// Times of use that are not written yet, and when they will be.
    private var touched: [Int64: UInt64] = [:]
    /// Entries that were found to be of no use.
    private var doomed: Set<Int64> = []
    private var flushAt: UInt64?
    private var sweepAt: UInt64 = 0
    private var retryAt: UInt64 = 0
    private var lookAt: UInt64 = 0
    private var checkpointAt = idlePages
    private var renewedAt: UInt64?
    private var told: String?
    private var hasToldExposure = false
    package private(set) var statistics = CacheStatistics()

    /// Pages in the write-ahead log at which it is copied into the database: 4 MiB in an idle moment, 32 MiB under load.
    private static let idlePages: Int32 = 1000
    private static let urgentPages: Int32 = 8000
    /// Of expired entries that nobody asks for.
    private static let sweepInterval: UInt64 = 600_000_000
    private static let sweepLimit = 64

    package init(_ settings: CacheSettings, log: @escaping @Sendable (CacheEvent) -> Void) {
        self.settings = settings
        self.log = log
        open(settings.monotonic())
    }

    // MARK: One batch

    package func process(_ batch: [CacheWork]) {
        var start = 0
        while start < batch.count {
            if case .clear = batch[start] {
                clear()
                start += 1
                continue
            }
            let end = batch[start...].firstIndex { if case .clear = $0 { true } else { false } } ?? batch.count
            process(batch[start..<end])
            start = end
        }
    }

    /// In order; with writes among them in one transaction.
    private func process(_ work: ArraySlice<CacheWork>) {
        guard isUsable(settings.monotonic()), let database else { return miss(work) }
        var done = work.startIndex
        do {
            if work.contains(where: { if case .lookup = $0 { false } else { true } }) {
                try database.connection.transaction { () throws(SQLiteError) in
                    while done < work.endIndex {
                        try perform(work[done], database)
                        done += 1
                    }
                    try writeNotes(database)
                    statistics.evictions += Int64(try database.evict(to: Int64(settings.maxBytes)))
                }
                committed()
                if database.connection.logPages < Self.idlePages { checkpointAt = Self.idlePages }
            } else {
                while done < work.endIndex {
                    try perform(work[done], database)
                    done += 1
                }
            }
            if database.connection.logPages >= Self.urgentPages { try database.connection.checkpoint() }
        } catch {
            fail(error)
            miss(work[done...])
        }
        count()
    }

    private func perform(_ work: CacheWork, _ database: CacheDatabase) throws(SQLiteError) {
        switch work {
        case .lookup(let key, let now, let maxAge, let reply):
            let answer = try lookUp(key, now, maxAge, database)
            if let answer {
                statistics.hits += 1
                reply(.hit(answer))
            } else {
                statistics.misses += 1
                reply(.miss)
            }
        case .store(let key, let answer, let maxAge):
            let encoded = answer.encoded
            guard CacheDatabase.size(encoded) <= settings.maxBytes else { return }
            let (expires, isOver) = answer.storedAt.addingReportingOverflow(maxAge)
            try database.insert(key, encoded, stored: answer.storedAt, expires: isOver ? .max : expires)
            statistics.stored += 1
        case .remove(let key): try database.remove(key)
        case .clear: break
        }
    }

    /// An entry from the future was stored before the clock was set back, and may be of any age.
    private func lookUp(
        _ key: CacheKey, _ now: UInt64, _ maxAge: UInt64, _ database: CacheDatabase
    ) throws(SQLiteError) -> CachedAnswer? {
        let oldest = now > maxAge ? now - maxAge : 0
        guard let found = try database.find(key, now: now, storedAfter: oldest) else { return nil }
        let isFromFuture = found.stored > now && found.stored - now > Self.clockTolerance
        guard now < found.expires, !isFromFuture else {
            // Once, although others may ask before it is deleted.
            if doom(found.id) { statistics.expired += 1 }
            return nil
        }
        guard let encoded = found.answer else { return nil }
        guard let answer = CachedAnswer(encoded: encoded) else {
            doom(found.id)
            return nil
        }
        touched[found.id] = now
        note()
        return answer
    }

    /// Between the clock's readings of two threads, and small corrections of it.
    private static let clockTolerance: UInt64 = 1_000_000

    /// False if it is already.
    @discardableResult
    private func doom(_ id: Int64) -> Bool {
        note()
        return doomed.insert(id).inserted
    }

    /// A lookup that can't be made is a miss; what can't be stored is asked for again.
    private func miss(_ work: ArraySlice<CacheWork>) {
        for item in work {
            guard case .lookup(_, _, _, let reply) = item else { continue }
            statistics.misses += 1
            reply(.miss)
        }
    }

    private func note() {
        if flushAt == nil { flushAt = settings.monotonic() + settings.touchDelay }
    }

    /// Within a transaction.
    private func writeNotes(_ database: CacheDatabase) throws(SQLiteError) {
        for (id, time) in touched { try database.touch(id, at: time) }
        for id in doomed { try database.remove(id) }
    }

    private func committed() {
        touched.removeAll(keepingCapacity: true)
        doomed.removeAll()
        flushAt = nil
        if told != nil, let database { log(.opened(path: database.path, entries: database.entries)) }
        told = nil
    }

    private func count() {
        statistics.entries = database?.entries ?? 0
        statistics.bytes = database?.bytes ?? 0
    }

    // MARK: The state of the database

    private func isUsable(_ now: UInt64) -> Bool {
        if let database {
            if now < lookAt { return true }
            lookAt = now + 1_000_000
            if database.isInPlace { return true }
            // Deleted to clear the cache, most likely.
            drop()
            lock = nil
            open(now)
        } else if now >= retryAt {
            open(now)
        }
        return database != nil
    }

    private func open(_ now: UInt64) {
        do throws(StoreFault) {
            let place = try DatabaseFile.prepare(settings.path)
            if let mode = place.exposedMode, !hasToldExposure {
                hasToldExposure = true
                log(.directoryExposed(path: place.directory, mode: mode))
            }
            if lock == nil { lock = try HeldLock(place.path) }
            if CacheFile.content(place.path) == .foreign {
                throw StoreFault(reason: "it is not a cache of menshen's", advice: "")
            }
            do throws(CacheFault) {
                use(try CacheDatabase.open(place))
            } catch {
                // Its first page says that it is ours, so it may go.
                guard error.isWorthless, mayRenew(now) else {
                    throw StoreFault(reason: error.reason(place.path), advice: "")
                }
                renew(place, error.reason(place.path), now)
            }
        } catch {
            unavailable(error.reason, now)
        }
        count()
    }

    private func use(_ opened: CacheDatabase) {
        database = opened
        lookAt = settings.monotonic() + 1_000_000
        sweepAt = 0
        statistics.unavailable = nil
        // The limit may have been lowered.
        if opened.bytes > Int64(settings.maxBytes) { note() }
        // One that failed counts as recovered at the first commit.
        if told == nil { log(.opened(path: opened.path, entries: opened.entries)) }
    }

    /// Not again and again.
    private func mayRenew(_ now: UInt64) -> Bool { renewedAt.map { now - $0 > settings.retryInterval } ?? true }

    private func renew(_ place: DatabaseFile.Place, _ reason: String, _ now: UInt64) {
        renewedAt = now
        CacheFile.delete(place.path)
        log(.renewed(path: place.path, reason: reason))
        open(now)
    }

    /// A statement failed. What was in its transaction is gone.
    private func fail(_ error: SQLiteError) {
        let now = settings.monotonic()
        let reason = StoreFault(error, path: settings.path).reason
        let path = database?.path
        drop()
        if case .corrupt = error.kind, let path, mayRenew(now), CacheFile.content(path) == .ours {
            renewedAt = now
            CacheFile.delete(path)
            log(.renewed(path: path, reason: reason))
            return open(now)
        }
        unavailable(reason, now)
    }

    private func unavailable(_ reason: String, _ now: UInt64) {
        drop()
        retryAt = now + settings.retryInterval
        statistics.unavailable = reason
        if told != reason { log(.unavailable(path: settings.path, reason: reason)) }
        told = reason
    }

    private func drop() {
        database = nil
        touched.removeAll()
        doomed.removeAll()
        flushAt = nil
    }

    private func clear() {
        guard isUsable(settings.monotonic()), let path = database?.path else { return }
        drop()
        CacheFile.delete(path)
        open(settings.monotonic())
    }

    // MARK: Between batches

    /// A bounded piece of work for a moment in which nothing is queued; false if there was none.
    package func doChore() -> Bool {
        guard let database else { return false }
        let now = settings.monotonic()
        do {
            if let flushAt, now >= flushAt {
                try flush(database)
                return true
            }
            if now >= sweepAt {
                let count = try database.expire(now: settings.wall(), limit: Self.sweepLimit)
                statistics.expired += Int64(count)
                var hasMore = count == Self.sweepLimit
                if !hasMore { hasMore = try database.shrink() }
                if !hasMore { sweepAt = now + Self.sweepInterval }
                self.count()
                return true
            }
            // A reader may keep the log from starting again; then the next attempt waits for more pages.
            if database.connection.logPages >= checkpointAt {
                try database.connection.checkpoint()
                checkpointAt = max(Self.idlePages, database.connection.logPages + Self.idlePages)
                return true
            }
        } catch {
            fail(error)
        }
        return false
    }

    private func flush(_ database: CacheDatabase) throws(SQLiteError) {
        try database.connection.transaction { () throws(SQLiteError) in
            try writeNotes(database)
            statistics.evictions += Int64(try database.evict(to: Int64(settings.maxBytes)))
        }
        committed()
        count()
    }

    /// Microseconds until `doChore` has something to do; nil: nothing in sight.
    package func timeout() -> UInt64? {
        guard database != nil else { return nil }
        let next = min(sweepAt, flushAt ?? .max)
        let now = settings.monotonic()
        return next > now ? next - now : 0
    }

    /// Writes what is only noted and closes the database.
    package func close() {
        if let database {
            do {
                try flush(database)
                try database.connection.checkpoint(truncating: true)
            } catch {
                fail(error)
            }
        }
        count()
        database = nil
        lock = nil
    }
}
