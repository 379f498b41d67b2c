// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// Windows of five hours, as subscriptions count them: one begins with the hour of the first request after the one before has
/// ended.
struct FiveHours {
    static let length: Int64 = 5 * 3600

    struct Window {
        let start: Int64
        var sums = ReportSums()
        var sessions = 0

        var end: Int64 { start + FiveHours.length }
    }

    /// Oldest first. `since` is taken back to a time at which nothing can have been under way, as far as `back` seconds.
    static func windows(
        _ reports: RecordReports, _ filters: [ReportFilter], since: Int64, until: Int64
    ) throws -> [Window] {
        let edges = Array(stride(from: since / 1800 * 1800, to: until, by: 1800)) + [until]
        guard edges.count > 1 else { return [] }
        let rows = try reports.rows(ReportQuery(edges: edges, where: filters)).sorted { $0.bucket < $1.bucket }
        var windows: [Window] = []
        for row in rows where row.sums[.requests] > 0 {
            let time = edges[row.bucket]
            if windows.last.map({ time >= $0.end }) ?? true { windows.append(Window(start: time / 3600 * 3600)) }
            windows[windows.count - 1].sums.add(row.sums)
        }
        return windows
    }
}

/// `menshen usage --blocks`.
struct UsageBlocks {
    private let command: UsageCommand
    private let reports: RecordReports
    private let zone: ZoneRules
    private let now: Int64

    init(_ command: UsageCommand, _ reports: RecordReports, _ zone: ZoneRules, now: Int64) {
        (self.command, self.reports, self.zone, self.now) = (command, reports, zone, now)
    }

    func run() throws {
        let style = command.look.style
        let span = try UsageSpan(command, zone, now: now, usual: 2)
        var filters = try command.filter.filters
        var provider = command.filter.provider.first
        if command.filter.provider.isEmpty {
            provider = try mostAsked(span)
            if let provider { filters.append(ReportFilter(.provider, [provider])) }
        }
        let windows = try FiveHours.windows(reports, filters, since: span.since, until: span.until)
        let pace = try reports.rows(ReportQuery(edges: [now - 3600, now], where: filters)).first?.sums[.cost] ?? 0
        if command.json || command.csv {
            var rows = UsageRows()
            for window in windows.reversed() {
                rows.add(
                    [
                        ("start", .text(ZoneRules.utc.stamp(window.start))),
                        ("end", .text(ZoneRules.utc.stamp(window.end))),
                        ("is_current", .text(now < window.end ? "true" : "false")),
                    ], window.sums, nil, hasCost: !command.noCost)
            }
            return Terminal.print(command.json ? rows.json(span) : rows.csv)
        }
        guard let newest = windows.last else {
            return Terminal.print("Nothing was asked \(provider.map { "of \($0) " } ?? "")in \(span.title).")
        }
        let isCurrent = now < newest.end
        let projected = isCurrent ? newest.sums[.cost] + pace / 3600 * (newest.end - now) : 0
        let largest = max(1, projected, windows.map { $0.sums[.cost] }.max() ?? 1)
        var table = ReportTable([
            .init(title: "Window"), .init(title: "Requests", isNumber: true),
            .init(title: "In", isNumber: true, rank: 1),
            .init(title: "Cached", isNumber: true, rank: 3), .init(title: "Out", isNumber: true, rank: 2),
            .init(title: "Failed", isNumber: true, rank: 4), .init(title: "Cost", isNumber: true),
            .init(title: "An hour", isNumber: true, rank: 5),
        ])
        (table.hasBars, table.longestBar) = (true, 32)
        for window in windows.reversed() {
            let isNow = now < window.end
            let hours = max(1, (min(now, window.end) - window.start + 3599) / 3600)
            table.rows.append(
                ReportTable.Row(
                    cells: [
                        .init(label(window) + (isNow ? " *" : "")), window.sums.requestCell, window.sums.inputCell,
                        window.sums.cachedCell, window.sums.outputCell, window.sums.failedCell, window.sums.spendCell,
                        .init(Figures.money(Money(picodollars: window.sums[.cost] / hours))),
                    ],
                    bar: thousandths(window.sums[.cost], largest),
                    barRest: isNow ? thousandths(projected - window.sums[.cost], largest) : 0, barSign: "░"))
        }
        let title = "5-hour windows" + (provider.map { " at \(ShownName.clean($0))" } ?? "")
        if style.width == nil { Terminal.error(title) } else { Terminal.print(style.painted(title, .bold) + "\n") }
        for line in table.lines(style) { Terminal.print(line) }
        guard isCurrent, style.width != nil else { return }
        let end = ZonedTime(newest.end, in: zone).clock
        Terminal.print("")
        Terminal.print(
            style.plain(
                "* now: \(Figures.money(Money(picodollars: pace))) in the last 60 minutes; ░ if it goes on so: "
                    + "\(Figures.money(Money(picodollars: projected))) by \(end)"))
    }

    private func mostAsked(_ span: UsageSpan) throws -> String? {
        try reports.rows(
            ReportQuery(edges: [span.since, span.until], by: [.provider], where: try command.filter.filters)
        )
        .filter { $0.keys[0] != nil }.max { $0.sums[.requests] < $1.sums[.requests] }?.keys[0]
    }

    private func label(_ window: FiveHours.Window) -> String {
        let start = ZonedTime(window.start, in: zone)
        return "\(start.dayLabel) \(start.clock)–\(ZonedTime(window.end, in: zone).clock)"
    }

    private func thousandths(_ part: Int64, _ whole: Int64) -> Int64 {
        part <= 0 ? 0 : max(1, Int64((Double(part) / Double(whole) * 1000).rounded()))
    }
}
