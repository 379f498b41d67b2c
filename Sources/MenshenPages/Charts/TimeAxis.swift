// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Where the buckets of a period begin on the axis, and what stands under it.
struct TimeAxis {
    let period: PagePeriod
    let clock: PageClock

    /// In percent of the plot.
    func x(_ bucket: Int) -> Double { Double(bucket) * 100 / Double(period.count) }
    var width: Double { 100 / Double(period.count) }

    private var marks: [(bucket: Int, text: String)] {
        let length = period.until - period.since
        let spacing: Int64? =
            length <= 2 * 3600 ? 600 : length <= 36 * 3600 ? 21_600 : length <= 10 * 86_400 ? 86_400 : nil
        return (0..<period.count).compactMap { bucket in
            let time = ZonedTime(period.edges[bucket], in: clock.zone)
            if let spacing {
                guard (period.edges[bucket] + time.offset) % spacing == 0 else { return nil }
                if spacing == 86_400 { return (bucket, time.dayLabel) }
                return (bucket, time.clock == "00:00" ? time.dayLabel : time.clock)
            }
            return bucket % max(1, (period.count + 7) / 8) == 0 ? (bucket, time.shortDate) : nil
        }
    }

    /// Dotted lines with labels to their right.
    func lines(_ plot: Int, reach: Int = 6, label: Int = 18) -> HTML {
        marks.map { mark -> HTML in
            let place = HTML.decimal(x(mark.bucket))
            let text: HTML =
                "<text aria-hidden=\"true\" x=\"\(place)%\" dx=\"3\" y=\"\(plot + label)\">\(mark.text)</text>"
            return """
                <line class="day" x1="\(place)%" x2="\(place)%" y1="0" y2="\(plot + reach)"/>\(text, if: x(mark.bucket) < (period.endsNow ? 88 : 94))

                """
        }.joined()
    }

    func title(_ bucket: Int) -> String {
        let isUnderWay = period.endsNow && bucket == period.count - 1
        let end = isUnderWay ? period.lastEnd : period.edges[bucket + 1]
        return clock.bucket(period.edges[bucket], end) + (isUnderWay ? " (until now)" : "")
    }
}
