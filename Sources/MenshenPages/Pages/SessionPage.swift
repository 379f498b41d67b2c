// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// One session: its agents, what they cost, and when they asked.
struct SessionPage {
    /// The latest requests, which are drawn as marks.
    private static let drawn = 400
    private static let listed = 25

    private let context: PageContext
    private let name: String

    init(_ context: PageContext, _ name: String) {
        self.context = context
        self.name = name
    }

    func page() throws(StoreFault) -> Page {
        var query = LogQuery()
        query.filters = [ReportFilter(.session, [name])]
        query.limit = Self.drawn
        // A name is no pattern here.
        let records = try context.reports.requests(query).records.filter { $0.caller.session == name }
        guard let newest = records.first, let oldest = records.last else {
            return ErrorPage.notThere(
                "There is no session \(ShownName.cut(ShownName.clean(name), to: 40))", "No recorded request names it.",
                .sessions)
        }
        let isWhole = records.count < Self.drawn
        let sums = try agents(
            since: isWhole ? oldest.id.microseconds / 1_000_000 : nil, until: newest.id.microseconds / 1_000_000)
        let all = sums.values.reduce(into: ReportSums()) { $0.add($1) }
        let isOpen = try context.openSessions().contains(name)
        let table = LogTable(records: Array(records.prefix(Self.listed)), clock: context.clock)
        let log = Address(
            "log", parameters: [.init(name: "session", value: name), .init(name: "period", value: "90d")])
        let start = oldest.id.microseconds / 1_000_000
        let end = newest.id.microseconds / 1_000_000
        let who: HTML = newest.value(.caller).map { "of \(HTML.name($0, of: .caller))" } ?? .nothing
        let project: HTML = newest.caller.project.map { " in \(HTML.name($0))" } ?? .nothing
        return Page(
            title: "Session \(ShownName.cut(ShownName.clean(name), to: 40))", place: .sessions,
            main: """
                <div class="head"><h1 class="idline">Session <code id="id">\(name)</code></h1><button class="mini" data-copy="#id">Copy</button>
                <p>\(isOpen ? HTML.mark(.open, "Active") : HTML.mark(.off, "Over")) &nbsp;·&nbsp; \
                <span class="soft">\(newest.caller.client.map { HTML.name($0) } ?? .nothing)</span> \(who)\(project) &nbsp;·&nbsp; \
                \(isWhole ? "since" : "shown from") \(context.clock.moment(start)), \(Figures.wait(end - start))</p></div>
                \(facts(all, records))\
                \(HTML.section("tree", "Agents", note: isWhole ? "each mark a request, as wide as it lasted" : "marks are the last \(Self.drawn) requests, as wide as they lasted", lanes(sums, all, records)))\
                \(HTML.section("last", "Last requests", more: .more(log, "All \(Figures.count(all[.requests]))"), "<div id=\"rows\">\(table.html)</div>\n"))
                """,
            tables: [table.data, data(sums)])
    }

    /// By agent.
    private func agents(since: Int64?, until: Int64) throws(StoreFault) -> [String?: ReportSums] {
        var begin = since ?? context.now
        if since == nil, let first = try context.reports.span()?.lowerBound { begin = first }
        let query = ReportQuery(
            edges: [begin, max(context.now, until) + 1], by: [.agent, .session],
            where: [ReportFilter(.session, [name])])
        var sums: [String?: ReportSums] = [:]
        for row in try context.reports.rows(query) where row.keys[1] == name {
            sums[row.keys[0], default: ReportSums()].add(row.sums)
        }
        return sums
    }

