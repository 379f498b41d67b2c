// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// What menshen knows of each provider now, in the order of the configuration.
struct ProvidersPage {
    private let context: PageContext

    init(_ context: PageContext) { self.context = context }

    func page() throws(StoreFault) -> Page {
        let sums = try ProviderSums(context)
        let parts: [HTML] = context.live.providers.enumerated().map { part($0.element, sums, "p\($0.offset)") }
        let none: HTML = .empty(
            "No provider is configured",
            "A provider is a <code>[[providers]]</code> table in <code>\(context.live.configurationPath)</code>.", [])
        return Page(
            title: "Providers", place: .providers,
            main: """
                \(HTML.pageHead("Providers", note: "What menshen knows of them now, in the order of the configuration. Of a key only its source is known to this page, not one character of it"))\
                <div class="column" id="all">
                \(parts.isEmpty ? none : parts.joined())</div>

                """,
            tables: [sums.data], followsChanges: true)
    }

    private func part(_ provider: LiveView.Provider, _ sums: ProviderSums, _ id: String) -> HTML {
        let line = sums.lines[provider.name] ?? ProviderSums.Line()
        let log = Address("log", parameters: [.init(name: "provider", value: provider.name)])
        let rooms: [HTML] = provider.limits.map { limit in
            HTML.room(limit, at: limit.resetsAt.map(context.clock.words) ?? "")
        }
        let places: HTML =
            provider.places.map {
                "<span class=\"share auto\">\(HTML.bar(Int64(provider.active), of: Int64($0)))<span class=\"n\">\(provider.placesText)</span></span>"
            } ?? "\(provider.active) in use, as many as it likes"
        func time(_ share: Double, _ name: String) -> HTML {
            line.firstBytes.percentile(share).map {
                "\(Figures.shortDuration($0)) <span class=\"muted\">\(name)</span>"
            } ?? "–"
        }
        return """
            <section class="prov" id="\(provider.name)" aria-labelledby="\(id)">
            <header><h2 id="\(id)">\(HTML.name(provider.name))</h2>\(provider.mark)<code class="soft url">\(provider.baseURL)</code>\
            <span class="tag">\(provider.kind)</span><a class="more" href="\(log)">Its requests</a></header>
            <div class="cols">
            <div class="stackd">\(HTML.pairs([
                ("Places", places), ("Waiting", "\(provider.queued)"), ("Weight", "\(provider.weight)"),
                ("First byte", "\(time(0.5, "p50")), \(time(0.95, "p95"))"),
                ("Failed", line.sums[.requests] == 0 ? "–" : "\(Figures.count(line.sums[.failed])) of \(Figures.count(line.sums[.requests]))"),
                ("Last failure", provider.lastFailure.map { "\($0)" } ?? .nothing),
            ]))</div>
            <div class="stackd"><h3>Limits it told</h3><div class="rooms">\(rooms.isEmpty ? "<span class=\"muted small\">none</span>" : rooms.joined())</div></div>
            <div class="stackd"><h3>Keys</h3><p class="small"><code>\(provider.keySource)</code></p></div>
            </div>
            \(strip(provider, line, sums.week, id))</section>

            """
    }

    private func strip(_ provider: LiveView.Provider, _ line: ProviderSums.Line, _ week: PagePeriod, _ id: String)
        -> HTML
    {
        if line.ticks.isEmpty { return "<p class=\"meta\">No request in 7 days.</p>\n" }
        let totals = line.ticks.map { tick in
            var sums = ReportSums()
            sums[.requests] = tick.requests
            sums[.failed] = tick.failed
            return sums
        }
        let columns = RequestColumns(
            id: id + "c", title: "Requests at \(provider.name) over 7 days, 4 hours a column",
            axis: TimeAxis(period: week, clock: context.clock), totals: totals
        ) { since, until in
            Address(
                "log",
                parameters: [
                    .init(name: "provider", value: provider.name), .init(name: "since", value: "\(since)"),
                    .init(name: "until", value: "\(until)"),
                ])
        }
        return "<p class=\"meta\">Requests in 7 days, 4 hours a column; red from the top: failed</p>\n\(columns.html)"
    }
}
