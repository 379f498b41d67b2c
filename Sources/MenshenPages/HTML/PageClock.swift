// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Times as pages show them: short, and in full in the title.
struct PageClock: Sendable {
    let zone: ZoneRules
    let now: Int64

    var zoneWords: String {
        let offset = ZonedTime(now, in: zone).offsetName
        return zone.name == offset ? zone.name : "\(zone.name) (\(offset))"
    }

    /// 14:36:08, with `<time>`.
    func second(_ microseconds: Int64) -> HTML {
        element(microseconds, ZonedTime(microseconds / 1_000_000, in: zone).clockWithSeconds)
    }

    /// 14:36 today, Thu 18:41 within a week, 3 Sep, 3 Sep 2025.
    func moment(_ time: Int64) -> HTML { element(time * 1_000_000, words(time)) }

    func words(_ time: Int64) -> String {
        let (then, today) = (ZonedTime(time, in: zone), ZonedTime(now, in: zone))
        if then.isSameDay(as: today) { return then.clock }
        if abs(now - time) < 6 * 86_400 { return "\(then.dayName) \(then.clock)" }
        return then.year == today.year ? then.shortDate : "\(then.shortDate) \(then.year)"
    }

    /// Fri 20 Nov 16:00
    func dayAndClock(_ time: Int64) -> String {
        let then = ZonedTime(time, in: zone)
        return "\(then.dayName) \(then.shortDate) \(then.clock)"
    }

    func bucket(_ since: Int64, _ until: Int64) -> String {
        let (first, last) = (ZonedTime(since, in: zone), ZonedTime(until, in: zone))
        if until - since >= 86_400, first.clock == "00:00" {
            let end = ZonedTime(until - 1, in: zone)
            return first.isSameDay(as: end)
                ? "\(first.dayName) \(first.shortDate)" : "\(first.dayName) \(first.shortDate) – \(end.shortDate)"
        }
        return "\(first.dayName) \(first.shortDate), \(first.clock)–\(last.clock)"
    }

    /// Today, Friday 27 November
    func day(_ time: Int64) -> String {
        let names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
        let (then, today) = (ZonedTime(time, in: zone), ZonedTime(now, in: zone))
        let name = "\(names[Int(then.weekday)]) \(then.day) \(then.monthName)"
        if then.isSameDay(as: today) { return "Today, \(name)" }
        return then.year == today.year ? name : "\(name) \(then.year)"
    }

    func full(_ microseconds: Int64) -> String {
        let then = ZonedTime(microseconds / 1_000_000, in: zone)
        return
            "\(then.dayName) \(then.shortDate) \(then.year), \(then.clockWithSeconds).\(milliseconds(microseconds)) \(then.offsetName)"
    }

    /// For fields of forms: 2026-11-20T16:00.
    func field(_ time: Int64) -> String {
        let then = ZonedTime(time, in: zone)
        return "\(then.isoDate)T\(then.clock)"
    }

    /// RFC 3339, for programs.
    func stamp(_ microseconds: Int64) -> String {
        let text = zone.stamp(microseconds / 1_000_000)
        return "\(text.prefix(19)).\(milliseconds(microseconds))\(text.dropFirst(19))"
    }

    private func element(_ microseconds: Int64, _ words: String) -> HTML {
        "<time datetime=\"\(stamp(microseconds))\" title=\"\(full(microseconds))\">\(words)</time>"
    }

    private func milliseconds(_ microseconds: Int64) -> Substring {
        "\(1000 + microseconds / 1000 % 1000)".dropFirst()
    }
}

extension Figures {
    /// Number and unit joined by a narrow space that does not break.
    static func shortDuration(_ microseconds: Int64) -> String { duration(microseconds, space: "\u{202f}") }
    /// "2.4 h" of seconds.
    static func wait(_ seconds: Int64) -> String { shortDuration(max(0, seconds) * 1_000_000) }
}
