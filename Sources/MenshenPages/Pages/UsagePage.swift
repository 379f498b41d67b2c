// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// Sums by any dimension, each row a way further in.
struct UsagePage {
    enum Column: String, CaseIterable { case name, requests, failed, input, cached, output, spend }

    /// Rows that a page shows; the rest is in its CSV.
    private static let most = 60

    private let context: PageContext
    private let measure: Measure
    private let dimension: Dimension
    private let column: Column
    private let isDescending: Bool
    private let wantsUnpriced: Bool

    init(_ context: PageContext) {
        self.context = context
        let parameters = context.parameters
        measure = parameters["measure"].flatMap { Measure(rawValue: $0) } ?? .spend
        dimension = parameters["by"].flatMap { Dimension(rawValue: $0) } ?? .model
        let usual = ["spend": "-spend", "requests": "-requests", "tokens": "-input"][measure.rawValue] ?? "-spend"
        let sort = parameters["sort"] ?? usual
        isDescending = sort.hasPrefix("-")
        column = Column(rawValue: String(sort.drop { $0 == "-" })) ?? .spend
        wantsUnpriced = parameters["cost"] == "unpriced"
    }

    private var period: PagePeriod { context.period }

    func page() throws(StoreFault) -> Page {
        let hasBefore = try context.hasBefore()
        let sums = SeriesSums(try context.reports.rows(context.query(period.withBefore.edges, by: [dimension])), period)
        let colours = dimension == .model ? try Today.allColours(context) : [:]
        let names = sorted(sums)
        let head =
            HTML.pageHead("Usage", context.periodSegments, note: context.periodNote(hasBefore)) + tools
            + (try context.gapNote())
        var data = DataTable(
            "usage", [dimension.rawValue] + ReportSums.columns + ["cache_read_tokens", "reasoning_tokens"])
        for name in names {
            guard let sum = sums.byName[name] else { continue }
            data.rows.append([.text(name)] + sum.data + [.number(sum[.cacheRead]), .number(sum[.reasoning])])
        }
        guard !names.isEmpty else {
            return Page(title: "Usage", place: .usage, main: head + (try nothing()), tables: [data])
        }
        let chart = ColumnChart(
            id: "chart", title: "\(measure.title) by \(dimension.title.lowercased()), \(period.title)",
            axis: TimeAxis(period: period, clock: context.clock), measure: measure,
            series: sums.stacks(measure, colours),
            totals: sums.totals, before: sums.compared(measure, hasBefore), height: 150
        ) { since, until in
            context.address.without("period").with("since", "\(since)").with("until", "\(until)")
        }
        return Page(
            title: "Usage by \(dimension.title.lowercased())", place: .usage,
            main: """
                \(head)\(chart.html)
                <section class="block" aria-label="By \(dimension.title.lowercased())">
                \(table(sums, names, colours))\(unpricedNote(sums.total))</section>

                """,
            tables: [data, chart.data])
    }

