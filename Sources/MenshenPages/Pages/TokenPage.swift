// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// One token: what is left of its limits, what it asked in the last 30 days, and what it may.
struct TokenPage {
    private let context: PageContext
    private let name: String

    init(_ context: PageContext, _ name: String) {
        self.context = context
        self.name = name
    }

    func page() throws(StoreFault) -> Page {
        // The one in force, else the latest of those that had the name.
        let same = context.live.tokens.filter { $0.name == name }
        guard let token = same.first(where: { $0.revokedAt == nil }) ?? same.max(by: { $0.created < $1.created }) else {
            return ErrorPage.notThere(
                "There is no token \(ShownName.cut(ShownName.clean(name), to: 40))",
                "Tokens of the configuration have no page.", .tokens)
        }
        let period = PagePeriod("30d", now: context.now, in: context.request.zone)
        var query = ReportQuery(edges: period.edges, by: [.token], where: [ReportFilter(.token, [name])])
        query.wantsLatency = false
        var totals = [ReportSums](repeating: ReportSums(), count: period.count)
        for row in try context.reports.rows(query) where row.keys[0] == name { totals[row.bucket].add(row.sums) }
        let today = totals[totals.count - 1]
        let log = Address("log", parameters: [.init(name: "token", value: name)])
        let chart = ColumnChart(
            id: "days", title: "Spend of \(name) by day, 30 days", axis: TimeAxis(period: period, clock: context.clock),
            measure: .spend,
            series: [.init(name: name, style: "ink", values: totals.map { $0[.cost] })], totals: totals, before: nil,
            height: 150
        ) { since, until in log.with("since", "\(since)").with("until", "\(until)") }
        let note: HTML = token.terms.note.map { " &nbsp;·&nbsp; \(HTML.name($0))" } ?? .nothing
        let mayChange = token.revokedAt == nil
        let edit =
            mayChange && context.formToken != nil ? HTML.button(Address("tokens", name, "edit"), "Edit") : .nothing
        let changes = mayChange ? TokenForms.changes(context, name) : .nothing
        let pots = context.live.pots.filter { $0.holder == Holder(.token, name) }
        return Page(
            title: "Token \(ShownName.clean(name))", place: .tokens,
            main: """
                <div class="head"><h1>Token \(HTML.name(name))</h1><div class="acts">\(HTML.button(log, "Its requests"))\(edit)</div>
                <p>\(TokensPage.state(token, context.now))\(note) &nbsp;·&nbsp; made \(context.clock.moment(token.created)) by \(token.createdBy)</p></div>
                \(facts(today, pots))<div class="grid">
                \(HTML.section("h", "30 days", kind: "block span2", chart.html))\
                <div class="column">\(terms(token))\(potList(pots))</div>
                </div>
                \(changes)
                """,
            tables: [chart.data])
    }

    private func facts(_ today: ReportSums, _ pots: [PotState]) -> HTML {
        var facts = [
            Fact("Spent today", today.spendText, "list price"),
            Fact("Requests today", "\(Figures.count(today[.requests]))", "\(Figures.count(today[.failed])) failed"),
        ]
        if let pot = pots.max(by: { $0.share < $1.share }) {
            let parts = PotParts(pot, context.clock)
            facts += [
                Fact("Used", "\(parts.percent)", "\(parts.amount(pot.spent)) of \(parts.limit)"),
                Fact("Reserved", pot.reserved > 0 ? "\(parts.amount(pot.reserved))" : "–", "by requests under way"),
                Fact("Left", "\(parts.amount(pot.remaining))", "for requests not yet admitted"),
                Fact("Resets", parts.resets.isEmpty ? "never" : "\(parts.resets)", "\(parts.resetsIn)"),
            ]
        }
        return .facts(facts)
    }

    private func terms(_ token: GivenToken) -> HTML {
        func list(_ values: [String]) -> HTML {
            values.isEmpty
                ? "<span class=\"muted\">any</span>"
                : values.map { "<code>\($0)</code>" as HTML }.joined(separator: ", ")
        }
        let terms = token.terms
        return .section(
            "m", "What it may ask",
            .pairs([
                ("Models", list(terms.models)), ("Providers", list(terms.providers)),
                ("Operations", list(terms.operations)),
                ("Paths", list(terms.paths)),
                ("Limits", terms.limits.isEmpty ? "<span class=\"muted\">none</span>" : list(terms.limits)),
                ("At once", terms.concurrency.map { "\($0)" } ?? .nothing),
                ("Errors in a row", terms.maxErrors.map { "\($0)" } ?? .nothing),
                ("Expires", terms.expires.map { context.clock.moment($0) } ?? "<span class=\"muted\">never</span>"),
                (
                    "Old one valid",
                    token.graceUntil.map { $0 > context.now ? "until \(context.clock.moment($0))" : .nothing }
                        ?? .nothing
                ),
            ]))
    }

    private func potList(_ pots: [PotState]) -> HTML {
        if pots.isEmpty { return .nothing }
        let items: [HTML] = pots.map { PotParts($0, context.clock).item }
        return .section("p", "Budgets", "<ul class=\"pots\">\n\(items)</ul>\n")
    }
}
