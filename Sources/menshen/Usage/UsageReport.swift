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
        let gaps = try view.gaps(span)
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
                        label(bounds[index], bucket)
                            + (gaps.contains { $0.overlaps(bounds[index]..<bounds[index + 1]) } ? " !" : "")
                            + (isUnderWay ? " *" : ""), sums, row?.firstBytes, most[index]),
                    bar: view.bar(measure(sums), of: largest)))
        }
        if view.isForPrograms { return try view.print(rows, span) }
        let before = try self.before(span)
        table.rows.append(
            ReportTable.Row(
                cells: cells(totalLabel(bounds.count - 1, bucket), total, firstBytes, nil), note: change(total, before),
                isTotal: true))
        view.write(title: span.title)
        table.print(view.style)
        var notes: [String] = []
        if span.until == view.now { notes.append("* until now" + (bucket == .day ? try yesterday() : "")) }
        try write(notes + view.outage(span), total, gaps)
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
        let most = ReportTable.Column(title: "Most", rank: 7, least: 12)
        let money: [ReportTable.Column] = [
            .init(title: "Saved", isNumber: true, rank: 6), .init(title: "Spend", isNumber: true),
        ]
        return columns + (hasCost ? money : []) + [most]
    }

    private func cells(
        _ label: String, _ sums: ReportSums, _ firstBytes: LatencyHistogram?, _ most: String?
    ) -> [ReportTable.Cell] {
        [
            .init(label), sums.requestCell, sums.inputCell, sums.cachedCell, sums.outputCell, sums.failedCell,
            .init(firstBytes?.percentile(0.5).map { Figures.duration($0) } ?? ""),
        ] + (command.noCost ? [] : [sums.savedCell, sums.spendCell]) + [.init(most ?? "")]
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

    // MARK: By dimensions

    /// `conversations`: requests that are of no session are left out.
    func grouped(by dimensions: [Dimension], conversations: Bool = false) throws {
        let span = try view.span(usual: 6)
        let bounds = [span.since, span.until]
        var found = try view.rows(bounds, by: dimensions, latency: true)
        if conversations { found.removeAll { $0.isUnknown } }
        found.sort { one, other in
            // What nobody could see is no answer to the question.
            if one.isUnknown != other.isUnknown { return other.isUnknown }
            let (first, second) = (measure(one.sums), measure(other.sums))
            if first != second { return first > second }
            if one.sums[.requests] != other.sums[.requests] { return one.sums[.requests] > other.sums[.requests] }
            return one.keys.map { $0 ?? "" }.lexicographicallyPrecedes(other.keys.map { $0 ?? "" })
        }
        var total = ReportSums()
        for row in found { total.add(row.sums) }
        if view.isForPrograms {
            var rows = UsageRows(dimensions.map(\.rawValue), hasCost: !command.noCost, hasLatency: true)
            for row in found.prefix(command.top ?? .max) {
                rows.add(row.keys.map { .text($0) }, row.sums, row.firstBytes)
            }
            return try view.print(rows, span)
        }
        let words = dimensions.map(Self.word)
        view.write(title: "By \(words.joined(separator: " and ")), \(span.title)")
        let details = dimensions == [.session] ? try sessionDetails(bounds) : [:]
        var table = groupTable(dimensions, found, total, details)
        let count = Int64(found.count { !$0.isUnknown })
        let noun = dimensions.count == 1 ? Self.noun(dimensions[0], count) : count == 1 ? "row" : "rows"
        let all = ReportRow(bucket: 0, keys: [], sums: total)
        table.rows.append(
            ReportTable.Row(
                cells: groupCells(dimensions, ["\(Figures.count(count)) \(noun)"], all, total),
                note: conversations ? "" : change(total, try before(span)), isTotal: true))
        table.print(view.style)
        try write(view.outage(span), total, try view.gaps(span))
    }

    /// The largest, the others together, and what nobody could see.
    private func groupTable(
        _ dimensions: [Dimension], _ found: [ReportRow], _ total: ReportSums,
        _ details: [String: (program: String, project: String)]
    ) -> ReportTable {
        let shown = view.style.width == nil && command.top == nil ? found.count : command.top ?? 20
        var table = ReportTable(Self.groupColumns(dimensions, hasCost: !command.noCost))
        (table.hasBars, table.longestBar) = (true, 24)
        let largest = max(1, found.map { measure($0.sums) }.max() ?? 1)
        func add(_ names: [String], _ row: ReportRow, _ detail: (program: String, project: String)? = nil) {
            table.rows.append(
                ReportTable.Row(
                    cells: groupCells(dimensions, names, row, total, detail),
                    bar: view.bar(measure(row.sums), of: largest)))
        }
        var books = dimensions.indices.map { place in NameBook(found.prefix(shown).map { $0.keys[place] }) }
        func names(_ row: ReportRow) -> [String] {
            dimensions.indices.map { books[$0].name(row.keys[$0], of: dimensions[$0]) }
        }
        for row in found.prefix(shown) { add(names(row), row, details[row.keys[0] ?? ""]) }
        let others = found.dropFirst(shown).filter { !$0.isUnknown }
        if !others.isEmpty {
            var rest = ReportRow(bucket: 0, keys: [], sums: ReportSums())
            for row in others { rest.sums.add(row.sums) }
            add([Figures.counted(Int64(others.count), "other")], rest)
        }
        if let last = found.last, last.isUnknown, found.count > shown { add(names(last), last) }
        return table
    }

    private static func word(_ dimension: Dimension) -> String {
        dimension.rawValue.split(separator: "_").joined(separator: " ")
    }

    private static func groupColumns(_ dimensions: [Dimension], hasCost: Bool) -> [ReportTable.Column] {
        let names = dimensions.map { dimension in
            let word = word(dimension)
            return ReportTable.Column(
                title: word.prefix(1).uppercased() + word.dropFirst(), least: dimensions.count == 1 ? 16 : 12)
        }
        let columns: [ReportTable.Column] = [
            .init(title: "Program", rank: 6, least: 8),
            .init(title: "Project", rank: 5, least: 8),
            .init(title: "Requests", isNumber: true), .init(title: "In", isNumber: true, rank: 1),
            .init(title: "Cached", isNumber: true, rank: 7), .init(title: "Out", isNumber: true, rank: 2),
            .init(title: "Failed", isNumber: true, rank: 8), .init(title: "First byte", isNumber: true, rank: 9),
        ]
        return names + columns
            + (hasCost
                ? [
                    .init(title: "Saved", isNumber: true, rank: 10), .init(title: "Spend", isNumber: true),
                    .init(title: "Share", isNumber: true, rank: 3),
                ] : [])
    }

    private func groupCells(
        _ dimensions: [Dimension], _ names: [String], _ row: ReportRow, _ total: ReportSums,
        _ detail: (program: String, project: String)? = nil
    ) -> [ReportTable.Cell] {
        let sums = row.sums
        // A row that stands for several has its name in the first column.
        let blank = [String](repeating: "", count: dimensions.count - names.count)
        return (names + blank).map { .init($0) } + [
            .init(detail?.program ?? ""), .init(detail?.project ?? ""), sums.requestCell, sums.inputCell,
            sums.cachedCell, sums.outputCell, sums.failedCell,
            .init(row.firstBytes?.percentile(0.5).map { Figures.duration($0) } ?? ""),
        ]
            + (command.noCost
                ? []
                : [
                    sums.savedCell, sums.spendCell,
                    .init(sums[.cost] == 0 ? "" : Figures.share(sums[.cost], of: total[.cost])),
                ])
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
        let word = word(dimension)
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

    private func write(_ notes: [String], _ total: ReportSums, _ gaps: [RecordGap]) throws {
        var notes = notes + view.words(gaps)
        if !command.noCost, total.missing > 0 {
            var reasons: [String] = []
            if total[.unpriced] > 0 { reasons.append("\(Figures.count(total[.unpriced])) without a price") }
            if total[.usageUnknown] > 0 {
                reasons.append("\(Figures.count(total[.usageUnknown])) without reported usage")
                if total[.lost] > 0 {
                    reasons[reasons.count - 1] += ", of them \(Figures.count(total[.lost])) lost when menshen died"
                }
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
