// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// Where a worker's records wait for the end of the turn: one lock and at most one wake of the store's thread a turn, however
/// many requests the turn had.
struct RecordDesk {
    /// nil with more workers than the log has lanes.
    private let intents: IntentWriter?
    private var outbox: [AuditEntry] = []
    /// The store had no room for these.
    private var turnedAway: [RequestID] = []
    /// Nothing could keep the last record: what is asked from now on waits for its receipt before it goes out.
    private(set) var hasNoDevice = false

    init(_ intents: IntentWriter?) { self.intents = intents }

    /// True: the intent is safe, and its answer may begin.
    mutating func note(_ intent: AuditIntent) -> Bool {
        guard let intents, intents.note(intent) else { return false }
        outbox.append(.noted(intent, intents.lane))
        return true
    }

    mutating func add(_ entry: AuditEntry) { outbox.append(entry) }

    mutating func send(to store: AuditStore, for sink: any ReceiptSink) {
        guard !outbox.isEmpty else { return }
        turnedAway += store.submit(outbox, to: sink)
        outbox.removeAll(keepingCapacity: true)
    }

    /// Requests whose record the store had no room for.
    mutating func takeTurnedAway() -> [RequestID] {
        if turnedAway.isEmpty { return [] }
        defer { turnedAway = [] }
        return turnedAway
    }

    mutating func came(_ receipts: [AuditReceipt]) { hasNoDevice = receipts.last?.device == AuditDevice.none }
}
