// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The memory of answers that callers do not read, in bytes. Nothing is dropped and nobody refused: the more a caller leaves
/// unread, the sooner each of its connections has its provider wait. However much one leaves, others have room.
struct AnswerBudget {
    /// Of all workers together.
    static let ofAll = 64 << 20
    /// Of one connection: enough to keep a fast reader busy between two turns, and what each may have in any case.
    static let most = 256 << 10
    static let least = 16 << 10
    /// A connection may have this part of what its caller has left.
    private static let part = 32
    /// Less is not worth a read.
    private static let smallest = 4 << 10

    private let limit: Int
    private(set) var total = 0
    private var shares: [String: Int] = [:]

    init(limit: Int) { self.limit = limit }

    /// Who has what need not be looked at: everybody may have the most.
    var isAmple: Bool { total < limit / 4 }

    /// Unread bytes from which on a connection of that caller's has its provider wait.
    func mark(for caller: String) -> Int {
        let left = limit - total - shares[caller, default: 0]
        return max(Self.least, min(Self.most, left / Self.part))
    }

    /// How much more may come to a connection that has `pending` bytes.
    static func room(of mark: Int, beside pending: Int) -> Int {
        pending < mark ? max(mark - pending, smallest) : 0
    }

    mutating func charge(_ count: Int, to caller: String) {
        total += count
        let share = shares[caller, default: 0] + count
        shares[caller] = share > 0 ? share : nil
    }
}
