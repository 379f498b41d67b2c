// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// How many requests may be at a provider at a time, and who waits for a place.
package struct Slots<Waiter> {
    /// nil: any number.
    private let limit: Int?
    package private(set) var active = 0
    package private(set) var queue: FairQueue<Waiter>

    package init(limit: Int?, maxQueued: Int) {
        self.limit = limit
        queue = FairQueue(limit: maxQueued)
    }

    package var isFull: Bool { limit.map { active >= $0 } ?? false }

    /// Takes a place; only if it is not full.
    package mutating func enter() { active += 1 }

    /// Gives a place back, and hands it to whom it returns, who counts as having entered.
    package mutating func leave() -> Waiter? {
        active -= 1
        guard hasWaiting, !isFull, let next = queue.popFirst() else { return nil }
        active += 1
        return next
    }

    package var hasWaiting: Bool { !queue.isEmpty }

    package mutating func wait(_ waiter: Waiter, of caller: String) -> FairQueue<Waiter>.Admission {
        queue.append(waiter, of: caller)
    }

    package mutating func removeWaiting(where isUnwanted: (Waiter) -> Bool) { queue.removeAll(where: isUnwanted) }
}
