// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenStore

/// `menshen usage`, by time and by anything else.
struct UsageReport {
    private let view: UsageView
    private var command: UsageCommand { view.command }

    init(_ view: UsageView) { self.view = view }

    // MARK: By time

    func calendar(_ bucket: UsageCommand.Bucket) throws {
        let usual: Int64 =
            switch bucket {
            case .hour: 0
            case .day: 6
            case .week: 7 * 7
            case .month: 364
            }
        let span = try view.span(usual: usual)
        let bounds = try bounds(span, bucket)
        let found = try view.rows(bounds, latency: true)
        let most = try mostSpent(bounds)
        var rows = UsageRows(["start", "end"], hasCost: !command.noCost, hasLatency: true)
        var table = ReportTable(Self.timeColumns(bucket, hasCost: !command.noCost))
        (table.hasBars, table.longestBar) = (true, 18)
        var total = ReportSums()
        var firstBytes = LatencyHistogram()
        let largest = max(1, found.map { measure($0.sums) }.max() ?? 1)
        for index in 0..<bounds.count - 1 {
            let row = found.first { $0.bucket == index }
            let sums = row?.sums ?? ReportSums()
            total.add(sums)
            if let histogram = row?.firstBytes { firstBytes.add(histogram) }
            rows.add([.time(bounds[index]), .time(bounds[index + 1])], sums, row?.firstBytes)
            let isUnderWay = index == bounds.count - 2 && span.until == view.now
            table.rows.append(
                ReportTable.Row(
                    cells: cells(
                        label(bounds[index], bucket) + (isUnderWay ? " *" : ""), sums, row?.firstBytes, most[index]),
                    bar: view.bar(measure(sums), of: largest)))
        }
        if view.isForPrograms { return view.print(rows, span) }
        let before = try self.before(span)
        table.rows.append(
            ReportTable.Row(
                cells: cells(totalLabel(bounds.count - 1, bucket), total, firstBytes, nil), note: change(total, before),
                isTotal: true))
        view.write(title: span.title)
        table.print(view.style)
        var notes: [String] = []
        if span.until == view.now { notes.append("* until now" + (bucket == .day ? try yesterday() : "")) }
        try write(notes, total)
    }

    private func bounds(_ span: UsageSpan, _ bucket: UsageCommand.Bucket) throws -> [Int64] {
        func calendar(_ window: Limit.Window) -> [Int64]? {
            Periods.edges(of: window, from: span.since, until: span.until, in: view.zone)
        }
        let edges: [Int64]?
        let wider: String
        switch bucket {
        case .hour:
            edges = Periods.edges(every: 3600, from: span.since, until: span.until, in: view.zone)
            wider = ", or for --by day"
        case .day: (edges, wider) = (calendar(.day), ", or for --by week")
        case .week: (edges, wider) = (calendar(.week), ", or for --by month")
        case .month: (edges, wider) = (calendar(.month), "")
        }
        guard let edges else {
            throw Terminal.fault(
                "there are more than \(Figures.count(Int64(Periods.limit))) \(bucket.rawValue)s in \(span.title), too many for a report; ask for less with --since and --until\(wider).",
                code: 64)
        }
        return [span.since] + edges.dropFirst()
    }

    /// What was spent yesterday by this time on clocks; nothing if nothing was.
    private func yesterday() throws -> String {
        let start = Periods.day(1, before: view.now, in: view.zone)
        let rows = try view.rows([start, max(start + 1, Periods.time(-1, after: view.now, in: view.zone))])
        guard let sums = rows.first?.sums, measure(sums) > 0 else { return "" }
        return "; by this time yesterday " + (command.noCost ? Figures.tokens(measure(sums)) : Figures.money(sums.cost))
    }

    private static func timeColumns(_ bucket: UsageCommand.Bucket, hasCost: Bool) -> [ReportTable.Column] {
        let title = bucket.rawValue.prefix(1).uppercased() + bucket.rawValue.dropFirst()
        let columns: [ReportTable.Column] = [
            .init(title: title), .init(title: "Requests", isNumber: true), .init(title: "In", isNumber: true, rank: 1),
            .init(title: "Cached", isNumber: true, rank: 3), .init(title: "Out", isNumber: true, rank: 2),
            .init(title: "Failed", isNumber: true, rank: 4), .init(title: "First byte", isNumber: true, rank: 5),
        ]
        let most = ReportTable.Column(title: "Most", rank: 6, least: 12)
        return columns + (hasCost ? [.init(title: "Spend", isNumber: true)] : []) + [most]
    }

