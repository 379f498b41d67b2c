// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import Synchronization

/// One submitted entry.
package struct Submission: Sendable {
    package let entry: AuditEntry
    package let sink: (any ReceiptSink)?
    /// Set by the store's thread: this refusal is only counted.
    var isSuppressed = false

    package init(entry: AuditEntry, sink: (any ReceiptSink)?) {
        self.entry = entry
        self.sink = sink
    }
}

/// A look into the database, run between batches.
package struct Question: Sendable {
    let limit: Int
    let deliver: @Sendable ([RequestSummary]) -> Void
}

/// What the store's thread has taken from the queue.
struct Taken {
    var awaited: [Submission] = []
    var patient: [Submission] = []
    var questions: [Question] = []
}

/// The way from any thread to the store's thread: a few arrays under one lock, and a semaphore that is touched only
/// when the store's thread sleeps.
final class SubmissionQueue: Sendable {
    /// `later`: only what nobody waits for.
    enum Content { case work, later, nothing, closed }
    /// So many patient entries are taken before their time: a transaction of about a millisecond.
    private static let manyPatient = 256

    private struct State {
        /// Intents without a note, and refusals: somebody waits for them.
        var awaited: [Submission] = []
        /// Noted intents and settlements, which gather. A settlement is submitted after its intent and taken with it or
        /// after it, so the order that matters is kept.
        var patient: [Submission] = []
        var questions: [Question] = []
        var isAsleep = false
        /// Asleep only for a moment after which patient entries are taken anyway.
        var isNapping = false
        var isClosed = false
        var status = StoreStatus()
    }

    private let state = Mutex(State())
    private let limit: Int
    private let signal = ThreadSignal()

    init(limit: Int) { self.limit = limit }

    /// False when the backlog is full, or after `close`. Patient entries pass the limit: noted intents are as many as there
    /// are slots, and each settlement belongs to an intent that was admitted.
    func submit(_ entry: AuditEntry, to sink: (any ReceiptSink)?) -> Bool { submit([entry], to: sink).isEmpty }

    /// Several at once for the price of one lock and at most one wake. Returns the requests there was no room for.
    func submit(_ entries: [AuditEntry], to sink: (any ReceiptSink)?) -> [RequestID] {
        let (refused, mustWake) = state.withLock { state -> ([RequestID], Bool) in
            if state.isClosed { return (entries.map(\.id), false) }
            var refused: [RequestID] = []
            var isAwaited = false
            for entry in entries {
                switch entry {
                case .noted, .settled: state.patient.append(Submission(entry: entry, sink: nil))
                case .intent, .refused:
                    if state.awaited.count < limit {
                        state.awaited.append(Submission(entry: entry, sink: sink))
                        isAwaited = true
                    } else {
                        refused.append(entry.id)
                    }
                }
            }
            let mustWake =
                state.isAsleep
                && (isAwaited || !state.isNapping || state.patient.count >= Self.manyPatient)
            if mustWake { state.isAsleep = false }
            return (refused, mustWake)
        }
        if mustWake { signal.post() }
        return refused
    }

    /// False after `close`.
    func ask(_ question: Question) -> Bool {
        let (isAccepted, mustWake) = state.withLock { state -> (Bool, Bool) in
            if state.isClosed { return (false, false) }
            state.questions.append(question)
            defer { state.isAsleep = false }
            return (true, state.isAsleep)
        }
        if mustWake { signal.post() }
        return isAccepted
    }

    func close() {
        state.withLock { $0.isClosed = true }
        signal.post()
    }

    /// Makes the store's thread look at the time again.
    func wake() { signal.post() }

    var status: StoreStatus {
        state.withLock { state in
            var status = state.status
            status.backlog = state.awaited.count + state.patient.count
            return status
        }
    }

    // MARK: The store's thread

    /// Exchanges what is queued with the empty arrays of `taken`, whose memory is used again. Patient entries are left to
    /// gather unless they are due, many, or somebody asks a question.
    func take(_ taken: inout Taken, isPatientDue: Bool, _ status: StoreStatus) -> Content {
        state.withLock { state in
            state.status = status
            let isUrgent = !state.awaited.isEmpty || !state.questions.isEmpty
            let withPatient =
                isPatientDue || state.isClosed || state.patient.count >= Self.manyPatient || !state.questions.isEmpty
            if withPatient { swap(&taken.patient, &state.patient) }
            if !isUrgent && taken.patient.isEmpty {
                return !state.patient.isEmpty ? .later : state.isClosed ? .closed : .nothing
            }
            swap(&taken.awaited, &state.awaited)
            swap(&taken.questions, &state.questions)
            return .work
        }
    }

    /// Sleeps until something is queued (patient entries do not count while `napping`), the queue is closed, or `timeout`
    /// microseconds have passed. May return early.
    func sleep(_ timeout: UInt64?, napping: Bool) {
        let maySleep = state.withLock { state -> Bool in
            state.isAsleep =
                state.awaited.isEmpty && state.questions.isEmpty && !state.isClosed
                && (napping ? state.patient.count < Self.manyPatient : state.patient.isEmpty)
            state.isNapping = napping
            return state.isAsleep
        }
        guard maySleep else { return }
        signal.wait(timeout)
        // After a timeout or a signal nobody has cleared it.
        state.withLock { $0.isAsleep = false }
    }
}
