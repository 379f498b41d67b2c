// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What a request cost. A class, so that its settlement can carry it along for the price of one reference.
package final class Cost: Sendable {
    /// The raw values are what the database and the journal say.
    package enum State: String, Sendable, CaseIterable {
        /// Every part of the usage had a price.
        case priced
        /// The provider itself said what it charges.
        case provider
        /// Of an answer that broke off: what was reported by then.
        case partial
        /// It cost something, and a part of it has no price, or its usage is not known.
        case unpriced
        /// There is nothing to pay.
        case none
    }

    /// nil: not known, which is never nothing.
    package let amount: Money?
    package let state: State
    /// Why there is no amount; nil if there is one.
    package let reason: String?
    /// Of the table and the overlay that it was made from.
    package let priceVersion: String?
    /// What the tokens that were read from a cache or written to one would have cost as plain input, less what they cost; below
    /// nothing where writing cost more than reading saved. Of an answer from menshen's own cache: what it would have cost.
    /// nil: no cache was in use, or it is not known.
    package let saved: Money?

    /// Of what costs nothing.
    package static let nothing = Cost(.zero, .none)

    package init(
        _ amount: Money?, _ state: State, reason: String? = nil, priceVersion: String? = nil, saved: Money? = nil
    ) {
        self.amount = amount
        self.state = state
        self.reason = reason
        self.priceVersion = priceVersion
        self.saved = saved
    }
}