    private func cells(
        _ label: String, _ sums: ReportSums, _ firstBytes: LatencyHistogram?, _ most: String?
    ) -> [ReportTable.Cell] {
        [
            .init(label), sums.requestCell, sums.inputCell, sums.cachedCell, sums.outputCell, sums.failedCell,
            .init(firstBytes?.percentile(0.5).map { Figures.duration($0) } ?? ""),
        ] + (command.noCost ? [] : [sums.spendCell]) + [.init(most ?? "")]
    }

    /// For each bucket the model that most was spent on, or that used most tokens.
    private func mostSpent(_ bounds: [Int64]) throws -> [Int: String] {
        var most: [Int: (name: String, value: Int64)] = [:]
        for row in try view.rows(bounds, by: [.model]) {
            let value = measure(row.sums)
            guard let name = row.keys[0], value > most[row.bucket]?.value ?? 0 else { continue }
            most[row.bucket] = (name, value)
        }
        return most.mapValues { ShownName.clean($0.name) }
    }

    private func label(_ time: Int64, _ bucket: UsageCommand.Bucket) -> String {
        let moment = ZonedTime(time, in: view.zone)
        switch bucket {
        case .hour: return "\(moment.dayLabel) \(moment.clock)"
        case .day: return moment.dayLabel + (isOldest(time) ? " \(moment.shortMonth)" : "")
        case .week: return "from \(moment.shortDate)"
        case .month: return "\(moment.shortMonth) \(moment.year)"
        }
    }

    /// Days of more than a month are told apart by their month.
    private func isOldest(_ time: Int64) -> Bool { view.now - time > 27 * 86_400 }

    private func totalLabel(_ count: Int, _ bucket: UsageCommand.Bucket) -> String {
        Figures.counted(Int64(count), bucket.rawValue)
    }

    // MARK: By a dimension

    /// `conversations`: requests that are of no session are left out.
    func grouped(by dimension: Dimension, conversations: Bool = false) throws {
        let span = try view.span(usual: 6)
        let bounds = [span.since, span.until]
        var found = try view.rows(bounds, by: [dimension], latency: true)
        if conversations { found.removeAll { $0.keys[0] == nil } }
        found.sort { one, other in
            // What nobody could see is no answer to the question.
            if (one.keys[0] == nil) != (other.keys[0] == nil) { return other.keys[0] == nil }
            let (first, second) = (measure(one.sums), measure(other.sums))
            if first != second { return first > second }
            if one.sums[.requests] != other.sums[.requests] { return one.sums[.requests] > other.sums[.requests] }
            return one.keys[0] ?? "" < other.keys[0] ?? ""
        }
        var total = ReportSums()
        for row in found { total.add(row.sums) }
        if view.isForPrograms {
            var rows = UsageRows([dimension.rawValue], hasCost: !command.noCost, hasLatency: true)
            for row in found.prefix(command.top ?? .max) { rows.add([.text(row.keys[0])], row.sums, row.firstBytes) }
            return view.print(rows, span)
        }
        let details = dimension == .session ? try sessionDetails(bounds) : [:]
        let shown = view.style.width == nil && command.top == nil ? found.count : command.top ?? 20
        var table = ReportTable(Self.groupColumns(dimension, hasCost: !command.noCost))
        (table.hasBars, table.longestBar) = (true, 24)
        var names = NameBook(found.prefix(shown).map { $0.keys[0] })
        let largest = max(1, found.map { measure($0.sums) }.max() ?? 1)
        let unknown = found.last.flatMap { $0.keys[0] == nil && found.count > shown ? $0 : nil }
        for row in found.prefix(shown) {
            table.rows.append(
                ReportTable.Row(
                    cells: groupCells(names.name(row.keys[0], of: dimension), row, total, details[row.keys[0] ?? ""]),
                    bar: view.bar(measure(row.sums), of: largest)))
        }
        let others = found.dropFirst(shown).filter { $0.keys[0] != nil }
        if !others.isEmpty {
            var rest = ReportRow(bucket: 0, keys: [nil], sums: ReportSums())
            for row in others { rest.sums.add(row.sums) }
            table.rows.append(
                ReportTable.Row(
                    cells: groupCells(
                        Figures.counted(Int64(others.count), "other"), rest, total, nil),
                    bar: view.bar(measure(rest.sums), of: largest)))
        }
        if let unknown {
            table.rows.append(
                ReportTable.Row(
                    cells: groupCells(names.name(nil, of: dimension), unknown, total, nil),
                    bar: view.bar(measure(unknown.sums), of: largest)))
        }
        let all = ReportRow(bucket: 0, keys: [nil], sums: total)
        let count = Int64(found.count { $0.keys[0] != nil })
        table.rows.append(
            ReportTable.Row(
                cells: groupCells("\(Figures.count(count)) \(Self.noun(dimension, count))", all, total, nil),
                note: conversations ? "" : change(total, try before(span)), isTotal: true))
        view.write(title: "By \(dimension.rawValue.split(separator: "_").joined(separator: " ")), \(span.title)")
        table.print(view.style)
        try write([], total)
    }

