// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

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
    var entries: [Submission] = []
    var settlements: [Submission] = []
    var questions: [Question] = []
    /// Requests begun and not settled.
    var underWay = 0
}

/// The way from any thread to the store's thread: a few arrays under one lock, and a semaphore that is touched only
/// when the store's thread sleeps.
final class SubmissionQueue: Sendable {
    /// `later`: only settlements, which nobody waits for.
    enum Content { case work, later, nothing, closed }
    /// So many settlements are taken before their time: a transaction of about half a millisecond.
    private static let manySettlements = 64
    /// So many that somebody waits for end a rest.
    private static let manyEntries = 32

    private struct State {
        /// Intents and refusals: somebody waits for them.
        var entries: [Submission] = []
        /// Apart, so that they gather while intents go first. A settlement is submitted after its intent and taken
        /// with it or after it, so the order that matters is kept.
        var settlements: [Submission] = []
        var questions: [Question] = []
        /// Requests begun and not settled.
        var underWay = 0
        var isAsleep = false
        /// Asleep only for a moment after which the settlements are taken anyway.
        var isNapping = false
        /// Asleep for a moment in which intents gather, too.
        var isResting = false
        var isClosed = false
        var status = StoreStatus()
    }

    private let state = Mutex(State())
    private let limit: Int
    private let signal = ThreadSignal()

    init(limit: Int) { self.limit = limit }

    /// False when the backlog is full, or after `close`. Settlements pass the limit: each belongs to an intent that was
    /// admitted, so their number is bounded by the requests under way.
    func submit(_ entry: AuditEntry, to sink: (any ReceiptSink)?) -> Bool { submit([entry], to: sink).isEmpty }

    /// Several at once for the price of one lock and at most one wake. Returns the requests there was no room for.
    func submit(_ entries: [AuditEntry], to sink: (any ReceiptSink)?) -> [RequestID] {
        let (refused, mustWake) = state.withLock { state -> ([RequestID], Bool) in
            if state.isClosed { return (entries.map(\.id), false) }
            var refused: [RequestID] = []
            var isAwaited = false
            for entry in entries {
                if case .settled = entry {
                    state.underWay -= 1
                    state.settlements.append(Submission(entry: entry, sink: nil))
                } else if state.entries.count < limit {
                    state.entries.append(Submission(entry: entry, sink: sink))
                    if case .intent = entry { state.underWay += 1 }
                    isAwaited = true
                } else {
                    refused.append(entry.id)
                }
            }
            let mustWake =
                state.isAsleep
                && (state.isResting
                    ? state.entries.count >= Self.manyEntries
                    : isAwaited || !state.isNapping || state.settlements.count >= Self.manySettlements)
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
            status.backlog = state.entries.count + state.settlements.count
            return status
        }
    }

    // MARK: The store's thread

    /// Exchanges what is queued with the empty arrays of `taken`, whose memory is used again. Settlements are left to
    /// gather unless they are due, many, or somebody asks a question.
    func take(_ taken: inout Taken, areSettlementsDue: Bool, _ status: StoreStatus) -> Content {
        state.withLock { state in
            state.status = status
            taken.underWay = state.underWay
            let isUrgent = !state.entries.isEmpty || !state.questions.isEmpty
            let withSettlements =
                areSettlementsDue || state.isClosed || state.settlements.count >= Self.manySettlements
                || !state.questions.isEmpty
            if withSettlements { swap(&taken.settlements, &state.settlements) }
            if !isUrgent && taken.settlements.isEmpty {
                return !state.settlements.isEmpty ? .later : state.isClosed ? .closed : .nothing
            }
            swap(&taken.entries, &state.entries)
            swap(&taken.questions, &state.questions)
            return .work
        }
    }

    /// Lets intents gather for `microseconds`, or until there are many, somebody asks a question or the queue is closed.
    func rest(_ microseconds: UInt64) {
        let mayRest = state.withLock { state -> Bool in
            state.isAsleep =
                state.entries.count < Self.manyEntries && state.questions.isEmpty && !state.isClosed
            state.isResting = state.isAsleep
            return state.isAsleep
        }
        guard mayRest else { return }
        signal.wait(microseconds)
        state.withLock { state in
            state.isAsleep = false
            state.isResting = false
        }
    }

    /// Sleeps until something is queued (settlements do not count while `napping`), the queue is closed, or `timeout`
    /// microseconds have passed. May return early.
    func sleep(_ timeout: UInt64?, napping: Bool) {
        let maySleep = state.withLock { state -> Bool in
            state.isAsleep =
                state.entries.isEmpty && state.questions.isEmpty && !state.isClosed
                && (napping ? state.settlements.count < Self.manySettlements : state.settlements.isEmpty)
            state.isNapping = napping
            return state.isAsleep
        }
        guard maySleep else { return }
        signal.wait(timeout)
        // After a timeout or a signal nobody has cleared it.
        state.withLock { $0.isAsleep = false }
    }
}
