// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The memory of request bodies that wait until they are whole. A caller may have as much as it leaves free: one alone gets
/// half, and however many there are, something is left for the next.
struct BodyBudget {
    /// What a body may have uncounted.
    static let small = 16 << 10

    var limit = Int.max
    private var total = 0
    private var shares: [String: Int] = [:]

    /// False: the caller holds too much already.
    mutating func take(_ count: Int, for caller: String) -> Bool {
        let share = shares[caller, default: 0] + count
        if share > limit - total - count { return false }
        shares[caller] = share
        total += count
        return true
    }

    mutating func give(_ count: Int, of caller: String) {
        total -= count
        let share = shares[caller, default: 0] - count
        shares[caller] = share > 0 ? share : nil
    }
}
