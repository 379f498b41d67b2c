// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// One request's record: its intent, whether that is safe, and its settlement, once.
struct Ledger {
    private enum Receipt { case notAsked, awaited, come }

    /// Set once a provider is to be asked, or a stored answer to be given.
    private(set) var intent: AuditIntent?
    private var receipt = Receipt.notAsked
    private var isSettled = false
    /// Of the problem that menshen answered with, or what the provider called its own.
    private(set) var problem: String?
    /// What metrics show besides.
    var pulse = Pulse()

    /// The store's word is awaited: nothing of the answer goes down before.
    var isAwaited: Bool { receipt == .awaited }

    mutating func note(_ problem: String) { self.problem = problem }
    mutating func note(_ problem: Problem) { self.problem = problem.code.rawValue }

    /// `isSafe`: it is written where a crash leaves it; else its receipt is to come.
    mutating func record(_ intent: AuditIntent, isSafe: Bool) {
        self.intent = intent
        receipt = isSafe ? .come : .awaited
    }

    /// The receipt has come; false if none was awaited.
    mutating func receive() -> Bool {
        guard receipt == .awaited else { return false }
        receipt = .come
        return true
    }

    /// True for the first who asks: it has to hand over the settlement.
    mutating func settle() -> Bool {
        defer { isSettled = true }
        return !isSettled
    }

    /// The row is handed over as a whole, and its receipt is to come.
    mutating func awaitReceipt() { receipt = .awaited }

    /// The settlement may be on its way to the store already, for the provider was quicker than the intent's receipt. Another
    /// replaces it.
    mutating func reopen() { if intent != nil { isSettled = false } }
}
