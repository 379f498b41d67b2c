// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// One submitted entry.
package struct Submission: Sendable {
    package let entry: AuditEntry
    package let sink: (any ReceiptSink)?
    /// Set by the store's thread: this refusal is only counted.
    var isSuppressed = false

    package init(entry: consuming AuditEntry, sink: (any ReceiptSink)?) {
        self.entry = entry
        self.sink = sink
    }
}

/// The way from any thread to the store's.
typealias SubmissionQueue = WorkQueue<Submissions, StoreStatus>

/// What waits for the store's thread.
struct Submissions: Backlog {
    /// So many patient entries are taken before their time: a transaction of about a millisecond.
    private static let manyPatient = 256

    /// Intents without a note, and refusals: a caller waits for them.
    private(set) var awaited: [Submission] = []
    /// Noted intents and settlements, which gather. A settlement is submitted after its intent and taken with it or after
    /// it, so the order that matters is kept.
    private(set) var patient: [Submission] = []
    private(set) var questions: [Question] = []
    /// What the thread of the questions found out about the database.
    private(set) var faults: [StoreFault] = []
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    var count: Int { awaited.count + patient.count }

    var urgency: WorkUrgency {
        if !awaited.isEmpty || !questions.isEmpty || !faults.isEmpty || isFull { return .urgent }
        return patient.isEmpty ? .nothing : .patient
    }

    private var isFull: Bool { patient.count >= Self.manyPatient }

    /// Returns the requests there is no room for. Patient entries pass the limit: noted intents are as many as there are
    /// slots, and each settlement belongs to an intent that was admitted.
    mutating func add(_ entries: [AuditEntry], _ sink: (any ReceiptSink)?) -> [RequestID] {
        var refused: [RequestID] = []
        for entry in entries where !add(entry, sink) { refused.append(entry.id) }
        return refused
    }

    mutating func add(_ entry: consuming AuditEntry, _ sink: (any ReceiptSink)?) -> Bool {
        switch entry {
        case .noted, .settled: patient.append(Submission(entry: entry, sink: nil))
        case .intent, .refused:
            guard awaited.count < limit else { return false }
            awaited.append(Submission(entry: entry, sink: sink))
        }
        return true
    }

    mutating func add(_ question: Question) { questions.append(question) }

    mutating func add(_ fault: StoreFault) { faults.append(fault) }

    /// Exchanges arrays with `taken`. Patient entries are left to gather unless they are due, many, or a question is asked.
    mutating func exchange(_ taken: inout Taken, isPatientDue: Bool) -> Bool {
        let isUrgent = !awaited.isEmpty || !questions.isEmpty || !faults.isEmpty
        if isPatientDue || isFull || !questions.isEmpty { swap(&taken.patient, &patient) }
        guard isUrgent || !taken.patient.isEmpty else { return false }
        swap(&taken.awaited, &awaited)
        swap(&taken.questions, &questions)
        swap(&taken.faults, &faults)
        return true
    }
}

/// What the store's thread has taken from the queue.
struct Taken {
    var awaited: [Submission] = []
    var patient: [Submission] = []
    var questions: [Question] = []
    var faults: [StoreFault] = []
}
