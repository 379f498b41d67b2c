// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Windows of five hours, as subscriptions count them: one begins with the hour of the first request after the one before has
/// ended. So each depends on all before it, as far back as nothing was asked for five hours. All times are seconds since 1970.
package enum FiveHours {
    package static let length: Int64 = 5 * 3600
    /// Requests of half an hour count as of its beginning.
    private static let step: Int64 = 1800

    private typealias Moment = (time: Int64, sums: ReportSums)

    package struct Window: Sendable {
        package let start: Int64
        package var sums = ReportSums()

        package var end: Int64 { start + FiveHours.length }
    }

    /// Those that lie in `span` or reach into it, each whole as far as `now`, oldest first. `first`: before it there are no requests. `rows` answers
    /// for buckets with these edges.
    package static func windows(
        in span: Range<Int64>, since first: Int64, now: Int64, rows ask: ([Int64]) throws -> [ReportRow]
    ) throws -> [Window] {
        let begin = span.lowerBound / step * step
        let end = min(now, span.upperBound + length)
        guard begin < end else { return [] }
        var found: [Moment] = []
        var (from, reach) = (end, Int64(86_400))
        while true {
            let until = from
            from = max(begin - reach, min(begin, first / step * step))
            let edges = Array(stride(from: from, to: until, by: Int(step))) + [until]
            found =
                try ask(edges).filter { $0.sums[.requests] > 0 }.sorted { $0.bucket < $1.bucket }
                .map { (time: edges[$0.bucket], sums: $0.sums) } + found
            let before = from <= first ? Int64.min / 2 : from - step
            if let place = restart(found, behind: before, until: begin) {
                return chain(found[place...]).filter { span.lowerBound < $0.end && $0.start < span.upperBound }
            }
            reach *= 2
        }
    }

    /// Where a window begins for certain, no later than the one that `begin` is in; nil: that lies further back. `last`: nobody
    /// knows what is before it, nor whether something is at it.
    private static func restart(_ moments: [Moment], behind last: Int64, until begin: Int64) -> Int? {
        var last = last
        var found: Int?
        for (place, moment) in moments.enumerated() {
            if moment.time > begin, found != nil || place > 0 { break }
            if moment.time - last >= length { found = place }
            last = moment.time
        }
        return moments.isEmpty ? 0 : found
    }

    private static func chain(_ requests: ArraySlice<Moment>) -> [Window] {
        var windows: [Window] = []
        for (time, sums) in requests {
            if windows.last.map({ time >= $0.end }) ?? true { windows.append(Window(start: time / 3600 * 3600)) }
            windows[windows.count - 1].sums.add(sums)
        }
        return windows
    }
}
