// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
internal import SQLite

/// All that the cache's thread owns. Not Sendable; made and used on that thread. Every fault ends here: it makes misses,
/// one event and another attempt later.
package final class CacheWorker {
    private let settings: CacheSettings
    private let log: @Sendable (CacheEvent) -> Void
    private let keeper: DatabaseKeeper<CacheWorker>
    private var notes = UseNotes()
    private var sweepAt: UInt64 = 0
    /// 4 MiB.
    private var checkpoints = CheckpointPlan(idlePages: 1000)
    private var renewedAt: UInt64?
    package private(set) var statistics = CacheStatistics()

    /// Of expired entries that nobody asks for.
    private static let sweepInterval: UInt64 = 600_000_000
    private static let sweepLimit = 64

    package init(_ settings: CacheSettings, log: @escaping @Sendable (CacheEvent) -> Void) {
        self.settings = settings
        self.log = log
        keeper = DatabaseKeeper(settings.path, retryInterval: settings.retryInterval)
        keeper.open(settings.monotonic(), for: self)
    }

    // MARK: One batch

    package func process(_ batch: [CacheWork]) {
        var start = 0
        while start < batch.count {
            if case .clear(let reply) = batch[start] {
                reply(Result { () throws(StoreFault) in try clear() })
                start += 1
                continue
            }
            let end = batch[start...].firstIndex { if case .clear = $0 { true } else { false } } ?? batch.count
            process(batch[start..<end])
            start = end
        }
    }

    private func process(_ work: ArraySlice<CacheWork>) {
        guard keeper.isUsable(settings.monotonic(), for: self) else { return miss(work) }
        var done = work.startIndex
        do {
            try perform(work, &done)
        } catch {
            fail(error)
            miss(work[done...])
        }
        count()
    }

    /// In order; with writes among them in one transaction.
    private func perform(_ work: ArraySlice<CacheWork>, _ done: inout Int) throws(SQLiteError) {
        guard let database = keeper.database else { return }
        if work.contains(where: { if case .lookup = $0 { false } else { true } }) {
            try database.connection.transaction { () throws(SQLiteError) in
                while done < work.endIndex {
                    try perform(work[done], database)
                    done += 1
                }
                try notes.write(to: database)
                statistics.evictions += Int64(try database.evict(to: Int64(settings.maxBytes)))
            }
            committed(database)
        } else {
            while done < work.endIndex {
                try perform(work[done], database)
                done += 1
            }
        }
        if checkpoints.isUrgent(database.connection.logPages) { try checkpoint(database) }
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
        notes.touch(found.id, now)
        note()
        return answer
    }

    /// Between the clock's readings of two threads, and small corrections of it.
    private static let clockTolerance: UInt64 = 1_000_000

    /// False if it is already.
    @discardableResult
    private func doom(_ id: Int64) -> Bool {
        note()
        return notes.doom(id)
    }

    /// A lookup that can't be made is a miss; what can't be stored is asked for again.
    private func miss(_ work: ArraySlice<CacheWork>) {
        for item in work {
            guard case .lookup(_, _, _, let reply) = item else { continue }
            statistics.misses += 1
            reply(.miss)
        }
    }

    private func note() { notes.isDue(at: settings.monotonic() + settings.touchDelay) }

    private func committed(_ database: CacheDatabase) {
        notes.areWritten()
        checkpoints.committed(database.connection.logPages)
        if keeper.recovered() { log(.opened(path: database.path, entries: database.entries)) }
    }

    private func checkpoint(_ database: CacheDatabase) throws(SQLiteError) {
        try database.connection.checkpoint()
        checkpoints.copied(database.connection.logPages)
    }

    private func count() {
        statistics.entries = keeper.database?.entries ?? 0
        statistics.bytes = keeper.database?.bytes ?? 0
    }

    /// How many answers there were.
    private func clear() throws(StoreFault) -> Int {
        let now = settings.monotonic()
        guard keeper.isUsable(now, for: self), let (path, entries) = keeper.database.map({ ($0.path, $0.entries) })
        else { throw unavailable }
        notes = UseNotes()
        keeper.letGo()
        CacheFile.delete(path)
        keeper.open(now, for: self)
        if keeper.database == nil { throw unavailable }
        return entries
    }

    private var unavailable: StoreFault {
        keeper.fault ?? StoreFault(reason: "it is not in use", advice: "")
    }

    // MARK: Between batches

    /// A bounded piece of work for a moment in which nothing is queued; false if there was none.
    package func doChore() -> Bool {
        do {
            return try chore()
        } catch {
            fail(error)
            return false
        }
    }

    private func chore() throws(SQLiteError) -> Bool {
        guard let database = keeper.database else { return false }
        let now = settings.monotonic()
        if let dueAt = notes.dueAt, now >= dueAt {
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
        if checkpoints.isDue(database.connection.logPages) {
            try checkpoint(database)
            return true
        }
        return false
    }

    private func flush(_ database: CacheDatabase) throws(SQLiteError) {
        try database.connection.transaction { () throws(SQLiteError) in
            try notes.write(to: database)
            statistics.evictions += Int64(try database.evict(to: Int64(settings.maxBytes)))
        }
        committed(database)
        count()
    }

    /// Microseconds until `doChore` has something to do; nil: nothing in sight.
    package func timeout() -> UInt64? {
        guard keeper.database != nil else { return nil }
        let next = min(sweepAt, notes.dueAt ?? .max)
        let now = settings.monotonic()
        return next > now ? next - now : 0
    }

    /// Writes what is only noted and closes the database.
    package func close() {
        if let database = keeper.database {
            do {
                try flush(database)
                try database.connection.checkpoint(truncating: true)
            } catch {
                keeper.lose(StoreFault(error, path: settings.path), settings.monotonic(), for: self)
            }
        }
        count()
        keeper.close()
    }
}

// MARK: The database comes and goes

extension CacheWorker: DatabaseOwner {
    package func isExposed(_ place: DatabaseFile.Place, mode: UInt32) {
        log(.directoryExposed(path: place.directory, mode: mode))
    }

    package func open(_ place: DatabaseFile.Place, _ now: UInt64) throws(StoreFault) -> CacheDatabase {
        if CacheFile.content(place.path) == .foreign {
            throw StoreFault(reason: "it is not a cache of menshen's", advice: "")
        }
        do throws(CacheFault) {
            return try CacheDatabase.open(place)
        } catch {
            // Its first page says that it is ours, so it may go.
            guard error.isWorthless, mayRenew(now) else { throw fault(error, place) }
            delete(place.path, error.reason(place.path), now)
        }
        let place = try DatabaseFile.prepare(settings.path)
        do throws(CacheFault) { return try CacheDatabase.open(place) } catch { throw fault(error, place) }
    }

    private func fault(_ error: CacheFault, _ place: DatabaseFile.Place) -> StoreFault {
        StoreFault(reason: error.reason(place.path), advice: "")
    }

    /// Not again and again.
    private func mayRenew(_ now: UInt64) -> Bool { renewedAt.map { now - $0 > settings.retryInterval } ?? true }

    private func delete(_ path: String, _ reason: String, _ now: UInt64) {
        renewedAt = now
        CacheFile.delete(path)
        log(.renewed(path: path, reason: reason))
    }

    package func hasOpened(_ database: CacheDatabase, isBack: Bool, _ now: UInt64) {
        sweepAt = 0
        statistics.unavailable = nil
        count()
        // The limit may have been lowered.
        if database.bytes > Int64(settings.maxBytes) { note() }
        if !isBack { log(.opened(path: database.path, entries: database.entries)) }
    }

    package func isInPlace(_ database: CacheDatabase, _ now: UInt64) {}

    /// Deleted to clear the cache, most likely.
    package func wasTaken(_ database: CacheDatabase) { notes = UseNotes() }

    package func hasLost(_ fault: StoreFault, isNews: Bool) {
        notes = UseNotes()
        statistics.unavailable = fault.reason
        count()
        if isNews { log(.unavailable(path: settings.path, reason: fault.reason)) }
    }

    /// A statement failed. What was in its transaction is gone.
    private func fail(_ error: SQLiteError) {
        let now = settings.monotonic()
        let fault = StoreFault(error, path: settings.path)
        guard case .corrupt = error.kind, let path = keeper.database?.path, mayRenew(now) else {
            return keeper.lose(fault, now, for: self)
        }
        notes = UseNotes()
        keeper.letGo()
        guard CacheFile.content(path) == .ours else { return keeper.lose(fault, now, for: self) }
        delete(path, fault.reason, now)
        keeper.open(now, for: self)
    }
}
