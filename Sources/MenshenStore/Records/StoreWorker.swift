// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite

/// All that the store's thread owns: the database, the journal, and what is remembered between batches. Not Sendable;
/// made and used on that thread.
package final class StoreWorker {
    let settings: StoreSettings
    private let log: @Sendable (StoreEvent) -> Void
    private(set) var database: AuditDatabase?
    private var lock: HeldLock?
    private let intents: IntentLog
    var journal: RequestJournal
    private var refusals: RefusalThrottle
    /// Summary rows that no device has taken yet; one a minute at most.
    private var summaries: [RefusalThrottle.Summary] = []
    /// Noted intents that no device has taken yet; their slots stay theirs.
    private var held: [AuditIntent] = []
    /// Noted intents with a record whose slots come after those of held ones, by lane.
    private var unreleased: [(lane: IntentLane, count: Int)] = []
    /// Requests that end in the batch being written.
    private var ended: Set<Int64> = []
    /// Settlements that the database has missed, without bodies. Written when it is back.
    private var missed: [AuditSettlement] = []
    private static let missedLimit = 10_000
    private var missedForGood: Int64 = 0
    private var recent = RecentRecords()
    private var fault: StoreFault?
    private var told: StoreFault?
    private var hasSettledLost = false
    private var hasToldExposure = false
    private var hasToldLogFault = false
    private var retryAt: UInt64 = 0
    private var lookAt: UInt64 = 0
    private var upkeep: Upkeep
    private var takeover: JournalTakeover
    package private(set) var status = StoreStatus()

    package convenience init(_ settings: StoreSettings, log: @escaping @Sendable (StoreEvent) -> Void) {
        self.init(settings, IntentLog(databasePath: settings.databasePath), log: log)
    }

    init(_ settings: StoreSettings, _ intents: IntentLog, log: @escaping @Sendable (StoreEvent) -> Void) {
        self.settings = settings
        self.intents = intents
        self.log = log
        journal = RequestJournal(
            settings.journal, perSecond: settings.requestEntriesPerSecond, database: settings.databasePath)
        refusals = RefusalThrottle(rowsPerMinute: settings.refusalRowsPerMinute)
        upkeep = Upkeep()
        takeover = JournalTakeover(settings)
        open(settings.monotonic())
    }

    // MARK: One batch

    /// Records entries in one transaction, or in the journal if that fails; delivers the receipts; notes the settled
    /// ones in the journal.
    package func process(_ batch: inout [Submission], _ range: Range<Int>) {
        let now = settings.monotonic()
        if let finished = refusals.finished(now: now) { summaries.append(finished) }
        for index in range {
            guard case .refused(let end, authenticated: false) = batch[index].entry else { continue }
            batch[index].isSuppressed = !refusals.admits(end.intent.id, now: now)
        }
        if !isUsable(now) {
            recordInJournal(batch, range)
            return
        }
        do {
            try write(batch, range)
        } catch {
            degrade(StoreFault(error, path: settings.databasePath), now)
            recordInJournal(batch, range)
            return
        }
        deliver(batch, range) { _ in .database }
        release(batch, range)
        guard journal.exists else { return }
        for index in range {
            switch batch[index].entry {
            case .intent, .noted: break
            case .settled(let end): journal.note(end, now: now)
            case .refused(let end, _): if !batch[index].isSuppressed { journal.note(end, now: now) }
            }
        }
        status.notJournalled = journal.notJournalled
    }

    private func write(_ batch: [Submission], _ range: Range<Int>) throws(SQLiteError) {
        guard let database else { return }
        var records: Int64 = 0
        ended.removeAll(keepingCapacity: true)
        for index in range { if case .settled(let end) = batch[index].entry { ended.insert(end.intent.id.rawValue) } }
        try database.connection.transaction { () throws(SQLiteError) in
            // In the order in which it came: of two writes of a row the later one stays.
            for intent in held { try database.write(intent) }
            for end in missed { try database.write(end) }
            for index in range where !batch[index].isSuppressed {
                switch batch[index].entry {
                // Its whole row comes in the same transaction.
                case .noted(let intent, _) where ended.contains(intent.id.rawValue): continue
                case .intent(let intent), .noted(let intent, _): try database.write(intent)
                case .settled(let end), .refused(let end, _):
                    try database.write(end)
                    recent.note(end)
                    records += 1
                }
            }
            for summary in summaries { try database.write(summary) }
        }
        status.recordsWritten += records + Int64(summaries.count + missed.count)
        summaries.removeAll()
        held.removeAll()
        upkeep.committed(database.connection.logPages)
        if fault != nil { recover(database) } else { missed.removeAll() }
    }

    /// The database can't: each record goes to the journal, unthrottled. What ends now is kept for the database as
    /// well.
    private func recordInJournal(_ batch: [Submission], _ range: Range<Int>) {
        journal.beginBatch()
        summaries.removeAll { journal.record($0) }
        // A minute each: an hour without any device.
        if summaries.count > 60 { summaries.removeFirst(summaries.count - 60) }
        held.removeAll { journal.record($0) }
        var devices: [AuditDevice] = []
        devices.reserveCapacity(range.count)
        for index in range {
            switch batch[index].entry {
            case .intent(let intent): devices.append(journal.record(intent) ? .journal : .none)
            case .noted(let intent, _):
                devices.append(journal.record(intent) ? .journal : .none)
                if devices.last == AuditDevice.none { held.append(intent) }
            case .settled(let end):
                devices.append(journal.record(end) ? .journal : .none)
                keep(end)
            case .refused(let end, _):
                if batch[index].isSuppressed {
                    devices.append(.suppressed)
                } else {
                    devices.append(journal.record(end) ? .journal : .none)
                    keep(end)
                }
            }
        }
        if devices.contains(.none) {
            if !status.hasNoDevice { log(.noDevice) }
            status.hasNoDevice = true
        } else if devices.contains(.journal) {
            status.hasNoDevice = false
        }
        status.awaitingDatabase = missed.count
        deliver(batch, range) { devices[$0 - range.lowerBound] }
        release(batch, range)
    }

    /// Frees the slots of noted intents that have a record. Slots are freed in the order of their use, so those of held
    /// intents keep back the later ones.
    private func release(_ batch: [Submission], _ range: Range<Int>) {
        for index in range {
            guard case .noted(_, let lane) = batch[index].entry else { continue }
            if let place = unreleased.firstIndex(where: { $0.lane === lane }) {
                unreleased[place].count += 1
            } else {
                unreleased.append((lane, 1))
            }
        }
        guard held.isEmpty else { return }
        for (lane, count) in unreleased where count > 0 { intents.release(lane, count) }
        for index in unreleased.indices { unreleased[index].count = 0 }
    }

    private func keep(_ end: AuditSettlement) {
        guard missed.count < Self.missedLimit else {
            missedForGood += 1
            return
        }
        missed.append(end)
        missed[missed.count - 1].requestBody = nil
        missed[missed.count - 1].responseBody = nil
    }

    /// One call per sink, in the order of submission.
    private func deliver(_ batch: [Submission], _ range: Range<Int>, _ device: (Int) -> AuditDevice) {
        var parcels: [(sink: any ReceiptSink, receipts: [AuditReceipt])] = []
        for index in range {
            guard let sink = batch[index].sink else { continue }
            let id: RequestID
            switch batch[index].entry {
            case .intent(let intent): id = intent.id
            case .refused(let end, _): id = end.intent.id
            case .settled, .noted: continue
            }
            let receipt = AuditReceipt(id: id, device: batch[index].isSuppressed ? .suppressed : device(index))
            if let place = parcels.firstIndex(where: { $0.sink === sink }) {
                parcels[place].receipts.append(receipt)
            } else {
                parcels.append((sink, [receipt]))
                parcels[parcels.count - 1].receipts.reserveCapacity(range.count)
            }
        }
        for parcel in parcels { parcel.sink.deliver(parcel.receipts) }
    }

    // MARK: The state of the database

    /// Whether the database may be tried now; opens it if it is time for that.
    private func isUsable(_ now: UInt64) -> Bool {
        if let database {
            if now < lookAt { return true }
            lookAt = now + 1_000_000
            if database.isInPlace {
                recent.areSafe()
                return intents.isInPlace || takeLog(database, now)
            }
            // Without its log the file still gets all that this connection has; without the file itself, another one does.
            if !database.saveLog() { for end in recent.take() { keep(end) } }
            recent.areSafe()
            log(.filesTaken(path: database.path, rewritten: missed.count))
            // The lock file may be gone with it.
            lock = nil
            self.database = nil
            intents.trust(false)
            open(now)
        } else if now >= retryAt {
            open(now)
        }
        return database != nil
    }

    private func open(_ now: UInt64) {
        do throws(StoreFault) {
            let place = try DatabaseFile.prepare(settings.databasePath)
            if let mode = place.exposedMode, !hasToldExposure {
                hasToldExposure = true
                log(.directoryExposed(path: place.directory, mode: mode))
            }
            if lock == nil { lock = try HeldLock(place.path) }
            let opened = try AuditDatabase(place, settings)
            try takeOver(opened)
            // A database that failed counts as recovered at the first commit, not at the first opening.
            if fault == nil {
                log(.opened(path: place.path, applied: opened.applied))
                takeover.begin(now)
            }
            database = opened
            lookAt = now + 1_000_000
        } catch {
            degrade(error, now)
        }
    }

    /// What a process that died has left open, in the database or in the intent log. Without a log intents wait for the
    /// database, which is worth a word and no reason to refuse anything.
    private func takeOver(_ opened: AuditDatabase) throws(StoreFault) {
        intents.trust(false)
        var found: [AuditIntent]?
        var logFault: StoreFault?
        do throws(StoreFault) { found = try intents.recover() } catch { logFault = error }
        do throws(SQLiteError) {
            let count = try opened.settleLost(found ?? [], all: !hasSettledLost)
            if count > 0 { log(.lostSettled(path: settings.databasePath, count: count)) }
        } catch {
            throw StoreFault(error, path: opened.path)
        }
        hasSettledLost = true
        if found != nil { do throws(StoreFault) { try intents.start() } catch { logFault = error } }
        if let logFault, !hasToldLogFault {
            hasToldLogFault = true
            log(.intentLogUnusable(path: intents.path, fault: logFault))
        }
        intents.trust(fault == nil && intents.isInPlace)
    }

    /// The log was taken away, or could not be used so far. False: the database fails.
    private func takeLog(_ database: AuditDatabase, _ now: UInt64) -> Bool {
        do throws(StoreFault) { try takeOver(database) } catch { degrade(error, now) }
        return self.database != nil
    }

    private func degrade(_ fault: StoreFault, _ now: UInt64) {
        database = nil
        intents.trust(false)
        takeover.stop()
        retryAt = now + settings.retryInterval
        self.fault = fault
        status.degraded = fault.reason
        if told != fault { log(.degraded(path: settings.databasePath, fault: fault, hasJournal: journal.exists)) }
        told = fault
    }

    private func recover(_ database: AuditDatabase) {
        log(.recovered(path: database.path, replayed: missed.count, missing: missedForGood))
        missed.removeAll()
        missedForGood = 0
        fault = nil
        told = nil
        status.hasNoDevice = false
        status.degraded = nil
        status.awaitingDatabase = 0
        intents.trust(intents.isInPlace)
        takeover.begin(settings.monotonic())
    }

    // MARK: Between batches

    /// A bounded piece of work for a moment in which nothing is queued; false if there was none.
    package func doChore() -> Bool {
        let now = settings.monotonic()
        journal.finish(now: now)
        let isSummaryDue = refusals.deadline.map { now >= $0 } ?? false
        if isSummaryDue || hasMissed && (database != nil || now >= retryAt) {
            var nothing: [Submission] = []
            process(&nothing, 0..<0)
        }
        guard let database else { return false }
        do {
            if try upkeep.step(database, settings, now, log) { return true }
            let sent = JournalTakeover.Sent(alone: journal.takenAlone, isAny: journal.isHeard)
            return try takeover.step(database, now, sent, log)
        } catch {
            degrade(StoreFault(error, path: settings.databasePath), now)
            return false
        }
    }

    /// A checkpoint that can wait no longer, although entries are queued.
    package func checkpointIfUrgent() {
        guard let database, upkeep.isUrgent(database.connection.logPages) else { return }
        do {
            try upkeep.checkpoint(database)
        } catch {
            degrade(StoreFault(error, path: settings.databasePath), settings.monotonic())
        }
    }

    private var hasMissed: Bool { !missed.isEmpty || !held.isEmpty }

    /// Microseconds until `doChore` has something to do; nil: nothing in sight.
    package func timeout() -> UInt64? {
        let retry = database == nil && hasMissed ? retryAt : nil
        let next = [
            journal.deadline, refusals.deadline, retry, database.flatMap { _ in upkeep.deadline(settings) },
            takeover.deadline,
        ]
        let now = settings.monotonic()
        return next.compactMap { $0 }.min().map { $0 > now ? $0 - now : 0 }
    }

    package func answer(_ question: Question) {
        var rows: [RequestSummary] = []
        do {
            rows = try database?.recent(question.limit) ?? []
        } catch {
            degrade(StoreFault(error, path: settings.databasePath), settings.monotonic())
        }
        question.deliver(rows)
    }

    /// Writes what is still only counted and closes the database.
    package func close() {
        if let finished = refusals.finished(now: nil) { summaries.append(finished) }
        retryAt = 0
        if !summaries.isEmpty || hasMissed {
            var nothing: [Submission] = []
            process(&nothing, 0..<0)
        }
        journal.finish(now: nil)
        if let database {
            do {
                try database.advanceBookmark()
                try database.connection.checkpoint(truncating: true)
            } catch {
                degrade(StoreFault(error, path: settings.databasePath), 0)
            }
        }
        database = nil
        if held.isEmpty { intents.remove() }
        lock = nil
    }
}
