// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// Providers as the records of a period know them, beside what they are now.
struct ProviderSums {
    struct Line {
        var sums = ReportSums()
        var firstBytes = LatencyHistogram()
        var ticks: [(requests: Int64, failed: Int64)] = []
    }

    private let context: PageContext
    /// 7 days in 42 columns, whatever the page's period is.
    let week: PagePeriod
    private(set) var lines: [String: Line] = [:]
    private var firstBytes = LatencyHistogram()
    private var firstBytesBefore = LatencyHistogram()

    /// Two questions.
    init(_ context: PageContext) throws(StoreFault) {
        self.context = context
        week = PagePeriod("7d", now: context.now, in: context.request.zone)
        let period = context.period
        let before = period.before
        var edges = [before[0], before[before.count - 1]]
        if edges[1] < period.since { edges.append(period.since) } else { edges[1] = period.since }
        edges.append(period.until)
        for row in try context.reports.rows(context.query(edges, by: [.provider], latency: true)) {
            let isNow = row.bucket == edges.count - 2
            if let times = row.firstBytes {
                if isNow { firstBytes.add(times) } else if row.bucket == 0 { firstBytesBefore.add(times) }
            }
            guard isNow, let name = row.keys[0] else { continue }
            lines[name, default: Line()].sums.add(row.sums)
            if let times = row.firstBytes { lines[name, default: Line()].firstBytes.add(times) }
        }
        for row in try context.reports.rows(context.query(week.edges, by: [.provider])) {
            guard let name = row.keys[0] else { continue }
            if lines[name, default: Line()].ticks.isEmpty {
                lines[name, default: Line()].ticks = [(Int64, Int64)](repeating: (0, 0), count: week.count)
            }
            lines[name, default: Line()].ticks[row.bucket].requests += row.sums[.requests]
            lines[name, default: Line()].ticks[row.bucket].failed += row.sums[.failed]
        }
    }

    var firstByteTile: Fact {
        guard let median = firstBytes.percentile(0.5) else {
            return Fact("First byte, median", "–", .nothing, .nothing)
        }
        func note(_ name: String, _ share: Double) -> HTML {
            guard let now = firstBytes.percentile(share) else { return .nothing }
            let before: HTML =
                firstBytesBefore.percentile(share).map { ", before \(Figures.shortDuration($0))" } ?? .nothing
            return "\(name) <span class=\"soft\">\(Figures.shortDuration(now))</span>\(before)"
        }
        return Fact("First byte, median", "\(Figures.shortDuration(median))", note("p95", 0.95), note("p99", 0.99))
    }

    /// In the order of the configuration; those that are not in it any more are left out.
    var section: HTML {
        let rows: [HTML] = context.live.providers.map(row)
        if rows.isEmpty { return .nothing }
        return .section(
            "prov", "Providers", note: "now, and in \(context.period.title)",
            more: .more(Address("providers"), "Keys, pauses and limits"),
            """
            <table class="stack provs" id="providers">
            <thead><tr><th scope="col">Provider</th><th scope="col">State</th><th scope="col"><span class="vh">Note</span></th>\
            <th scope="col">7 days</th><th scope="col" class="n">Requests</th><th scope="col" class="n">Failed</th>\
            <th scope="col" class="n">First byte p50</th><th scope="col" class="n">Places in use</th><th scope="col">Limit used</th></tr></thead>
            <tbody>
            \(rows)</tbody></table>

            """)
    }

    private func row(_ provider: LiveView.Provider) -> HTML {
        let line = lines[provider.name] ?? Line()
        let rooms: [HTML] = provider.limits.sorted { $0.used ?? 0 > $1.used ?? 0 }.prefix(2).map { HTML.room($0) }
        let note = provider.health == .fine ? "" : provider.lastFailure ?? ""
        return """
            <tr><th scope="row" class="c-name"><a href="\(Address("providers").fragment(provider.name))">\(HTML.name(provider.name))</a></th>\
            <td class="c-main">\(provider.mark)</td><td class="c-wide soft">\(note)</td>\
            <td class="c-hide">\(line.ticks.isEmpty ? .nothing : HTML.ticks(line.ticks, Self.words(line.ticks)))</td>\
            <td class="n" data-l="Requests">\(line.sums.text(.requests))</td>\
            <td class="n" data-l="Failed">\(line.sums[.requests] > 0 ? line.sums.failedShare : "–")</td>\
            <td class="n" data-l="First byte p50">\(line.firstBytes.percentile(0.5).map(Figures.shortDuration) ?? "–")</td>\
            <td class="n" data-l="Places">\(provider.placesText)</td>\
            <td class="c-wide"><span class="rooms">\(rooms.isEmpty ? "<span class=\"muted\">not told</span>" : rooms.joined())</span></td></tr>

            """
    }

    static func words(_ ticks: [(requests: Int64, failed: Int64)]) -> String {
        guard let worst = ticks.max(by: { $0.failed < $1.failed }), worst.failed > 0 else {
            return "Requests over 7 days; none failed"
        }
        return
            "Requests over 7 days; at worst \(Figures.count(worst.failed)) of \(Figures.count(worst.requests)) failed within 4 hours"
    }

    var data: DataTable {
        DataTable(
            "providers", ["provider", "state", "places_in_use", "places", "waiting"] + ReportSums.columns,
            rows: context.live.providers.map { provider in
                [
                    .text(provider.name), .text(provider.health.rawValue), .number(Int64(provider.active)),
                    .number(provider.places.map(Int64.init)), .number(Int64(provider.queued)),
                ] + (lines[provider.name] ?? Line()).sums.data
            })
    }
}

extension LiveView.Provider {
    var mark: HTML {
        switch health {
        case .fine: .mark(.fine, state.isEmpty ? "OK" : state)
        case .paused: .mark(.warning, state.isEmpty ? "Paused" : state, isLoud: true)
        case .leftAlone: .mark(.failed, state.isEmpty ? "Left alone" : state, isLoud: true)
        case .off: .mark(.off, state.isEmpty ? "Switched off" : state)
        }
    }

    var placesText: String { places.map { "\(active) of \($0)" } ?? "\(active)" }
}
