// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// The time that a page is about, in buckets, and the same length of time before it. The last bucket is under way if the period
/// ends now.
struct PagePeriod: Sendable {
    /// "7d", or nil for one of other ends.
    let name: String?
    /// Of its buckets.
    let edges: [Int64]
    /// Seconds of a bucket, as clocks count them.
    let step: Int64
    /// Where the last bucket will end; after `edges.last` if that one is under way.
    let lastEnd: Int64
    let endsNow: Bool
    private let zone: ZoneRules

    var since: Int64 { edges[0] }
    var until: Int64 { edges[edges.count - 1] }
    var count: Int { edges.count - 1 }
    /// What of the last bucket is over, in percent.
    var lastShare: Int64 { max(1, (until - edges[count - 1]) * 100 / max(1, lastEnd - edges[count - 1])) }

    private static let named: [(name: String, step: Int64, count: Int64)] = [
        ("1h", 60, 60), ("24h", 1800, 48), ("7d", 14_400, 42), ("30d", 86_400, 30), ("90d", 604_800, 13),
    ]
    static let names = named.map(\.name)
    static let usual = "7d"

    init(_ name: String, now: Int64, in zone: ZoneRules) {
        let form = Self.named.first { $0.name == name } ?? Self.named[2]
        self.name = form.name
        self.zone = zone
        step = form.step
        endsNow = true
        let week = form.step == 604_800
        let local = zone.local(now)
        // Weeks begin on Monday; 1 January 1970 was a Thursday.
        let shift: Int64 = week ? 4 * 86_400 : 0
        let first = (local - shift) / step * step + shift - (form.count - 1) * step
        let begin = zone.time(local: first)
        var edges = [begin]
        for index in 1..<form.count {
            let edge = zone.time(local: first + index * step)
            if edge > edges[edges.count - 1], edge < now + 1 { edges.append(edge) }
        }
        lastEnd = max(now + 1, zone.time(local: first + form.count * step))
        edges.append(now + 1)
        self.edges = edges
    }

    /// From and until any time; nil: too long for a page.
    init?(since: Int64, until: Int64, now: Int64, in zone: ZoneRules) {
        name = nil
        self.zone = zone
        let end = max(since + 60, until)
        endsNow = until >= now
        step = Periods.step(for: end - since)
        guard let edges = Periods.edges(every: step, from: since, until: end, in: zone) else { return nil }
        self.edges = edges
        let last = zone.time(local: zone.local(edges[edges.count - 2]) + step)
        lastEnd = endsNow ? max(end, last) : end
    }

    /// As many buckets before, at the same times on clocks, cut at the same point of the last one.
    var before: [Int64] {
        let length = zone.local(lastEnd) - zone.local(since)
        var earlier: [Int64] = []
        for edge in edges {
            let time = zone.time(local: zone.local(edge) - length)
            // An hour that clocks left out has no time of its own.
            earlier.append(max(time, (earlier.last ?? time - 1) + 1))
        }
        // Of a period within such an hour clocks don't tell what was before.
        return earlier[earlier.count - 1] <= since ? earlier : edges.map { $0 - (lastEnd - since) }
    }

    /// Both, as one question: what of the answer's buckets belong to which.
    var withBefore: (edges: [Int64], now: Range<Int>) {
        let earlier = before
        if earlier[earlier.count - 1] >= since {
            return (earlier.dropLast() + edges, earlier.count - 1..<earlier.count - 1 + count)
        }
        return (earlier + edges, earlier.count..<earlier.count + count)
    }

    var beforeWords: String {
        switch name {
        case "1h": "the hour before"
        case "24h": "the day before"
        case "7d": "the week before"
        case "30d": "the 30 days before"
        case "90d": "the 13 weeks before"
        default: "the time before"
        }
    }

    var title: String {
        switch name {
        case "1h": "1 hour"
        case "24h": "24 hours"
        case "7d": "7 days"
        case "30d": "30 days"
        case "90d": "13 weeks"
        default: "this time"
        }
    }

    /// As "of its day" says it.
    var stepName: String { stepWords.hasPrefix("a") ? String(stepWords.split(separator: " ")[1]) : stepWords }

    var stepWords: String {
        switch step {
        case 60: "a minute"
        case ..<3600: "\(step / 60) minutes"
        case 3600: "an hour"
        case ..<86_400: "\(step / 3600) hours"
        case 86_400: "a day"
        case 604_800: "a week"
        default: "\(step / 86_400) days"
        }
    }
}
