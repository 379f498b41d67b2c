// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Sums over requests, and beside each figure how many requests are not in it. A sum that is too large or too small stays at the largest or smallest number.
package struct ReportSums: Sendable, Equatable {
    package enum Count: Int, CaseIterable, Sendable {
        /// All of them; a summary row counts for as many as it stands for.
        case requests
        /// Status 400 and above, or an end other than `complete`, `client_gone` and `open`.
        case failed
        case open
        /// The process died while they were under way.
        case lost
        /// Forwarded, and the provider did not say what was used: usage `unknown`, or lost.
        case usageUnknown
        /// Their cost is not known.
        case unpriced
        /// Their cost is what was used until they broke off.
        case partial
        /// There was something to pay, if only nothing by their price, and it is known.
        case priced
        case inputTotal, inputUncached, cacheRead, cacheWrite, outputTotal, reasoning
        /// Picodollars.
        case cost
        /// Answered from menshen's cache, and the tokens that this saved.
        case cacheHits, savedInput, savedOutput
        /// Picodollars that caches saved, the provider's and menshen's own, and of them its own.
        case saved, savedHere
        /// Something came from a cache, and what that saved is not known.
        case savedUnknown
        case bytesIn, bytesOut
        case attempts
        /// Of settled requests, with their number for the average.
        case totalMicroseconds, settled
    }

    private var values = [Int64](repeating: 0, count: Count.allCases.count)

    package init() {}

    package subscript(_ count: Count) -> Int64 {
        get { values[count.rawValue] }
        set { values[count.rawValue] = newValue }
    }

    package mutating func add(_ value: Int64, to count: Count) {
        values[count.rawValue] = values[count.rawValue].saturatingAdd(value)
    }

    package mutating func add(_ other: ReportSums) {
        for count in Count.allCases { add(other[count], to: count) }
    }

    package var cost: Money { Money(picodollars: self[.cost]) }
    /// The true cost is at least `cost`.
    package var isLowerBound: Bool { self[.unpriced] + self[.usageUnknown] + self[.partial] > 0 }

    package var saved: Money { Money(picodollars: self[.saved]) }
    package var savedHere: Money { Money(picodollars: self[.savedHere]) }
    /// What is in no one's sum may be more.
    package var isSavedLowerBound: Bool { self[.savedUnknown] > 0 }

    /// What can be said of the money.
    package enum Spend: Sendable, Equatable {
        /// Nothing was asked.
        case nothing
        /// None of them has a cost: of some there is no price, or of no one it is known what was used.
        case unpriced, unknown
        case amount(Money, isLowerBound: Bool)
    }

    package var spend: Spend {
        if self[.requests] == 0 { return .nothing }
        if self[.priced] == 0, self[.unpriced] > 0 { return .unpriced }
        if self[.priced] == 0, self[.usageUnknown] > 0 { return .unknown }
        return .amount(cost, isLowerBound: isLowerBound)
    }
}