    private func facts(_ all: ReportSums, _ records: [RequestRecord]) -> HTML {
        let hour = records.filter { $0.id.microseconds >= (context.now - 3600) * 1_000_000 }
        let lately = hour.reduce(Money.zero) { $0 + ($1.cost?.amount ?? .zero) }
        let prefix = records.first { $0.usage.inputTotal != nil }?.usage.inputTotal
        return .facts([
            Fact("Cost so far", all.spendText, "list price"),
            Fact(
                "Burn rate", hour.isEmpty ? "–" : "\(Figures.money(lately)) <small class=\"muted\">an hour</small>",
                "over the last 60 minutes"),
            Fact("Requests", "\(Figures.count(all[.requests]))", "\(Figures.count(all[.failed])) failed"),
            Fact("Tokens in", "\(all.inputText)", all[.inputTotal] > 0 ? "\(all.cachedText) from the cache" : .nothing),
            Fact(
                "Tokens out", "\(all.outputText)",
                all[.reasoning] > 0 ? "\(Figures.tokens(all[.reasoning])) reasoning" : .nothing),
            Fact("Prefix now", prefix.map { "\(Figures.tokens($0))" } ?? "–", "tokens in of the last request"),
        ])
    }

    private func lanes(_ sums: [String?: ReportSums], _ all: ReportSums, _ records: [RequestRecord]) -> HTML {
        let from = records.last?.id.microseconds ?? 0
        let ends = records.map { $0.id.microseconds + ($0.answered.totalMicroseconds ?? 0) }
        let to = max(ends.max() ?? 0, from + 1)
        let order = sums.sorted { ($0.value[.requests], $1.key ?? "") > ($1.value[.requests], $0.key ?? "") }
        let rows: [HTML] = order.map { agent, sum in
            let own = records.filter { $0.caller.agent == agent }
            let marks = own.map { record in
                (
                    start: record.id.microseconds,
                    end: record.id.microseconds + (record.answered.totalMicroseconds ?? 0),
                    style: record.isFailed ? "f-bad" : "ink"
                )
            }
            var models: [String: Int] = [:]
            for record in own { models[record.value(.model) ?? "", default: 0] += 1 }
            let model = models.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? ""
            let link = Address(
                "log",
                parameters: [
                    .init(name: "session", value: name), .init(name: "agent", value: agent ?? PageParameters.none),
                    .init(name: "period", value: "90d"),
                ])
            return """
                <tr><th scope="row" class="c-name"><a class="cut" href="\(link)">\(agent.map { HTML.name($0) } ?? "not named")</a></th>\
                <td class="soft"><span class="cut">\(model.isEmpty ? .nothing : HTML.name(model))</span></td>\
                \(figures(sum))<td class="c-wide">\(HTML.lane(marks, from: from, to: to))</td></tr>

                """
        }
        return """
            <table class="stack lim tree">
            <colgroup><col class="w-agent"><col class="w-model"><col class="w-num"><col class="w-sm"><col class="w-sm"><col class="w-sm"><col class="w-cost"><col></colgroup>
            <thead><tr><th scope="col">Agent</th><th scope="col">Model</th><th scope="col" class="n">Requests</th><th scope="col" class="n">In</th>\
            <th scope="col" class="n">Cached</th><th scope="col" class="n">Out</th><th scope="col" class="n">Cost</th>\
            <th scope="col">\(context.clock.words(from / 1_000_000)) – \(context.clock.words(to / 1_000_000))</th></tr></thead>
            <tbody>
            \(rows)</tbody>
            <tfoot><tr><th scope="row" class="c-name">All</th><td></td>\(figures(all))<td class="c-wide"></td></tr></tfoot>
            </table>

            """
    }

    private func figures(_ sum: ReportSums) -> HTML {
        """
        <td class="n" data-l="Requests">\(Figures.count(sum[.requests]))</td><td class="n" data-l="In">\(sum.inputText)</td>\
        <td class="n" data-l="Cached">\(sum.cachedText)</td><td class="n" data-l="Out">\(sum.outputText)</td>\
        <td class="n c-main">\(sum.spendText)</td>
        """
    }

    private func data(_ sums: [String?: ReportSums]) -> DataTable {
        DataTable("agents", ["agent"] + ReportSums.columns, rows: sums.map { [.text($0.key)] + $0.value.data })
    }
}
