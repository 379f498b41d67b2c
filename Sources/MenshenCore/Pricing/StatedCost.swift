// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What providers say they charge, which they write as they like.
extension Money {
    /// Of a number as JSON writes it, "0.0042" or "9.6e-05", without a detour by a floating-point number; what is finer than
    /// a picodollar is rounded. nil for what is negative or too large, and for anything that is no number.
    package init?(dollars number: [UInt8]) {
        let parts = number.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 | 0x20 == UInt8(ascii: "e") }
        let mantissa = parts[0].split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        var exponent = 0
        if parts.count == 2 {
            guard parts[1].count <= 4, let value = Int(String(decoding: parts[1], as: UTF8.self)) else { return nil }
            exponent = value
        }
        let fraction = mantissa.count == 2 ? mantissa[1] : []
        let digits = mantissa[0] + fraction
        guard mantissa.allSatisfy({ !$0.isEmpty }), digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
        // Places by which the digits move to the left as a whole number of picodollars.
        let shift = 12 + exponent - fraction.count
        let kept = shift < 0 ? digits.dropLast(-shift) : digits
        guard var value = Self.number(kept, zeros: max(0, shift)) else { return nil }
        if shift < 0, digits.count + shift >= 0, digits[digits.endIndex + shift] >= UInt8(ascii: "5") {
            guard value < .max else { return nil }
            value += 1
        }
        self.init(picodollars: value)
    }

    /// xAI counts in units of 10⁻¹⁰ dollars.
    package init?(ticks: Int64) {
        let (picodollars, isOver) = ticks.multipliedReportingOverflow(by: 100)
        guard ticks >= 0, !isOver else { return nil }
        self.init(picodollars: picodollars)
    }

    private static func number(_ digits: ArraySlice<UInt8>, zeros: Int) -> Int64? {
        var value: Int64 = 0
        for digit in digits {
            let (tens, isOver) = value.multipliedReportingOverflow(by: 10)
            let (sum, isOverToo) = tens.addingReportingOverflow(Int64(digit - 48))
            if isOver || isOverToo { return nil }
            value = sum
        }
        if value == 0 { return 0 }
        for _ in 0..<zeros {
            let (tens, isOver) = value.multipliedReportingOverflow(by: 10)
            if isOver { return nil }
            value = tens
        }
        return value
    }
}
