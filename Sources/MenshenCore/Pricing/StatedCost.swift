// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What providers say they charge, which they write as they like.
extension Money {
    /// Of a number as JSON writes it, "0.0042" or "9.6e-05", without a detour by a floating-point number; what is finer than
    /// a picodollar is rounded. nil for what is negative or too large, and for anything that is no number.
    package init?(dollars number: [UInt8]) {
        guard let decimal = Decimal(number, takesExponent: true),
            let value: Int64 = decimal.scaled(12, rounds: true)
        else { return nil }
        self.init(picodollars: value)
    }

    /// xAI counts in units of 10⁻¹⁰ dollars.
    package init?(ticks: Int64) {
        let (picodollars, isOver) = ticks.multipliedReportingOverflow(by: 100)
        guard ticks >= 0, !isOver else { return nil }
        self.init(picodollars: picodollars)
    }
}
