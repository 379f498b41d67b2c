// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
internal import SQLite

/// All that the store's thread owns: the database, the journal, and what is remembered between batches. Not Sendable;
/// made and used on that thread.
package final class StoreWorker {
    let settings: StoreSettings
    let log: @Sendable (StoreEvent) -> Void
    let keeper: DatabaseKeeper<StoreWorker>
    var intents: IntentKeeper
    var journal: RequestJournal
    private var refusals: RefusalThrottle
    var unwritten = Unwritten()
    /// Requests that end in the batch being written.
    private var ended: Set<Int64> = []
    var recent = RecentRecords()
    /// Rows that were open at this process's first opening are lost; later ones may be its own.
    var hasSettledLost = false
    private var upkeep = Upkeep()
    var takeover: JournalTakeover
    var outage = Outage()
    /// nil: nobody makes roll-ups.
    var rollUps: RollUpPlan?
    package internal(set) var status = StoreStatus()

    package convenience init(_ settings: StoreSettings, log: @escaping @Sendable (StoreEvent) -> Void) {
        self.init(settings, IntentLog(settings), log: log)
    }

    init(_ settings: StoreSettings, _ intents: IntentLog, log: @escaping @Sendable (StoreEvent) -> Void) {
        self.settings = settings
        self.intents = IntentKeeper(intents)
        self.log = log
        keeper = DatabaseKeeper(settings.databasePath, retryInterval: settings.retryInterval)
        journal = RequestJournal(
            settings.journal, perSecond: settings.requestEntriesPerSecond, database: settings.databasePath)
        refusals = RefusalThrottle(rowsPerMinute: settings.refusalRowsPerMinute)
        takeover = JournalTakeover(settings)
        keeper.open(settings.monotonic(), for: self)
    }

    // MARK: One batch

    /// Records entries in one transaction, or in the journal if that fails; delivers the receipts; notes the settled
    /// ones in the journal.
    package func process(_ batch: inout [Submission], _ range: Range<Int>) {
        let now = settings.monotonic()
        if let finished = refusals.finished(now: now) { unwritten.keep(finished) }
        for index in range {
            guard case .refused(let end, authenticated: false) = batch[index].entry else { continue }
            batch[index].isSuppressed = !refusals.admits(end.intent.id, now: now)
        }
        if !keeper.isUsable(now, for: self) {
            recordInJournal(batch, range)
            return
        }
        do {
            try write(batch, range)
        } catch {
            lose(error, now)
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
        guard let database = keeper.database else { return }
        var records: Int64 = 0
        ended.removeAll(keepingCapacity: true)
        for index in range { if case .settled(let end) = batch[index].entry { ended.insert(end.intent.id.rawValue) } }
        try database.record { () throws(SQLiteError) in
            // In the order in which it came: of two writes of a row the later one stays.
            for intent in unwritten.intents { try database.write(intent) }
            for end in unwritten.ends { try database.write(end) }
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
            for summary in unwritten.summaries { try database.write(summary) }
        }
        status.recordsWritten += records + Int64(unwritten.summaries.count + unwritten.ends.count)
        upkeep.checkpoints.committed(database.connection.logPages)
        if keeper.recovered() { recover(database) }
        unwritten.areWritten()
        rollUps?.hasWritten(settings)
    }

    /// The database can't: each record goes to the journal, unthrottled. What ends now is kept for the database as
    /// well.
    private func recordInJournal(_ batch: [Submission], _ range: Range<Int>) {
        journal.beginBatch()
        unwritten.record(in: &journal)
        var devices: [AuditDevice] = []
        devices.reserveCapacity(range.count)
        for index in range {
            switch batch[index].entry {
            case .intent(let intent): devices.append(journal.record(intent) ? .journal : .none)
            case .noted(let intent, _):
                devices.append(journal.record(intent) ? .journal : .none)
                if devices.last == AuditDevice.none { unwritten.keep(intent) }
            case .settled(let end):
                devices.append(journal.record(end) ? .journal : .none)
                unwritten.keep(end)
            case .refused(let end, _):
                if batch[index].isSuppressed {
                    devices.append(.suppressed)
                } else {
                    devices.append(journal.record(end) ? .journal : .none)
                    unwritten.keep(end)
                }
            }
        }
        if devices.contains(.none) {
            if !status.hasNoDevice { log(.noDevice) }
            status.hasNoDevice = true
        } else if devices.contains(.journal) {
            status.hasNoDevice = false
        }
        status.awaitingDatabase = unwritten.ends.count
        deliver(batch, range) { devices[$0 - range.lowerBound] }
        release(batch, range)
    }

    /// Frees the slots of noted intents that have a record. Slots are freed in the order of their use, so those of held
    /// intents keep back the later ones.
    private func release(_ batch: [Submission], _ range: Range<Int>) {
        for index in range { if case .noted(_, let lane) = batch[index].entry { intents.took(lane) } }
        if unwritten.intents.isEmpty { intents.release() }
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

    // MARK: Between batches

    /// A bounded piece of work for a moment in which nothing is queued; false if there was none.
    package func doChore() -> Bool {
        let now = settings.monotonic()
        journal.finish(now: now)
        if let lookAt = keeper.lookAt, !recent.isEmpty, now >= lookAt, keeper.isUsable(now, for: self) {
            recent.giveBack()
        }
        let isSummaryDue = refusals.deadline.map { now >= $0 } ?? false
        if isSummaryDue || unwritten.hasRequests && now >= keeper.retryAt ?? 0 { processNothing() }
        guard let database = keeper.database else { return false }
        rollUps?.step(now, settings)
        do {
            if outage.isUnwritten {
                try outage.write(database)
                return true
            }
            if try upkeep.step(database, settings, now, log) { return true }
            let sent = JournalTakeover.Sent(alone: journal.takenAlone, isAny: journal.isHeard)
            let hasStepped = try takeover.step(database, now, sent, log)
            if let missing = takeover.takeOutcome() { outage.hasReadJournal(missing: missing) }
            return hasStepped
        } catch {
            lose(error, now)
            return false
        }
    }

    /// A checkpoint that can wait no longer, although entries are queued.
    package func checkpointIfUrgent() {
        guard let database = keeper.database, upkeep.checkpoints.isUrgent(database.connection.logPages) else { return }
        do {
            try upkeep.checkpoint(database)
        } catch {
            lose(error, settings.monotonic())
        }
    }

    /// Writes what is only remembered.
    private func processNothing() {
        var nothing: [Submission] = []
        process(&nothing, 0..<0)
    }

    /// Microseconds until `doChore` has something to do; nil: nothing in sight.
    package func timeout() -> UInt64? {
        let next = [
            journal.deadline, refusals.deadline, unwritten.hasRequests ? keeper.retryAt : nil,
            keeper.database.flatMap { _ in upkeep.deadline(settings) }, takeover.deadline,
            keeper.database.flatMap { _ in rollUps?.dueAt }, keeper.database != nil && outage.isUnwritten ? 0 : nil,
            recent.isEmpty ? nil : keeper.lookAt,
        ]
        let now = settings.monotonic()
        return next.compactMap { $0 }.min().map { $0 > now ? $0 - now : 0 }
    }

    /// Writes what is still only counted and closes the database.
    package func close() {
        if let finished = refusals.finished(now: nil) { unwritten.keep(finished) }
        keeper.retryAtOnce()
        if !unwritten.summaries.isEmpty || unwritten.hasRequests { processNothing() }
        journal.finish(now: nil)
        if let database = keeper.database {
            do {
                try database.advanceBookmark()
                try database.connection.checkpoint(truncating: true)
            } catch {
                lose(error, 0)
            }
        }
        // Before the lock goes: the next process must not find half of it.
        if unwritten.intents.isEmpty { intents.remove() }
        keeper.close()
    }
}
