// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore

/// One thing to record.
package enum AuditEntry: Sendable {
    /// A request whose answer may begin as soon as the receipt is there.
    case intent(AuditIntent)
    /// A request whose answer may begin: its intent is in the intent log. Needs no receipt. In the order of its lane.
    case noted(AuditIntent, IntentLane)
    /// The end of a request that had an intent. Needs no receipt.
    case settled(AuditSettlement)
    /// A request that ends before it had an intent: its whole row at once. Without authentication only some rows a
    /// minute are written and the rest is counted in one summary row.
    case refused(AuditSettlement, authenticated: Bool)

    var id: RequestID {
        switch self {
        case .intent(let intent), .noted(let intent, _): intent.id
        case .settled(let end), .refused(let end, _): end.intent.id
        }
    }
}

/// Which device took a record.
package enum AuditDevice: Sendable, Equatable {
    case database, journal
    /// Counted in a summary row of refusals.
    case suppressed
    /// Neither: the request must not be answered.
    case none
}

package struct AuditReceipt: Sendable, Equatable {
    package let id: RequestID
    package let device: AuditDevice

    package init(id: RequestID, device: AuditDevice) {
        self.id = id
        self.device = device
    }
}

/// Gets the receipts of the intents and refusals it submitted.
package protocol ReceiptSink: AnyObject, Sendable {
    /// Called on the store's thread, once per batch, as soon as the records are safe. Must return quickly.
    func deliver(_ receipts: [AuditReceipt])
}

/// Numbers of the store, as of its last batch.
package struct StoreStatus: Sendable, Equatable {
    /// Requests whose end was written since the start.
    package var recordsWritten: Int64 = 0
    /// Neither the database nor the journal took the last records.
    package var hasNoDevice = false
    /// Why the database is not in use; nil while it is.
    package var degraded: String?
    /// Request entries that the journal did not get, by our limit or its own.
    package var notJournalled: Int64 = 0
    /// Settlements that wait for the database to come back. They are in the journal.
    package var awaitingDatabase = 0
    /// Entries waiting for the store's thread.
    package var backlog = 0
}
