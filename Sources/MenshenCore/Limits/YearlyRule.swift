// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Summer and standard time as a TZ variable of POSIX has them ("CET-1CEST,M3.5.0,M10.5.0/3"), which is how a TZif file says
/// what holds after its last line.
struct YearlyRule: Sendable, Equatable {
    /// A day of each year.
    private enum Day: Equatable {
        /// 1 to 365; 29 February is not counted.
        case julian(Int64)
        /// 0 to 365.
        case plain(Int64)
        /// The nth weekday of a month, 5 being the last; 0 is Sunday.
        case weekday(month: Int64, week: Int64, day: Int64)

        /// As in `CivilDay`.
        func number(in year: Int64) -> Int64 {
            let newYear = CivilDay(year, 1, 1)
            switch self {
            case .julian(let day): return newYear.number + day - 1 + (newYear.isLeapYear && day > 59 ? 1 : 0)
            case .plain(let day): return newYear.number + day
            case .weekday(let month, let week, let day):
                let first = CivilDay(year, month, 1)
                let isMonday0 = (day + 6) % 7
                var number = first.number + (isMonday0 - CivilDay.weekday(first.number) + 7) % 7 + (week - 1) * 7
                if number >= first.nextMonth.number { number -= 7 }
                return number
            }
        }
    }

    private struct Change: Equatable {
        let day: Day
        /// Seconds after the day's beginning, by the clocks of before.
        let time: Int64
    }

    private struct Summer: Equatable {
        let offset: Int64
        let start: Change
        let end: Change
    }

    private let standard: Int64
    private let summer: Summer?

    func stretch(at time: Int64) -> ZoneRules.Stretch {
        guard let summer else { return ZoneRules.Stretch(start: .min, end: .max, offset: standard) }
        let year = CivilDay(number: (time + standard).floored(by: CivilDay.seconds)).year
        var changes: [(time: Int64, offset: Int64)] = []
        for year in year - 1...year + 1 {
            changes.append((Self.time(summer.start, year) - standard, summer.offset))
            changes.append((Self.time(summer.end, year) - summer.offset, standard))
        }
        // Where summer lasts all year, its end and its next beginning are one moment, and the beginning counts.
        changes.sort { ($0.time, $0.offset == standard ? 0 : 1) < ($1.time, $1.offset == standard ? 0 : 1) }
        let next = changes.firstIndex { $0.time > time } ?? changes.count
        let last = max(0, next - 1)
        return ZoneRules.Stretch(
            start: changes[last].time, end: next < changes.count ? changes[next].time : .max,
            offset: changes[last].offset)
    }

    private static func time(_ change: Change, _ year: Int64) -> Int64 {
        change.day.number(in: year) * CivilDay.seconds + change.time
    }
}

// MARK: Reading

extension YearlyRule {
    /// nil for a text of another form.
    init?(_ text: ArraySlice<UInt8>) {
        var rest = text
        guard Self.skipName(&rest), let west = Self.clock(&rest) else { return nil }
        standard = -west
        if rest.isEmpty {
            summer = nil
            return
        }
        guard Self.skipName(&rest) else { return nil }
        var offset = standard + 3600
        if let first = rest.first, first != Self.comma {
            guard let west = Self.clock(&rest) else { return nil }
            offset = -west
        }
        guard let start = Self.change(&rest), let end = Self.change(&rest), rest.isEmpty else { return nil }
        summer = Summer(offset: offset, start: start, end: end)
    }

    private static let comma = UInt8(ascii: ",")

    private static func take(_ character: Unicode.Scalar, _ rest: inout ArraySlice<UInt8>) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }

    /// "CET" or "<+03>".
    private static func skipName(_ rest: inout ArraySlice<UInt8>) -> Bool {
        let before = rest.count
        if take("<", &rest) {
            rest = rest.drop { $0 != UInt8(ascii: ">") }
            return take(">", &rest)
        }
        rest = rest.drop { (65...90).contains($0) || (97...122).contains($0) }
        return before - rest.count >= 3
    }

    private static func number(_ rest: inout ArraySlice<UInt8>, _ range: ClosedRange<Int64>) -> Int64? {
        let digits = rest.prefix { (48...57).contains($0) }
        guard let number = Int64(String(decoding: digits, as: UTF8.self)), range.contains(number) else { return nil }
        rest = rest.dropFirst(digits.count)
        return number
    }

    /// "-3", "+5:30", "2:00:00" in seconds.
    private static func clock(_ rest: inout ArraySlice<UInt8>) -> Int64? {
        let sign: Int64 = take("-", &rest) ? -1 : 1
        if sign == 1 { _ = take("+", &rest) }
        guard var seconds = number(&rest, 0...167) else { return nil }
        seconds *= 3600
        for scale: Int64 in [60, 1] where take(":", &rest) {
            guard let part = number(&rest, 0...59) else { return nil }
            seconds += part * scale
        }
        return sign * seconds
    }

    private static func change(_ rest: inout ArraySlice<UInt8>) -> Change? {
        guard take(",", &rest), let day = day(&rest) else { return nil }
        guard take("/", &rest) else { return Change(day: day, time: 2 * 3600) }
        return clock(&rest).map { Change(day: day, time: $0) }
    }

    private static func day(_ rest: inout ArraySlice<UInt8>) -> Day? {
        if take("J", &rest) { return number(&rest, 1...365).map { .julian($0) } }
        guard take("M", &rest) else { return number(&rest, 0...365).map { .plain($0) } }
        guard let month = number(&rest, 1...12), take(".", &rest), let week = number(&rest, 1...5), take(".", &rest),
            let day = number(&rest, 0...6)
        else { return nil }
        return .weekday(month: month, week: week, day: day)
    }
}