    private static func groupColumns(_ dimension: Dimension, hasCost: Bool) -> [ReportTable.Column] {
        let word = dimension.rawValue.split(separator: "_").joined(separator: " ")
        let title = word.prefix(1).uppercased() + word.dropFirst()
        let columns: [ReportTable.Column] = [
            .init(title: title, least: 16), .init(title: "Program", rank: 6, least: 8),
            .init(title: "Project", rank: 5, least: 8),
            .init(title: "Requests", isNumber: true), .init(title: "In", isNumber: true, rank: 1),
            .init(title: "Cached", isNumber: true, rank: 7), .init(title: "Out", isNumber: true, rank: 2),
            .init(title: "Failed", isNumber: true, rank: 8), .init(title: "First byte", isNumber: true, rank: 9),
        ]
        return columns
            + (hasCost ? [.init(title: "Spend", isNumber: true), .init(title: "Share", isNumber: true, rank: 3)] : [])
    }

    private func groupCells(
        _ name: String, _ row: ReportRow, _ total: ReportSums, _ detail: (program: String, project: String)?
    ) -> [ReportTable.Cell] {
        let sums = row.sums
        return [
            .init(name), .init(detail?.program ?? ""), .init(detail?.project ?? ""), sums.requestCell, sums.inputCell,
            sums.cachedCell, sums.outputCell, sums.failedCell,
            .init(row.firstBytes?.percentile(0.5).map { Figures.duration($0) } ?? ""),
        ]
            + (command.noCost
                ? [] : [sums.spendCell, .init(sums[.cost] == 0 ? "" : Figures.share(sums[.cost], of: total[.cost]))])
    }

    /// Program and project of each session.
    private func sessionDetails(_ bounds: [Int64]) throws -> [String: (program: String, project: String)] {
        var names = NameBook()
        var details: [String: (program: String, project: String)] = [:]
        for row in try view.rows(bounds, by: [.session, .client, .project]) {
            guard let session = row.keys[0], details[session] == nil else { continue }
            details[session] = (
                row.keys[1].map(ShownName.clean) ?? "", row.keys[2] == nil ? "" : names.name(row.keys[2], of: .project)
            )
        }
        return details
    }

    private static func noun(_ dimension: Dimension, _ count: Int64) -> String {
        let word = dimension.rawValue.split(separator: "_").joined(separator: " ")
        if count == 1 { return word }
        return word == "status" ? "statuses" : word + "s"
    }

    // MARK: Both

    /// What rows are compared by: money, and tokens where that is left out or nobody knows any.
    private func measure(_ sums: ReportSums) -> Int64 {
        command.noCost ? sums[.inputTotal].saturatingAdd(sums[.outputTotal]) : sums[.cost]
    }

    /// Sums of the time before that is as long; nil if there are none, or not of all of it.
    private func before(_ span: UsageSpan) throws -> ReportSums? {
        let length = span.until - span.since
        guard let first = try view.reports.span()?.lowerBound, first <= span.since - length else { return nil }
        return try view.rows([span.since - length, span.until - length]).first?.sums
    }

    private func change(_ total: ReportSums, _ before: ReportSums?) -> String {
        guard let before, let change = Figures.change(measure(total), before: measure(before)) else { return "" }
        let was = command.noCost ? Figures.tokens(measure(before)) : Figures.money(before.cost)
        return change == "new" ? "" : "\(change) from \(was)"
    }

    private func write(_ notes: [String], _ total: ReportSums) throws {
        var notes = notes
        if !command.noCost, total.missing > 0 {
            var reasons: [String] = []
            if total[.unpriced] > 0 { reasons.append("\(Figures.count(total[.unpriced])) without a price") }
            if total[.usageUnknown] > 0 {
                reasons.append("\(Figures.count(total[.usageUnknown])) without reported usage")
            }
            notes.append(
                "≥ \(Figures.counted(total.missing, "request is", "requests are")) not in the sums: "
                    + reasons.joined(separator: ", ") + " (menshen usage --unpriced)")
        }
        if total[.requests] == 0, let last = try view.reports.span()?.upperBound {
            let time = ZonedTime(last, in: view.zone)
            notes.append("Nothing was asked in that time; the last request was on \(time.date) at \(time.clock).")
        }
        if notes.isEmpty { return }
        view.note("")
        for line in notes { for part in view.style.wrapped(line) { view.note(part) } }
    }
}
