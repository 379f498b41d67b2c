// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenDaemon
internal import MenshenStore

/// What all reports of `menshen usage` have in common: which requests they ask for, and where what they say goes.
struct UsageView {
    let command: UsageCommand
    let reports: RecordReports
    let zone: ZoneRules
    let now: Int64
    let style: ReportStyle

    init(_ command: UsageCommand, _ reports: RecordReports, _ zone: ZoneRules) {
        (self.command, self.reports, self.zone, now) = (command, reports, zone, RecordsOption.now)
        style = command.look.style
    }

    /// `more`: filters besides those that were given.
    func rows(
        _ edges: [Int64], by groups: [Dimension] = [], where more: [ReportFilter] = [], latency: Bool = false
    ) throws -> [ReportRow] {
        try reports.rows(
            ReportQuery(edges: edges, by: groups, where: try command.filter.filters + more, latency: latency))
    }

    /// `usual`: days before today where nothing is said.
    func span(usual: Int64) throws -> UsageSpan { try UsageSpan(command, zone, now: now, usual: usual) }

    /// What a menshen that runs says; none is started for it, and one that is slow to answer is not waited for.
    func askDaemon() -> TopLook? {
        let named = command.daemon.socket
        guard let socket = try? named ?? StandardPaths.socket() else { return nil }
        var source = TopSource(DaemonPlace(socket: socket, isUsual: named == nil), patience: 2)
        guard case .page(let page) = source.look() else { return nil }
        return TopLook(page)
    }

    /// That what is asked for now may not be in the records, for people who ask for times until now.
    func outage(_ span: UsageSpan) -> [String] {
        guard style.width != nil, span.until == now, let fault = askDaemon()?.databaseFault else { return [] }
        return [
            "! requests are missing at present: the database is not in use (\(ShownName.clean(fault))); menshen doctor says more"
        ]
    }

    /// Times of which rows are missing.
    func gaps(_ span: UsageSpan) throws -> [RecordGap] { try reports.gaps(span.since..<span.until) }

    /// A line for each of the newest, and one for the others.
    func words(_ gaps: [RecordGap]) -> [String] {
        let most = 3
        var lines = gaps.suffix(most).map { gap -> String in
            let (since, until) = (
                ZonedTime(gap.since / 1_000_000, in: zone), ZonedTime(gap.until / 1_000_000, in: zone)
            )
            let end = since.date == until.date ? until.clock : "\(until.dayLabel) \(until.clock)"
            return
                "! \(Figures.counted(gap.missing, "request")) may be missing, from \(since.dayLabel) \(since.clock) to \(end) "
                + "(\(ShownName.clean(gap.reason))): menshen logs --journal may have more"
        }
        if gaps.count > most {
            let others = gaps.dropLast(most)
            let missing = others.reduce(Int64(0)) { $0.saturatingAdd($1.missing) }
            lines.append(
                "! \(Figures.counted(missing, "request")) may be missing of \(Figures.counted(Int64(others.count), "time")) before"
            )
        }
        return lines
    }

    /// A program reads it.
    var isForPrograms: Bool { command.json || command.csv }

    func print(_ rows: UsageRows, _ span: UsageSpan) throws {
        Terminal.write(
            command.json
                ? rows.json(span, missing: try gaps(span).reduce(0) { $0.saturatingAdd($1.missing) }) : rows.csv)
    }

    func write(title: String) {
        for line in style.wrapped(title) { note(style.painted(line, .bold)) }
        if style.width != nil { note("") }
    }

    /// What belongs to the figures goes where they go, unless a pipe takes those.
    func note(_ line: String) {
        if style.width == nil { Terminal.error(line) } else { Terminal.print(line) }
    }

    /// How long a bar is beside the longest, in thousandths; what there is can be seen.
    func bar(_ part: Int64, of whole: Int64) -> Int64 {
        part <= 0 ? 0 : max(1, Int64((Double(part) / Double(whole) * 1000).rounded()))
    }
}
