// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Moments and stretches of time as people name them, and the edges of buckets. All times are seconds since 1970.
package enum Periods {
    /// "7d" (the beginning of the day seven days ago), "2w"; "24h" (so long before now), "30m"; "today", "yesterday", "now"; "2026-11-27", "2026-11-27T14:30",
    /// "2026-11-27 14:30:05"; a number of seconds since 1970. nil for anything else.
    package static func moment(_ text: String, now: Int64, in zone: ZoneRules) -> Int64? {
        // No request's id is later.
        named(text, now: now, in: zone).flatMap { $0 < 9_000_000_000 ? $0 : nil }
    }

    private static func named(_ text: String, now: Int64, in zone: ZoneRules) -> Int64? {
        switch text {
        case "now": return now
        case "today": return start(of: .day, at: now, in: zone)
        case "yesterday": return start(of: .day, at: start(of: .day, at: now, in: zone) - 1, in: zone)
        default: break
        }
        if let ago = length(text) {
            let isWhole = text.hasSuffix("d") || text.hasSuffix("w")
            return isWhole ? day(ago / 86_400, before: now, in: zone) : now - ago
        }
        if text.utf8.count >= 9, let seconds = Int64(text), seconds >= 0 { return seconds }
        return date(text, in: zone)
    }

    /// Of "90s", "30m", "24h", "7d", "2w".
    package static func length(_ text: String) -> Int64? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
        guard let unit = text.last.flatMap({ units[$0] }), let count = Int64(text.dropLast()), count > 0 else {
            return nil
        }
        let (seconds, overflows) = count.multipliedReportingOverflow(by: unit)
        return overflows || seconds > 100 * 366 * 86_400 ? nil : seconds
    }

    private static func date(_ text: String, in zone: ZoneRules) -> Int64? {
        let parts = text.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "T" || $0 == " " }
        guard let first = parts.first, let day = CivilDay(first.utf8) else { return nil }
        guard parts.count == 2 else { return zone.time(local: day.time(0, 0, 0)) }
        let clock = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        let numbers = clock.compactMap { $0.utf8.count == 2 ? Int64($0) : nil }
        guard numbers.count == clock.count, (2...3).contains(numbers.count), (0..<24).contains(numbers[0]),
            numbers.dropFirst().allSatisfy({ (0..<60).contains($0) })
        else { return nil }
        return zone.time(local: day.time(numbers[0], numbers[1], numbers.count == 3 ? numbers[2] : 0))
    }

    /// The beginning of the day so many days before the one of `time`.
    package static func day(_ days: Int64, before time: Int64, in zone: ZoneRules) -> Int64 {
        let today = zone.local(time).floored(by: CivilDay.seconds)
        return zone.time(local: (today - days) * CivilDay.seconds)
    }

    package static func start(of window: Limit.Window, at time: Int64, in zone: ZoneRules) -> Int64 {
        window.span(at: time, in: zone).lowerBound
    }

    /// The same time on clocks so many days later, or before if it is negative.
    package static func time(_ days: Int64, after time: Int64, in zone: ZoneRules) -> Int64 {
        zone.time(local: zone.local(time) + days * CivilDay.seconds)
    }

    /// Calendar days, weeks or months from the one that `since` is in to `until`, which is the last edge. nil: more than `limit`.
    package static func edges(
        of window: Limit.Window, from since: Int64, until: Int64, in zone: ZoneRules
    ) -> [Int64]? {
        var span = window.span(at: since, in: zone)
        var edges = [span.lowerBound]
        while span.upperBound < until {
            if edges.count == limit { return nil }
            edges.append(span.upperBound)
            span = window.span(at: span.upperBound, in: zone)
        }
        return edges + [max(until, span.lowerBound + 1)]
    }

    /// Edges every `step` seconds on clocks of the zone (whole days at midnight), the last at `until`. The first is at or before
    /// `since`. nil: more buckets than `limit`.
    package static func edges(every step: Int64, from since: Int64, until: Int64, in zone: ZoneRules) -> [Int64]? {
        let unit = step % CivilDay.seconds == 0 ? CivilDay.seconds : step
        var wanted = zone.local(since).floored(by: unit) * unit
        var edges = [min(since, zone.time(local: wanted))]
        while true {
            wanted += step
            let next = zone.time(local: wanted)
            if next >= until { break }
            if edges.count == limit { return nil }
            // Clocks were turned: an hour comes twice, or not at all.
            if next > edges[edges.count - 1] { edges.append(next) }
        }
        return edges + [max(until, edges[edges.count - 1] + 1)]
    }

    /// No report has more buckets.
    package static let limit = 4000

    /// The smallest step that makes at most `most` buckets of a stretch of time.
    package static func step(for length: Int64, most: Int64 = 62) -> Int64 {
        let minutes: [Int64] = [1, 5, 15, 30, 60, 120, 240, 360, 720, 1440, 10_080]
        return (minutes.first { length / ($0 * 60) <= most } ?? 43_200) * 60
    }
}
