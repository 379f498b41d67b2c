// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A moment as clocks of a zone show it. English, as all of menshen's output.
package struct ZonedTime: Sendable, Equatable {
    package let year: Int64
    package let month: Int64
    package let day: Int64
    /// 0 is Monday.
    package let weekday: Int64
    package let hour: Int64
    package let minute: Int64
    package let second: Int64
    /// Seconds that clocks are ahead of UTC.
    package let offset: Int64

    /// `time`: seconds since 1970.
    package init(_ time: Int64, in zone: ZoneRules) {
        let local = zone.local(time)
        let number = local.floored(by: CivilDay.seconds)
        let day = CivilDay(number: number)
        (year, month, self.day) = (day.year, day.month, day.day)
        weekday = CivilDay.weekday(number)
        let rest = local - number * CivilDay.seconds
        (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60)
        offset = local - time
    }

    private static let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]

    package var dayName: String { Self.days[Int(weekday)] }
    package var monthName: String { Self.months[Int(month - 1)] }
    /// Nov
    package var shortMonth: String { String(monthName.prefix(3)) }
    /// 14:36
    package var clock: String { "\(CivilDay.two(hour)):\(CivilDay.two(minute))" }
    /// 14:36:08
    package var clockWithSeconds: String { "\(clock):\(CivilDay.two(second))" }
    /// 27 November 2026
    package var date: String { "\(day) \(monthName) \(year)" }
    /// 27 Nov
    package var shortDate: String { "\(day) \(shortMonth)" }
    /// Fri 27
    package var dayLabel: String { "\(dayName) \(day)" }
    /// 2026-11-27
    package var isoDate: String { CivilDay(year, month, day).text }
    /// UTC, UTC+1, UTC-3:30
    package var offsetName: String {
        if offset == 0 { return "UTC" }
        let minutes = Int64(offset.magnitude) / 60
        let rest = minutes % 60 == 0 ? "" : ":\(CivilDay.two(minutes % 60))"
        return "UTC\(offset < 0 ? "-" : "+")\(minutes / 60)\(rest)"
    }

    package func isSameDay(as other: ZonedTime) -> Bool { (year, month, day) == (other.year, other.month, other.day) }

    /// 21 – 27 November 2026, shortened where both have something in common. `last`: within the last day.
    package static func range(_ first: ZonedTime, _ last: ZonedTime) -> String {
        if first.isSameDay(as: last) { return last.date }
        if first.year != last.year { return "\(first.date) – \(last.date)" }
        if first.month != last.month { return "\(first.day) \(first.monthName) – \(last.date)" }
        return "\(first.day) – \(last.date)"
    }
}
