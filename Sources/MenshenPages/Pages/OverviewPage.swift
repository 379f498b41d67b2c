// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// What was spent, what failed, what is nearly used up.
struct OverviewPage {
    private let context: PageContext
    private let measure: Measure

    init(_ context: PageContext) {
        self.context = context
        measure = context.parameters["measure"].flatMap { Measure(rawValue: $0) } ?? .spend
    }

    private var period: PagePeriod { context.period }

    func page() throws(StoreFault) -> Page {
        guard try context.reports.span() != nil else { return EmptyPage.page(context) }
        let hasBefore = try context.hasBefore()
        let models = SeriesSums(try context.reports.rows(context.query(period.withBefore.edges, by: [.model])), period)
        let today = try Today(context)
        let chart = ColumnChart(
            id: "spend", title: "\(measure.title) by model, \(period.title)",
            axis: TimeAxis(period: period, clock: context.clock), measure: measure,
            series: models.stacks(measure, today.colours), totals: models.totals,
            before: models.compared(measure, hasBefore), height: 224
        ) { since, until in
            context.link("log").without("period").with("since", "\(since)").with("until", "\(until)")
        }
        let providers = try ProviderSums(context)
        let failures = try lastFailures()
        let lists = try rankings(models, today.colours)
        return Page(
            title: "Overview", place: .overview,
            main: """
                \(HTML.pageHead("Overview", context.periodSegments, note: context.periodNote(hasBefore)))\(context.chips)\(try context.gapNote())\
                \(tiles(models, hasBefore, today, providers))
                <div class="grid">
                <section class="block span2" aria-labelledby="h-spend"><header><h2 id="h-spend">\(measure.title) by model</h2>\
                <p>\(period.stepWords) a column</p><span class="more">\(Measure.segments(context, measure))</span></header>
                \(chart.html)</section>
                \(lists.models)</div>
                <div class="grid">
                \(lists.others)</div>
                \(providers.section)
                <div class="grid">
                \(pots)\(failures)</div>

                """,
            tables: [chart.data, lists.data, providers.data])
    }

    // MARK: Tiles

    private func tiles(_ models: SeriesSums, _ hasBefore: Bool, _ today: Today, _ providers: ProviderSums) -> HTML {
        let (now, before) = (models.total, hasBefore ? models.totalBefore : nil)
        let dollars = { (value: Int64) in Figures.money(Money(picodollars: value)) }
        let unpriced: HTML = """
            <a class="why" href="\(context.link("usage").with("cost", "unpriced"))">\(Figures.counted(now.missing, "request")) unpriced</a>
            """
        let failed: HTML = """
            <a href="\(context.link("log").with("outcome", "failed"))">\(Figures.counted(now[.failed], "request"))</a>
            """
        let cached: HTML = now[.inputTotal] > 0 ? "\(now.cachedText) read from caches" : .nothing
        let out: HTML = "\(now.outputText) out"
        var tiles = [
            Fact(
                "Spend, \(period.title)", now.spendText,
                before.map { HTML.change(now[.cost], $0[.cost], dollars) } ?? .nothing,
                now.missing > 0 ? unpriced : .nothing),
            Fact(
                "Spend today", today.now.spendText, .change(today.now[.cost], today.before[.cost], dollars),
                "by \(context.clock.words(context.now)) yesterday"),
            Fact(
                "Requests", "\(Figures.count(now[.requests]))",
                before.map { HTML.change(now[.requests], $0[.requests], Figures.count) } ?? .nothing,
                "\(Figures.counted(now[.attempts], "try", "tries")) at providers"),
            Fact("Tokens in", now.text(tokensIn: true), cached, out),
        ]
        if now[.cacheHits] > 0 || now[.cacheRead] > 0 {
            let atProviders = Money(picodollars: now[.saved] - now[.savedHere])
            let own: HTML = "\(Figures.money(now.savedHere)) own, \(Figures.counted(now[.cacheHits], "hit"))"
            tiles.append(
                Fact(
                    "Saved by caches", now.savedText, "\(Figures.money(atProviders)) at providers",
                    now[.cacheHits] > 0 ? own : .nothing))
        }
        tiles.append(
            Fact(
                "Failed", "\(now.failedShare)", failed,
                before.map { $0[.requests] > 0 ? "\($0.failedShare) before" : HTML.nothing } ?? .nothing))
        tiles.append(providers.firstByteTile)
        return .tiles(tiles)
    }

    // MARK: Lists

    private func rankings(
        _ models: SeriesSums, _ colours: [String: String]
    ) throws(StoreFault) -> (models: HTML, others: HTML, data: DataTable) {
        var data = DataTable("breakdown", ["dimension", "name"] + ReportSums.columns)
        func list(_ dimension: Dimension, _ sums: [String?: ReportSums], _ styles: [String: String]) -> HTML {
            let named = sums.compactMap { name, sums in name.map { ($0, sums) } }
                .sorted { (measure.value($0.1), $0.1[.requests], $1.0) > (measure.value($1.1), $1.1[.requests], $0.0) }
            for (name, sums) in named { data.rows.append([.text(dimension.rawValue), .text(name)] + sums.data) }
            if let none = sums[nil] { data.rows.append([.text(dimension.rawValue), .text(nil)] + none.data) }
            let rows = named.map { name, sums in
                let address = context.link("usage").with(dimension.rawValue, name).with(
                    "by", dimension == .model ? "caller" : "model")
                let link: HTML = "<a href=\"\(address)\" title=\"\(name)\">\(HTML.name(name, of: dimension))</a>"
                return Ranked(
                    name: link, value: measure.value(sums), text: sums.text(measure),
                    swatch: styles.isEmpty ? nil : styles[name] ?? "sr")
            }
            let none = sums[nil].map {
                Ranked(
                    name: .name(nil, of: dimension), value: measure.value($0), text: $0.text(measure),
                    swatch: styles.isEmpty ? nil : "blank")
            }
            let all = context.link("usage").with("by", dimension.rawValue).with(
                "measure", measure == .spend ? nil : measure.rawValue)
            if rows.isEmpty, none == nil {
                return .section(dimension.rawValue, dimension.plural, "<p class=\"muted\">–</p>")
            }
            return .section(
                dimension.rawValue, dimension.plural, more: .more(all, "All"),
                .ranking(
                    "r-\(dimension.rawValue)", rows, last: none, most: dimension == .model ? 6 : 5,
                    others: { "\(measure.text($0))" }, othersLink: all))
        }
        let modelList = list(.model, models.byName, colours)
        var others: HTML = .nothing
        for dimension in [Dimension.caller, .client, .project] {
            var sums: [String?: ReportSums] = [:]
            for row in try context.reports.rows(context.query([period.since, period.until], by: [dimension])) {
                sums[row.keys[0], default: ReportSums()].add(row.sums)
            }
            others += list(dimension, sums, [:])
        }
        return (modelList, others, data)
    }