    private var tools: HTML {
        func segment(_ dimension: Dimension) -> HTML.Segment {
            HTML.Segment(
                words: dimension.title,
                address: context.address.without("sort", "match").with("by", dimension.rawValue),
                isCurrent: dimension == self.dimension)
        }
        let rare = Dimension.rare.map(segment)
        let links: [HTML] = rare.map {
            "<a href=\"\($0.address)\"\(" aria-current=\"true\"", if: $0.isCurrent)>\($0.words)</a>"
        }
        let more: HTML = """
            <details class="pop"><summary\(" aria-current=\"true\"", if: rare.contains { $0.isCurrent })>More</summary>\
            <div class="list">\(links)</div></details>
            """
        return """
            <div class="tools">\(HTML.segments("Group by", Dimension.common.map(segment), more))\
            \(Measure.segments(context, measure))<form class="inline" role="search">\(HTML.hidden(context.address.without("match").parameters))\
            <label class="vh" for="f">Only rows that match</label><input id="f" name="match" type="search" \
            placeholder="Only names with… (* for any text)" value="\(context.parameters["match"] ?? "")"></form>\(context.chips)</div>

            """
    }

    // MARK: Rows

    private func sorted(_ sums: SeriesSums) -> [String?] {
        let pattern = context.parameters["match"].map {
            ReportFilter.Choice(dimension, [$0.contains("*") ? $0 : "*\($0)*"])
        }
        let names = sums.byName.filter { name, sum in
            (pattern?.matches(name) ?? true) && (!wantsUnpriced || sum.missing > 0)
        }
        func isBefore(_ one: (key: String?, value: ReportSums), _ other: (key: String?, value: ReportSums)) -> Bool {
            if column == .name {
                let (a, b) = (one.key ?? "", other.key ?? "")
                return isDescending ? a > b : a < b
            }
            let (a, b) = (figure(one.value), figure(other.value))
            if a != b { return isDescending ? a > b : a < b }
            let (c, d) = (one.value[.requests], other.value[.requests])
            return c == d ? (one.key ?? "") < (other.key ?? "") : c > d
        }
        return names.sorted(by: isBefore).map(\.key)
    }

    private func figure(_ sums: ReportSums) -> Double {
        switch column {
        case .name: 0
        case .requests: Double(sums[.requests])
        case .failed: Double(sums[.failed]) / Double(max(1, sums[.requests]))
        case .input: Double(sums[.inputTotal])
        case .cached: Double(sums[.cacheRead]) / Double(max(1, sums[.inputTotal]))
        case .output: Double(sums[.outputTotal])
        case .spend: Double(sums[.cost])
        }
    }

    private func head(_ column: Column, _ title: String, _ style: String = "n") -> HTML {
        let isCurrent = column == self.column
        let next = isCurrent && isDescending ? column.rawValue : "-" + column.rawValue
        let sort: HTML = isCurrent ? " aria-sort=\"\(isDescending ? "descending" : "ascending")\"" : .nothing
        return
            "<th scope=\"col\" class=\"\(style)\"\(sort)><a href=\"\(context.address.with("sort", next))\">\(title)</a></th>"
    }

    private func table(_ sums: SeriesSums, _ names: [String?], _ colours: [String: String]) -> HTML {
        let shown = names.prefix(Self.most)
        let rows: [HTML] = shown.map { row($0, sums, colours) }
        let all = names.reduce(into: ReportSums()) { total, name in
            if let sum = sums.byName[name] { total.add(sum) }
        }
        let rest: HTML =
            names.count > shown.count
            ? "<p class=\"meta\">The CSV of this page has \(Figures.counted(Int64(names.count - shown.count), "more row", "more rows")).</p>\n"
            : .nothing
        return """
            <table class="stack lim usage">
            <colgroup><col><col class="w-num"><col class="w-num"><col class="w-sm"><col class="w-num"><col class="w-cost">\
            <col class="w-note"><col class="w-share"><col class="w-sm"><col class="w-spark c-l3"></colgroup>
            <thead><tr>\(head(.name, dimension.title, ""))\(head(.requests, "Requests"))\(head(.input, "Input"))\(head(.cached, "Cached"))\
            \(head(.output, "Output"))\(head(.spend, "Spend"))<th scope="col"><span class="vh">Not priced</span></th>\
            <th scope="col">Share</th>\(head(.failed, "Failed"))<th scope="col" class="c-l3">Over time</th></tr></thead>
            <tbody>
            \(rows)</tbody>
            <tfoot><tr><th scope="row" class="c-name">\(names.count) in all</th>\(figures(all))<td></td><td class="n" data-l="Failed">\(all.failedShare)</td><td class="c-hide c-l3"></td></tr></tfoot>
            </table>
            \(rest)
            """
    }

    private func figures(_ sum: ReportSums) -> HTML {
        let unpriced: HTML = sum.missing > 0 ? "\(Figures.count(sum.missing)) unpriced" : .nothing
        return """
            <td class="n" data-l="Requests">\(Figures.count(sum[.requests]))</td><td class="n" data-l="In">\(sum.inputText)</td>\
            <td class="n" data-l="Cached">\(sum.cachedText)</td><td class="n" data-l="Out">\(sum.outputText)</td>\
            <td class="n c-main">\(sum.spendText)</td><td class="why">\(unpriced)</td>
            """
    }

    private func row(_ name: String?, _ sums: SeriesSums, _ colours: [String: String]) -> HTML {
        let sum = sums.byName[name] ?? ReportSums()
        let total = sums.byName.values.reduce(0) { $0 &+ measure.value($1) }
        let part = measure.value(sum)
        let spark = HTML.spark(sums.buckets(name).map(measure.value), isUnderWay: period.endsNow)
        let swatch: HTML =
            dimension == .model ? "<span class=\"sw \(name.map { colours[$0] ?? "sr" } ?? "blank")\"></span>" : .nothing
        let shown = name.map { dimension.shown($0) } ?? dimension.noneText
        return """
            <tr><th scope="row" class="c-name"><span class="name">\(swatch)<a class="cut" href="\(further(name))" title="\(shown)">\(HTML.name(name, of: dimension))</a></span></th>\
            \(figures(sum))<td class="c-hide"><span class="share">\(HTML.bar(part, of: total))<span class="n">\(Figures.share(part, of: total))</span></span></td>\
            <td class="n" data-l="Failed">\(sum.failedShare)</td><td class="c-hide c-l3">\(spark)</td></tr>

            """
    }

    /// Where a row leads: a breakdown of what is in it, and at last its requests.
    private func further(_ name: String?) -> Address {
        let value = name ?? PageParameters.none
        if dimension == .session, let name { return Address("sessions", name) }
        let next: [Dimension] = [.model, .caller, .client]
        let taken = Set(context.parameters.filterParameters.map(\.name) + [dimension.rawValue])
        guard let by = next.first(where: { !taken.contains($0.rawValue) }) else {
            return context.link("log").with(dimension.rawValue, value)
        }
        return context.link("usage").with(dimension.rawValue, value).with("by", by.rawValue)
    }

    private func unpricedNote(_ sum: ReportSums) -> HTML {
        guard sum.missing > 0 else { return .nothing }
        return .note(
            "warn", "\(Figures.counted(sum.missing, "request is", "requests are")) not in the sums as a whole",
            """
            <p>Without a price: \(Figures.count(sum[.unpriced])). Without reported usage: \(Figures.count(sum[.usageUnknown])). \
            Broken off: \(Figures.count(sum[.partial])). The true spend is at least what is shown. \
            <a href="\(context.link("log").with("outcome", "unpriced"))">Which ones</a>. <code>menshen prices set</code> gives a model a price, \
            and <code>menshen prices recompute</code> counts what was before.</p>
            """)
    }

    private func nothing() throws(StoreFault) -> HTML {
        let since = context.clock.dayAndClock(period.since)
        let records: HTML =
            try context.reports.span().map { "There are records back to \(context.clock.dayAndClock($0.lowerBound))." }
            ?? "There are no records yet."
        var actions: [HTML] = []
        let base = context.address.without("before", "after", "match")
        if period.name != "90d" {
            actions.append(.button(base.without("since", "until").with("period", "90d"), "90 days"))
        }
        if context.parameters.isFiltered || context.parameters["match"] != nil {
            actions.append(
                .button(
                    Address("usage", parameters: [.init(name: "by", value: dimension.rawValue)]),
                    "Without these filters"))
        }
        return .empty("No request matches", "Nothing was asked so since \(since). \(records)", actions)
    }
}
