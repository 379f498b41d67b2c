// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// Requests one by one, newest first.
struct LogPageView {
    private static let size = 50
    /// Rows that a search for a text looks at before the page says how far it came.
    private static let searchReach = 200_000

    private let context: PageContext

    init(_ context: PageContext) { self.context = context }

    private var period: PagePeriod { context.period }
    private var parameters: PageParameters { context.parameters }

    func page() throws(StoreFault) -> Page {
        let totals = try columns()
        let found = try context.reports.requests(query)
        let backwards = query.nearestToAfter
        let hasMore = found.records.count > Self.size
        let records = Array(backwards ? found.records.suffix(Self.size) : found.records.prefix(Self.size))
        let table = LogTable(records: records, clock: context.clock)
        let strip = RequestColumns(
            id: "strip", title: "Requests of \(period.title), \(period.stepWords) a column",
            axis: TimeAxis(period: period, clock: context.clock), totals: totals
        ) { since, until in
            context.address.without("period", "before", "after").with("since", "\(since)").with("until", "\(until)")
        }
        let body: HTML =
            records.isEmpty
            ? try nothing()
            : "<div id=\"rows\">\(table.html)</div>\n\(pager(records, totals, hasMore, backwards, found.lookedTo))"
        return Page(
            title: "Log", place: .log,
            main: """
                \(HTML.pageHead("Log", "<div class=\"acts\">\(HTML.button(context.address.with(suffix: ".csv"), "CSV"))</div>"))\
                \(try form())\(context.chips)
                \(strip.html)\(body)
                """,
            tables: [table.data])
    }

    // MARK: Questions

    private var query: LogQuery {
        var query = LogQuery()
        query.filters = parameters.filters
        query.text = parameters["q"]
        query.limit = Self.size + 1
        if parameters["q"] != nil { query.scanLimit = Self.searchReach }
        query.after = RequestID(rawValue: RequestID(microseconds: period.since * 1_000_000).rawValue - 1)
        query.before = RequestID(microseconds: period.until * 1_000_000)
        if let before = parameters["before"].flatMap({ RequestID($0) }), let end = query.before,
            before.rawValue < end.rawValue
        {
            query.before = before
        }
        if let after = parameters["after"].flatMap({ RequestID($0) }) {
            query.after = after
            query.nearestToAfter = true
        }
        return query
    }

    private func columns() throws(StoreFault) -> [ReportSums] {
        var totals = [ReportSums](repeating: ReportSums(), count: period.count)
        for row in try context.reports.rows(context.query(period.edges)) { totals[row.bucket].add(row.sums) }
        return totals
    }

    private func options(_ dimension: Dimension) throws(StoreFault) -> [FilterForm.Option] {
        var sums: [String?: Int64] = [:]
        for row in try context.reports.rows(ReportQuery(edges: [period.since, period.until], by: [dimension])) {
            sums[row.keys[0], default: 0] += row.sums[.requests]
        }
        let names = sums.sorted { ($0.value, $1.key ?? "") > ($1.value, $0.key ?? "") }.map(\.key)
        return names.prefix(50).map { name in
            FilterForm.Option(
                value: name ?? PageParameters.none,
                words: name.map { dimension.shown(ShownName.clean($0)) } ?? dimension.noneText)
        }
    }

    private func form() throws(StoreFault) -> HTML {
        let periods = PagePeriod.names.map { name in
            FilterForm.Option(value: name, words: PagePeriod(name, now: context.now, in: context.request.zone).title)
        }
        let outcomes = [
            ("open", "Open"), ("complete", "Complete"), ("failed", "Failed"), ("refused", "Refused"),
            ("truncated", "Truncated"),
            ("client_gone", "Caller left"), ("unpriced", "Unpriced"),
        ].map { FilterForm.Option(value: $0.0, words: $0.1) }
        return FilterForm(
            context: context,
            fields: [
                .choice(name: "period", label: "Period", options: periods),
                .choice(name: "caller", label: "Caller", options: try options(.caller)),
                .choice(name: "client", label: "Program", options: try options(.client)),
                .text(name: "model", label: "Model", placeholder: "Any, * for any text"),
                .choice(name: "provider", label: "Provider", options: try options(.provider)),
                .choice(name: "outcome", label: "Outcome", options: outcomes),
                .text(name: "status", label: "Status", placeholder: "429, 5xx"),
                .text(name: "q", label: "Text", placeholder: "Session, job, path"),
            ]
        ).html
    }

    // MARK: Around the rows

    private func pager(
        _ records: [RequestRecord], _ totals: [ReportSums], _ hasMore: Bool, _ backwards: Bool, _ lookedTo: RequestID?
    ) -> HTML {
        let all = totals.reduce(0) { $0 + $1[.requests] }
        let isCounted = parameters["q"] == nil && !parameters.asksForUnpriced
        let rows = records.count
        var words =
            isCounted
            ? "\(rows) of \(Figures.counted(max(all, Int64(rows)), "request"))"
            : "\(rows)\(hasMore ? ", and more" : " in all")"
        if let lookedTo { words += ", looked back to \(context.clock.dayAndClock(lookedTo.microseconds / 1_000_000))" }
        var links: HTML = .nothing
        let base = context.address.without("before", "after")
        if parameters["before"] != nil && !backwards || backwards && hasMore, let first = records.first {
            links += "<a class=\"button\" rel=\"prev\" href=\"\(base.with("after", first.id.description))\">← Newer</a>"
        }
        if let oldest = lookedTo ?? records.last?.id, hasMore || backwards || lookedTo != nil {
            links += "<a class=\"button\" rel=\"next\" href=\"\(base.with("before", oldest.description))\">Older →</a>"
        }
        return
            "<nav class=\"pager\" aria-label=\"Pages of the log\"><span>\(words)</span><span class=\"end\">\(links)</span></nav>\n"
    }

    private func nothing() throws(StoreFault) -> HTML {
        var query = LogQuery()
        query.filters = parameters.filters
        query.limit = 1
        query.scanLimit = Self.searchReach
        var actions: [HTML] = []
        var text: HTML = "In the time shown, no request is so."
        if parameters["q"] == nil, let last = try context.reports.requests(query).records.first {
            let time = last.id.microseconds / 1_000_000
            text = "In the time shown, no request is so. The last one was \(context.clock.moment(time))."
            let address = context.address.without("period", "before", "after").with("since", "\(time - 3600)").with(
                "until", "\(time + 60)")
            actions.append(.button(address, "Show it"))
        }
        if parameters.isFiltered || parameters["q"] != nil {
            actions.append(.button(Address("log"), "Without these filters"))
        }
        return .empty("No request matches", text, actions)
    }
}
