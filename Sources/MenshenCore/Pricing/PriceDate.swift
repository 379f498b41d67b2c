// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A day of the Gregorian calendar, in UTC.
package struct PriceDate: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Since 1970-01-01.
    package let days: Int

    package init(days: Int) { self.days = days }

    /// The day of a moment in seconds since 1970.
    package init(seconds: Int64) { days = Int((seconds - (seconds % 86_400 + 86_400) % 86_400) / 86_400) }

    /// "2026-11-27"; nil for anything else, and for a day that there is not.
    package init?(_ text: some StringProtocol) {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.count == 3, parts.map(\.count) == [4, 2, 2],
            let year = Self.number(parts[0]), let month = Self.number(parts[1]), let day = Self.number(parts[2]),
            (1970...2999).contains(year), (1...12).contains(month), day >= 1
        else { return nil }
        let date = PriceDate(year: year, month: month, day: day)
        guard date.description.utf8.elementsEqual(text.utf8) else { return nil }
        self = date
    }

    private init(year: Int, month: Int, day: Int) {
        // Years that begin in March have their odd day at the end.
        let shifted = month > 2 ? year : year - 1
        let era = shifted / 400
        let ofEra = shifted - era * 400
        let ofYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        days = era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }

    private static func number(_ digits: some Sequence<UInt8>) -> Int? {
        digits.reduce(0) { value, digit in
            guard let value, (48...57).contains(digit) else { return nil }
            return value * 10 + Int(digit - 48)
        }
    }

    /// 0: Monday.
    var weekday: Int { ((days + 3) % 7 + 7) % 7 }

    /// The first second, since 1970.
    package var seconds: Int64 { Int64(days) * 86_400 }

    package var description: String {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let ofEra = shifted - era * 146_097
        let year = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let part = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * part + 2) / 5 + 1
        let month = part < 10 ? part + 3 : part - 9
        func two(_ number: Int) -> String { (number < 10 ? "0" : "") + "\(number)" }
        return "\(year + era * 400 + (month < 3 ? 1 : 0))-\(two(month))-\(two(day))"
    }

    package static func < (one: PriceDate, other: PriceDate) -> Bool { one.days < other.days }
}
