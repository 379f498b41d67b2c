// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Linux
package import MenshenCore
internal import Systemd

/// The audit trail. Any thread submits; the thread "store" writes batch by batch: whatever is queued when it is free
/// goes into one transaction. No other thread waits for the disk, but for the page cache when it notes an intent.
package final class AuditStore: Sendable {
    /// Entries per transaction at most, so that a long backlog does not hold back the first receipts.
    private static let batchLimit = 512
    /// Rows that `recent` reads at most.
    private static let recentLimit = 1000

    private let queue: SubmissionQueue
    private let intents: IntentLog
    private let reporter: Reporter
    private let thread: NamedThread
    private let journal: JournalSocket?
    package let takenOver: TakenOver

    /// Starts the thread, which opens the database. A database that can't be used is no failure here: the store then
    /// records in the journal, says so by `log` and `status`, and tries again. `log` is called on the store's thread.
    /// Throws if there can be no thread.
    package init(settings: StoreSettings, log: @escaping @Sendable (StoreEvent) -> Void) throws(SystemError) {
        let queue = SubmissionQueue(Submissions(limit: settings.backlogLimit), StoreStatus())
        self.queue = queue
        let intents = IntentLog(settings)
        self.intents = intents
        let reporter = Reporter(path: settings.databasePath) { fault in _ = queue.submit { $0.add(fault) } }
        self.reporter = reporter
        journal = settings.journal
        takenOver = settings.takenOver
        thread = try NamedThread("store") {
            let worker = StoreWorker(settings, intents, log: log)
            worker.rollUps = RollUpPlan { reporter.rollUp(now: $0) }
            Self.run(worker, queue, settings.gatherTime) { question in
                if worker.keeper.database != nil { reporter.ask(question) } else { question.fail() }
            }
        }
    }

    deinit { close() }

    /// For a thread that notes its intents before it submits them; nil if there are too many such threads.
    package func makeIntentWriter() -> IntentWriter? { intents.makeLane().map(IntentWriter.init) }

    /// Queues an entry; never blocks. False when the backlog is full or the store is closed: then there is no record
    /// and will be no receipt. Settlements are taken even beyond the backlog's limit.
    package func submit(_ entry: AuditEntry, to sink: (any ReceiptSink)?) -> Bool {
        queue.submit { $0.add(entry, sink) } ?? false
    }

    /// Queues several at once. Returns the requests there was no room for, which have no record and get no receipt.
    package func submit(_ entries: [AuditEntry], to sink: any ReceiptSink) -> [RequestID] {
        queue.submit { $0.add(entries, sink) } ?? entries.map(\.id)
    }

    /// Delivers the newest rows, newest first, what was submitted before among them; none if the database is not in use or the
    /// store is closed. `deliver` is called once, on a thread of the store's, or on the calling one if the store is closed.
    package func recent(limit: Int, deliver: @escaping @Sendable ([RequestRecord]) -> Void) {
        let limit = min(max(limit, 0), Self.recentLimit)
        ask { reader throws(StoreFault) in
            deliver(try reader.requests(.newestFirst, limit: limit))
        } fail: {
            deliver([])
        }
    }

    /// Has `answer` read the records, what was submitted before among them, on the thread that reads; `fail` is called if they
    /// can't be read, or not to their end.
    package func ask(
        _ answer: @escaping @Sendable (RecordReader) throws(StoreFault) -> Void, fail: @escaping @Sendable () -> Void
    ) {
        let question = Question(answer: answer, fail: fail)
        if queue.submit({ $0.add(question) }) == nil { fail() }
    }

    /// Has something done on the thread of the reports, where no record waits for it; false if the store is closed.
    package func runApart(_ job: @escaping @Sendable () -> Void) -> Bool { reporter.run(job) }

    /// Makes the thread look at the clock: for tests whose clock is moved by hand.
    package func wake() { queue.wake() }

    package var status: StoreStatus {
        queue.look { waiting, status in
            var status = status
            status.backlog = waiting.count
            return status
        }
    }
    /// Where records are kept that only the journal takes.
    package var journalKeeping: JournalKeeping { journal.map { JournalKeeping.look(socket: $0.path) } ?? .absent }

    /// Records everything that is queued, checkpoints, closes the database, answers what was asked and waits for the threads' end.
    /// May be called again, but not from a receipt.
    package func close() {
        queue.close()
        thread.join()
        reporter.close()
    }

    private static func record(_ batch: inout [Submission], _ worker: StoreWorker) {
        var start = 0
        while start < batch.count {
            let end = min(start + batchLimit, batch.count)
            worker.process(&batch, start..<end)
            start = end
        }
        batch.removeAll(keepingCapacity: true)
    }

    private static func remaining(_ end: UInt64) -> UInt64 {
        let now = Clock.monotonic()
        return end > now ? end - now : 0
    }

    private static func run(
        _ worker: StoreWorker, _ queue: SubmissionQueue, _ gatherTime: UInt64, _ ask: (Question) -> Void
    ) {
        var taken = Taken()
        // Until then what nobody waits for gathers. Real time even where a test moves the worker's clock by hand.
        var gathersUntil = Clock.monotonic()
        while true {
            let isPatientDue = remaining(gathersUntil) == 0
            let outcome = queue.take(worker.status) { waiting, isClosed in
                waiting.exchange(&taken, isPatientDue: isPatientDue || isClosed)
            }
            switch outcome {
            case .work:
                record(&taken.awaited, worker)
                if !taken.patient.isEmpty {
                    record(&taken.patient, worker)
                    gathersUntil = Clock.monotonic() + gatherTime
                }
                for fault in taken.faults { worker.lose(fault) }
                taken.faults.removeAll()
                for question in taken.questions { ask(question) }
                taken.questions.removeAll(keepingCapacity: true)
                worker.checkpointIfUrgent()
            case .later:
                queue.sleep(remaining(gathersUntil), napping: true)
            case .nothing:
                if worker.doChore() { continue }
                let timeout = worker.timeout()
                if isPatientDue {
                    queue.sleep(timeout)
                } else {
                    queue.sleep(min(timeout ?? .max, remaining(gathersUntil)), napping: true)
                }
            case .closed:
                worker.close()
                // Nobody takes from the queue any more; this leaves the last numbers for `status`.
                _ = queue.take(worker.status) { _, _ in false }
                return
            }
        }
    }
}
