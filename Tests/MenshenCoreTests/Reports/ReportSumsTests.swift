// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

struct ReportSumsTests {
    private func spend(_ counts: [ReportSums.Count: Int64]) -> ReportSums.Spend {
        var sums = ReportSums()
        for (count, value) in counts { sums.add(value, to: count) }
        return sums.spend
    }

    @Test func `only where none has a cost is a sum unpriced, for some may cost nothing`() {
        #expect(spend([:]) == .nothing)
        #expect(spend([.requests: 3, .unpriced: 3]) == .unpriced)
        #expect(spend([.requests: 3, .unpriced: 1, .priced: 2]) == .amount(.zero, isLowerBound: true))
        #expect(spend([.requests: 3, .usageUnknown: 3]) == .unknown)
        #expect(spend([.requests: 3, .usageUnknown: 1, .priced: 2]) == .amount(.zero, isLowerBound: true))
        #expect(spend([.requests: 3, .priced: 3]) == .amount(.zero, isLowerBound: false))
        // Refused: nothing was used.
        #expect(spend([.requests: 3]) == .amount(.zero, isLowerBound: false))
        let some = Money(picodollars: 5)
        #expect(spend([.requests: 2, .unpriced: 1, .priced: 1, .cost: 5]) == .amount(some, isLowerBound: true))
    }
}
