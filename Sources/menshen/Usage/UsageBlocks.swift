// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// `menshen usage --blocks`.
struct UsageBlocks {
    private let view: UsageView

    init(_ view: UsageView) { self.view = view }

    func run() throws {
        let (command, style, now) = (view.command, view.style, view.now)
        let span = try view.span(usual: 2)
        var filters: [ReportFilter] = []
        var providers = command.filter.provider
        if providers.isEmpty, let provider = try mostAsked(span) {
            providers = [provider]
            filters.append(ReportFilter(.provider, [provider]))
        }
        let title = providers.isEmpty ? "" : providers.map(ShownName.clean).joined(separator: ", ")
        let first = try view.reports.span()?.lowerBound ?? now
        let windows = try FiveHours.windows(in: span.since..<span.until, since: first, now: now) {
            try view.rows($0, where: filters)
        }
        let pace = try view.rows([now - 3600, now], where: filters).first?.sums[.cost] ?? 0
        if view.isForPrograms {
            var rows = UsageRows(["start", "end", "is_current", "provider"], hasCost: !command.noCost)
            for window in windows.reversed() {
                let provider = providers.count == 1 ? providers[0] : nil
                rows.add(
                    [.time(window.start), .time(window.end), .flag(now < window.end), .text(provider)], window.sums)
            }
            return try view.print(rows, span)
        }
        guard let newest = windows.last else {
            return Terminal.print(
                "Nothing was asked \(title.isEmpty ? "" : "of \(title) ")in \(span.title).")
        }
        let isCurrent = now < newest.end
        let projected = isCurrent ? newest.sums[.cost].saturatingAdd(pace / 3600 * (newest.end - now)) : 0
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
                    bar: view.bar(window.sums[.cost], of: largest),
                    barRest: isNow ? view.bar(projected - window.sums[.cost], of: largest) : 0, barSign: "░"))
        }
        view.write(title: "5-hour windows" + (title.isEmpty ? "" : " at \(title)"))
        table.print(style)
        guard style.width != nil else { return }
        var notes: [String] = []
        if isCurrent {
            let end = ZonedTime(newest.end, in: view.zone).clock
            notes.append(
                "* now: \(Figures.money(Money(picodollars: pace))) in the last 60 minutes; ░ if it goes on so: "
                    + "\(Figures.money(Money(picodollars: projected))) by \(end)")
        }
        if let said = providers.count == 1 ? limits(of: providers[0]) : nil { notes.append("  " + said) }
        if !notes.isEmpty { Terminal.print("") }
        for note in notes { Terminal.print(style.plain(note)) }
    }

    private func limits(of provider: String) -> String? {
        view.askDaemon().flatMap { Self.limits(of: provider, $0, now: view.now, in: view.zone) }
    }

    /// What a provider has said of a subscription's windows: of several keys that which has used most. nil: nothing.
    static func limits(of provider: String, _ look: TopLook, now: Int64, in zone: ZoneRules) -> String? {
        let limits = (look.providers.first { $0.name == provider }?.limits ?? []).filter {
            $0.unit == Headroom.Unit.subscription.rawValue && $0.used != nil
        }
        var worst: [TopLook.Limit] = []
        for limit in limits {
            guard let place = worst.firstIndex(where: { $0.window == limit.window }) else {
                worst.append(limit)
                continue
            }
            if limit.used ?? 0 > worst[place].used ?? 0 { worst[place] = limit }
        }
        if worst.isEmpty { return nil }
        let words = worst.map { limit -> String in
            let window = ShownName.clean(limit.window ?? "limit")
            let resets = limit.resets.map { milliseconds -> String in
                let moment = now + milliseconds / 1000
                let time = ZonedTime(moment, in: zone)
                if milliseconds == 0 { return ", has begun anew" }
                return ", resets \(milliseconds < 86_400_000 ? time.clock : "\(time.dayName) \(time.clock)")"
            }
            return "\(window) \(Figures.share(limit.used ?? 0, of: 1000)) used" + (resets ?? "")
        }
        return "\(ShownName.clean(provider)) says: \(words.joined(separator: "; "))"
    }

    private func mostAsked(_ span: UsageSpan) throws -> String? {
        try view.rows([span.since, span.until], by: [.provider])
            .filter { $0.keys[0] != nil }.max { $0.sums[.requests] < $1.sums[.requests] }?.keys[0]
    }

    private func label(_ window: FiveHours.Window) -> String {
        let start = ZonedTime(window.start, in: view.zone)
        return "\(start.dayLabel) \(start.clock)–\(ZonedTime(window.end, in: view.zone).clock)"
    }
}
