// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct StatedCostTests {
    @Test(
        arguments: [
            ("0", 0), ("0.95", 950_000_000_000), ("19", 19_000_000_000_000), ("0.00011018", 110_180_000),
            ("9.6e-05", 96_000_000), ("9.6E-5", 96_000_000), ("1e-12", 1), ("1.5e+3", 1_500_000_000_000_000),
            ("0e400", 0), ("0e99", 0), ("12.5e0", 12_500_000_000_000),
            // Finer than a picodollar: rounded.
            ("0.00033789000000000004", 337_890_000), ("1e-13", 0), ("5e-13", 1), ("4.9e-13", 0), ("0.0000000000005", 1),
            ("0.0033788999999999998", 3_378_900_000), ("1e-900", 0),
            ("9223372.036854775807", .max), ("9223372.0368547758075", nil), ("9223373", nil), ("1e7", nil),
            ("1e99", nil),
            ("-0.1", nil), ("", nil), (".5", nil), ("5.", nil), ("1.2.3", nil), ("0x10", nil), ("1e", nil),
            ("NaN", nil),
        ] as [(String, Int64?)])
    func `a number of JSON becomes picodollars to the last digit`(_ text: String, _ picodollars: Int64?) {
        #expect(Money(dollars: Array(text.utf8))?.picodollars == picodollars)
    }

    @Test func `ticks are ten-thousandths of a millionth of a dollar`() {
        #expect(Money(ticks: 318_319_000)?.dollars == "0.0318319")
        #expect(Money(ticks: .max) == nil && Money(ticks: -1) == nil)
    }
}
