// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The price of a quantity of one unit, with the lines above which it is another for the whole request. In attodollars
/// (10⁻¹⁸ USD): sellers' lists have prices of a million tokens with so many digits, and an amount is rounded once, at the end.
package struct UnitPrice: Sendable, Equatable, CustomStringConvertible {
    struct Line: Sendable, Equatable {
        /// Of all the request's input tokens.
        let threshold: Int64
        /// The threshold itself is above the line.
        let isInclusive: Bool
        let attodollars: Int128
    }

    let attodollars: Int128
    /// By threshold.
    let lines: [Line]

    /// "3", "0.25", "3>200000:6", "0.1>=200000:0.2"; nil for anything else.
    package init?(_ text: some StringProtocol) {
        var parts = text.split(separator: ">", omittingEmptySubsequences: false)
        guard let base = Self.decimal(parts.removeFirst()) else { return nil }
        var lines: [Line] = []
        for part in parts {
            let isInclusive = part.hasPrefix("=")
            let halves = (isInclusive ? part.dropFirst() : part).split(
                separator: ":", omittingEmptySubsequences: false)
            guard halves.count == 2, let threshold = Int64(halves[0]), threshold > lines.last?.threshold ?? 0,
                let price = Self.decimal(halves[1])
            else { return nil }
            lines.append(Line(threshold: threshold, isInclusive: isInclusive, attodollars: price))
        }
        attodollars = base
        self.lines = lines
    }

    /// At a million dollars it is no price any more, and sums would leave their 128 bits.
    private static func decimal(_ text: some StringProtocol) -> Int128? {
        guard let number = Decimal(text.utf8), number.places <= 18, let price: Int128 = number.scaled(18),
            price < 1_000_000_000_000_000_000_000_000
        else { return nil }
        return price
    }

    var isFree: Bool { attodollars == 0 && lines.isEmpty }

    /// For a request with so many input tokens.
    func attodollars(input: Int128) -> Int128 {
        let line = lines.last { input > Int128($0.threshold) || $0.isInclusive && input == Int128($0.threshold) }
        return line?.attodollars ?? attodollars
    }

    /// What `init(_:)` reads.
    package var description: String {
        Self.text(attodollars)
            + lines.map { ">\($0.isInclusive ? "=" : "")\($0.threshold):\(Self.text($0.attodollars))" }.joined()
    }

    private static func text(_ attodollars: Int128) -> String {
        let digits = String(attodollars)
        let padded = String(repeating: "0", count: max(0, 19 - digits.utf8.count)) + digits
        var fraction = padded.suffix(18)
        while fraction.last == "0" { fraction = fraction.dropLast() }
        return padded.dropLast(18) + (fraction.isEmpty ? "" : "." + fraction)
    }
}
