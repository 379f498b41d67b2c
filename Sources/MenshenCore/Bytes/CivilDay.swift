// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A day of the Gregorian calendar, and its number: days since 1970-01-01. Years are counted from March, so that the leap day
/// is the last of its year and the months' lengths repeat every five months.
struct CivilDay: Equatable {
    static let seconds: Int64 = 86_400
    /// Days of 400 years, after which the calendar repeats.
    private static let cycle: Int64 = 146_097
    /// Days from 0000-03-01 to 1970-01-01.
    private static let shift: Int64 = 719_468

    let year: Int64
    let month: Int64
    let day: Int64

    init(_ year: Int64, _ month: Int64, _ day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    init(number: Int64) {
        let days = number + Self.shift
        let era = days.floored(by: Self.cycle)
        let dayOfEra = days - era * Self.cycle
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / (Self.cycle - 1)) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// "2026-11-27", from 1970 on; nil for anything else, and for a day that there is not.
    init?(_ text: some Sequence<UInt8>) {
        let parts = text.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.map(\.count) == [4, 2, 2], let year = Self.number(parts[0]), let month = Self.number(parts[1]),
            let day = Self.number(parts[2]), year >= 1970, (1...12).contains(month)
        else { return nil }
        self.init(year, month, day)
        // The 31st of a month of 30 days would be another day.
        guard CivilDay(number: number) == self else { return nil }
    }

    private static func number(_ digits: some Sequence<UInt8>) -> Int64? {
        digits.reduce(0) { value, digit in
            guard let value, (48...57).contains(digit) else { return nil }
            return value * 10 + Int64(digit - 48)
        }
    }

    var number: Int64 {
        let marchYear = month <= 2 ? year - 1 : year
        let era = marchYear.floored(by: 400)
        let yearOfEra = marchYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * Self.cycle + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - Self.shift
    }

    /// Seconds since 1970 of a time of the day, in UTC.
    func time(_ hour: Int64, _ minute: Int64, _ second: Int64) -> Int64 {
        number * Self.seconds + hour * 3600 + minute * 60 + second
    }

    /// 0 is Monday.
    static func weekday(_ number: Int64) -> Int64 { (number + 3) - (number + 3).floored(by: 7) * 7 }

    var isLeapYear: Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
    /// The first of the month after.
    var nextMonth: CivilDay { month == 12 ? CivilDay(year + 1, 1, 1) : CivilDay(year, month + 1, 1) }

    /// "2026-11-27"
    var text: String { "\(year)-\(Self.two(month))-\(Self.two(day))" }

    /// "18:00:00" of so many seconds of a day.
    static func clock(_ second: Int64) -> String {
        [second / 3600, second / 60 % 60, second % 60].map(two).joined(separator: ":")
    }

    /// A number of a date or a clock, in two digits.
    static func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

extension Int64 {
    /// Divided, and rounded down below 0 as well.
    func floored(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
