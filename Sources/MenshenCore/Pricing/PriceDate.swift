// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A day from which on a price holds, or on which it was checked, in UTC.
package struct PriceDate: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Since 1970-01-01.
    package let days: Int

    package init(days: Int) { self.days = days }

    /// The day of a moment in seconds since 1970.
    package init(seconds: Int64) { days = Int(seconds.floored(by: CivilDay.seconds)) }

    /// "2026-11-27"; nil for anything else, and for a day that there is not.
    package init?(_ text: some StringProtocol) {
        guard let day = CivilDay(text.utf8), day.year < 3000 else { return nil }
        days = Int(day.number)
    }

    /// 0: Monday.
    var weekday: Int { Int(CivilDay.weekday(Int64(days))) }

    /// The first second, since 1970.
    package var seconds: Int64 { Int64(days) * CivilDay.seconds }

    package var description: String { CivilDay(number: Int64(days)).text }

    package static func < (one: PriceDate, other: PriceDate) -> Bool { one.days < other.days }
}
