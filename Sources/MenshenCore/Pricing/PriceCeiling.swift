// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The dearest tokens that a seller has, for what has no price of its own and must not be taken for cheap.
struct PriceCeiling {
    private(set) var input: Int128 = 0
    private(set) var output: Int128 = 0

    /// nil: there is no row that says anything.
    init?(_ rows: [PriceRow]) {
        for row in rows {
            for (unit, price) in row.prices where unit.isToken {
                let dearest = price.lines.map(\.attodollars).reduce(price.attodollars, max)
                if unit.isOutput { output = max(output, dearest) } else { input = max(input, dearest) }
            }
        }
        if input == 0, output == 0 { return nil }
    }

    /// nil: too much to say.
    func money(input inputTokens: Int64, output outputTokens: Int64) -> Money? {
        let (one, isOver) = input.multipliedReportingOverflow(by: Int128(max(0, inputTokens)))
        let (other, isOverToo) = output.multipliedReportingOverflow(by: Int128(max(0, outputTokens)))
        let (sum, isSumOver) = one.addingReportingOverflow(other)
        guard !isOver, !isOverToo, !isSumOver else { return nil }
        // Attodollars for a million tokens each; rounded up.
        let (picodollars, rest) = sum.quotientAndRemainder(dividingBy: 1_000_000_000_000)
        return Int64(exactly: picodollars + (rest > 0 ? 1 : 0)).map { Money(picodollars: $0) }
    }
}
