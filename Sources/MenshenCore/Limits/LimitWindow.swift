// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension Limit.Window {
    /// When the window that `now` is in began and ends, in seconds since 1970. A day begins with the first moment at which
    /// clocks show it, and a week on Monday; minutes and hours go by the clocks of now. Those of `rolling` are a pot's matter.
    package func span(at now: Int64, in zone: ZoneRules) -> Range<Int64> {
        switch self {
        case .minute: return Self.short(60, now, zone)
        case .hour: return Self.short(3600, now, zone)
        case .day, .week, .month: return days(now, zone)
        case .rolling, .ever: return Int64.min..<Int64.max
        }
    }

    private static func short(_ length: Int64, _ now: Int64, _ zone: ZoneRules) -> Range<Int64> {
        let stretch = zone.stretch(at: now)
        let local = now + stretch.offset
        let start = now - (local - local.floored(by: length) * length)
        // Half an hour is left out, or comes twice, where clocks are turned by that.
        return max(start, stretch.start)..<min(start + length, stretch.end)
    }

    private func days(_ now: Int64, _ zone: ZoneRules) -> Range<Int64> {
        var first = firstDay(zone.local(now).floored(by: CivilDay.seconds))
        while true {
            let next = dayAfter(first)
            let end = zone.time(local: next * CivilDay.seconds)
            if now < end { return zone.time(local: first * CivilDay.seconds)..<end }
            // Clocks were turned back over midnight: it is the next one all the same.
            first = next
        }
    }

    private func firstDay(_ number: Int64) -> Int64 {
        switch self {
        case .week: return number - CivilDay.weekday(number)
        case .month:
            let day = CivilDay(number: number)
            return CivilDay(day.year, day.month, 1).number
        default: return number
        }
    }

    private func dayAfter(_ first: Int64) -> Int64 {
        switch self {
        case .week: first + 7
        case .month: CivilDay(number: first).nextMonth.number
        default: first + 1
        }
    }
}
