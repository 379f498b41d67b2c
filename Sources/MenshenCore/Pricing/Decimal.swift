// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A number that is not negative, as its digits and the place of its point: read to the letter, without a detour by a
/// floating-point number.
struct Decimal: Equatable {
    /// Without the point; at least one.
    private let digits: [UInt8]
    /// The value is the digits' times 10 to the power of that.
    private let exponent: Int

    /// "5", "0.25" and, with `takesExponent`, "9.6e-05"; nil for anything else: digits stand on both sides of a point.
    init?(_ text: some Collection<UInt8>, takesExponent: Bool = false) {
        var mantissa = Array(text)
        var power = 0
        if takesExponent, let mark = mantissa.firstIndex(where: { $0 | 0x20 == UInt8(ascii: "e") }) {
            let tail = mantissa[(mark + 1)...]
            guard tail.count <= 4, let value = Int(String(decoding: tail, as: UTF8.self)) else { return nil }
            power = value
            mantissa.removeSubrange(mark...)
        }
        let parts = mantissa.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { (48...57).contains($0) } }) else {
            return nil
        }
        digits = Array(parts.joined())
        exponent = power - (parts.count == 2 ? parts[1].count : 0)
    }

    /// Times 10 to the power of `places`. nil for what is too large; and where something is left behind the point, unless it
    /// is to be rounded.
    func scaled<Number: FixedWidthInteger>(_ places: Int, rounds: Bool = false) -> Number? {
        let shift = places + exponent
        let kept = shift < 0 ? digits.dropLast(-shift) : digits[...]
        guard let value: Number = Self.number(kept, zeros: max(0, shift)) else { return nil }
        if shift >= 0 { return value }
        let rest = digits[kept.endIndex...]
        guard rounds else { return rest.allSatisfy { $0 == 48 } ? value : nil }
        // More is left than there are digits: the first of the rest is a 0.
        guard digits.count >= -shift, let first = rest.first, first >= UInt8(ascii: "5") else { return value }
        let (sum, isOver) = value.addingReportingOverflow(1)
        return isOver ? nil : sum
    }

    /// Digits behind the point.
    var places: Int { max(0, -exponent) }

    private static func number<Number: FixedWidthInteger>(_ digits: ArraySlice<UInt8>, zeros: Int) -> Number? {
        var value: Number = 0
        for digit in digits {
            let (tens, isOver) = value.multipliedReportingOverflow(by: 10)
            let (sum, isOverToo) = tens.addingReportingOverflow(Number(digit - 48))
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
