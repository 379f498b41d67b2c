// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// An amount of US dollars, in picodollars (10⁻¹² USD): the price of one token at 0.000001 USD per million is one. Never a
/// floating-point number. The largest is about 9.2 million dollars; sums stop there.
package struct Money: Sendable, Hashable, Comparable {
    package static let zero = Money(picodollars: 0)
    package static let dollar = Money(picodollars: 1_000_000_000_000)

    package let picodollars: Int64

    package init(picodollars: Int64) { self.picodollars = picodollars }

    /// "5", "0.25" or "1.000000000001" dollars; nil for anything else, for more than twelve decimals and for what is too large.
    package init?(dollars text: some StringProtocol) {
        guard let number = Decimal(text.utf8), number.places <= 12, let picodollars: Int64 = number.scaled(12) else {
            return nil
        }
        self.init(picodollars: picodollars)
    }

    /// "5", "0.25": dollars without a sign of the currency and without trailing zeros; every digit that there is.
    package var dollars: String {
        let digits = String(picodollars.magnitude)
        let padded = String(repeating: "0", count: max(0, 13 - digits.utf8.count)) + digits
        let whole = padded.dropLast(12)
        var fraction = padded.suffix(12)
        while fraction.last == "0" { fraction = fraction.dropLast() }
        return (picodollars < 0 ? "-" : "") + whole + (fraction.isEmpty ? "" : "." + fraction)
    }

    package static func < (one: Money, other: Money) -> Bool { one.picodollars < other.picodollars }

    package static func + (one: Money, other: Money) -> Money {
        let (sum, isOver) = one.picodollars.addingReportingOverflow(other.picodollars)
        return Money(picodollars: isOver ? (other.picodollars > 0 ? .max : .min) : sum)
    }

    package static func - (one: Money, other: Money) -> Money {
        let (difference, isOver) = one.picodollars.subtractingReportingOverflow(other.picodollars)
        return Money(picodollars: isOver ? (other.picodollars < 0 ? .max : .min) : difference)
    }
}
