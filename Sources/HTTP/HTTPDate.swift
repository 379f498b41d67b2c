// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A field `Date` (RFC 9110 §6.6.1), written once a second however many answers have it.
package struct HTTPDate {
    private var second: UInt64 = .max
    private var line: [UInt8] = []

    package init() {}

    /// The field's line with its end, at `second` of Unix time.
    package mutating func line(at second: UInt64) -> [UInt8] {
        if second != self.second {
            self.second = second
            line = Array("Date: \(Self.text(Int64(clamping: second)))\r\n".utf8)
        }
        return line
    }

    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb",
    ]

    /// "Sun, 06 Nov 1994 08:49:37 GMT"
    static func text(_ seconds: Int64) -> String {
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let days = seconds / 86_400
        // Years begin in March here, so that the leap day is a year's last; 400 of them have 146,097 days.
        let sinceMarch = days + 719_468
        let (era, dayOfEra) = sinceMarch.quotientAndRemainder(dividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let year = era * 400 + yearOfEra + (month >= 10 ? 1 : 0)
        let clock = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60].map(two).joined(separator: ":")
        return "\(weekdays[Int(days % 7)]), \(two(day)) \(months[Int(month)]) \(year) \(clock) GMT"
    }
}