    // MARK: Pots and failures

    private var pots: HTML {
        let near = context.live.pots.sorted { $0.share > $1.share }.prefix(3)
        if near.isEmpty {
            return .section(
                "pots", "Budgets", kind: "block all2",
                "<p class=\"soft\">Nobody has a limit. <code>menshen token create NAME --budget 5usd/day</code> gives a token one.</p>\n"
            )
        }
        let items: [HTML] = near.map { PotParts($0, context.clock).item }
        return .section(
            "pots", "Budgets nearly used", more: .more(Address("tokens"), "All \(context.live.pots.count)"),
            kind: "block all2",
            "<ul class=\"pots\" id=\"pots\">\n\(items)</ul>\n")
    }

    private func lastFailures() throws(StoreFault) -> HTML {
        var query = LogQuery()
        query.filters = context.parameters.filters + [.failed]
        query.after = RequestID(microseconds: period.since * 1_000_000)
        query.before = RequestID(microseconds: period.until * 1_000_000)
        query.limit = 7
        let records = try context.reports.requests(query).records
        let more = HTML.more(context.link("log").with("outcome", "failed"), "All")
        if records.isEmpty {
            return .section(
                "fail", "Last failures", kind: "block span2", "<p class=\"soft\">Nothing failed in this time.</p>\n")
        }
        let rows: [HTML] = records.map { record in
            let outcome = OutcomeWords(record)
            let parts = outcome.words.split(separator: ":", maxSplits: 1).map(String.init)
            let model: HTML = .name(record.value(.model), of: .model)
            let what: HTML = record.count > 1 ? "\(Figures.count(record.count)) requests" : model
            return """
                <tr><td class="c-main n">\(context.clock.moment(record.id.microseconds / 1_000_000))</td>\
                <th scope="row" class="c-name">\(HTML.mark(outcome.mark, parts[0]))</th>\
                <td><span class="cut">\(parts.count > 1 ? parts[1] : record.answered.status.map { "\($0)" } ?? "")</span></td>\
                <td><span class="cut">\(HTML.name(record.value(.caller), of: .caller))</span></td>\
                <td class="c-wide"><span class="cut"><a href="\(Address("requests", record.id.description))">\(what)</a></span></td></tr>

                """
        }
        return .section(
            "fail", "Last failures", more: more, kind: "block span2",
            """
            <table class="stack lim" id="fails">
            <colgroup><col class="w-who"><col class="w-end"><col class="w-why"><col class="w-who"><col></colgroup>
            <thead><tr><th scope="col" class="n">Time</th><th scope="col">End</th><th scope="col">Why</th>\
            <th scope="col">Caller</th><th scope="col">Model</th></tr></thead>
            <tbody>
            \(rows)</tbody></table>

            """)
    }
}

/// Today and yesterday until the same time, and the colours of models; one question answers both.
struct Today {
    let now: ReportSums
    let before: ReportSums
    let colours: [String: String]

    init(_ context: PageContext) throws(StoreFault) {
        let zone = context.request.zone
        let today = Periods.start(of: .day, at: context.now, in: zone)
        let yesterday = Periods.start(of: .day, at: today - 1, in: zone)
        let sameTime = min(today, max(yesterday, Periods.time(-1, after: context.now, in: zone)) + 1)
        var edges = [Periods.day(30, before: context.now, in: zone), yesterday, sameTime]
        if sameTime < today { edges.append(today) }
        edges.append(context.now + 1)
        let rows = try context.reports.rows(context.query(edges, by: [.model]))
        func sum(_ bucket: Int) -> ReportSums {
            rows.filter { $0.bucket == bucket }.reduce(into: ReportSums()) { $0.add($1.sums) }
        }
        now = sum(edges.count - 2)
        before = sum(1)
        // Filters don't give a model another colour.
        colours = context.parameters.isFiltered ? try Self.allColours(context) : SeriesSums.colours(rows)
    }
}

extension Today {
    /// Of models by their spend of the last 30 days.
    static func allColours(_ context: PageContext) throws(StoreFault) -> [String: String] {
        let since = Periods.day(30, before: context.now, in: context.request.zone)
        return SeriesSums.colours(try context.reports.rows(ReportQuery(edges: [since, context.now + 1], by: [.model])))
    }
}

extension ReportSums {
    fileprivate func text(tokensIn: Bool) -> HTML {
        "\(Self.atLeast, if: self[.usageUnknown] > 0 && self[.inputTotal] > 0)\(inputText)"
    }
}
