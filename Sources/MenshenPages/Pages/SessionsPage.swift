// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// Sessions as programs name them in their headers.
struct SessionsPage {
    enum Column: String, CaseIterable { case seen, began, requests, cost }

    private static let most = 60

    private struct Line {
        let name: String
        var caller: String?
        var client: String?
        var model: String?
        var most: Int64 = -1
        var sums = ReportSums()
        var first = Int.max
        var last = 0
        var columns: [Int64]
    }

    private let context: PageContext
    private let column: Column
    private let isDescending: Bool
    /// Times are as exact as its buckets.
    private let fine: PagePeriod

    init(_ context: PageContext) {
        self.context = context
        let sort = context.parameters["sort"] ?? "-seen"
        isDescending = sort.hasPrefix("-")
        column = Column(rawValue: String(sort.drop { $0 == "-" })) ?? .seen
        fine = context.period
    }

    private var period: PagePeriod { context.period }

    func page() throws(StoreFault) -> Page {
        let lines = try sorted()
        let shown = Array(lines.prefix(Self.most))
        let open = try context.openSessions()
        let data = DataTable(
            "sessions",
            ["session", "caller", "client", "model", "first_seen", "last_seen", "is_open"] + ReportSums.columns,
            rows: lines.map { line in
                [
                    .text(line.name), .text(line.caller), .text(line.client), .text(line.model),
                    .text(context.clock.stamp(fine.edges[line.first] * 1_000_000)),
                    .text(context.clock.stamp(fine.edges[line.last] * 1_000_000)), .flag(open.contains(line.name)),
                ] + line.sums.data
            })
        let rows: [HTML] = shown.map { row($0, isOpen: open.contains($0.name)) }
        let table: HTML = """
            <section class="block" aria-label="Sessions">
            <table class="stack lim sess" id="rows">
            <colgroup><col class="w-sess-st"><col class="w-sess"><col class="w-who2"><col><col class="w-lim"><col class="w-num">\
            <col class="w-sm c-l3"><col class="w-sm"><col class="w-cost"><col class="w-spark c-l3"></colgroup>
            <thead><tr><th scope="col">State</th><th scope="col">Session</th><th scope="col">Caller</th><th scope="col">Model</th>\
            \(head(.seen, "Last seen"))\(head(.requests, "Requests"))<th scope="col" class="n c-l3">In</th><th scope="col" class="n">Cached</th>\
            \(head(.cost, "Cost"))<th scope="col" class="c-l3">Cost over time</th></tr></thead>
            <tbody>
            \(rows)</tbody></table>
            <p class="meta">Seen: to \(period.step == 60 ? "the minute" : "within \(period.stepWords)"). A session’s own page has exact times.\
            \(" The CSV of this page has \(Figures.count(Int64(lines.count - shown.count))) more.", if: lines.count > shown.count)</p></section>

            """
        let since = context.clock.dayAndClock(period.since)
        let none = HTML.empty(
            "No session in this time", "No program has named one since \(since).",
            [.button(context.address.without("since", "until").with("period", "90d"), "90 days")])
        return Page(
            title: "Sessions", place: .sessions,
            main: """
                \(HTML.pageHead("Sessions", context.periodSegments, note: "As programs name them in their headers. Programs that name none are not here"))\
                \(context.chips)\(facts(lines, open))\(lines.isEmpty ? none : table)
                """,
            tables: [data])
    }

    private func facts(_ lines: [Line], _ open: Set<String>) -> HTML {
        let all = lines.reduce(into: ReportSums()) { $0.add($1.sums) }
        return .facts([
            Fact("Sessions", "\(lines.count)", "in \(period.title)"),
            Fact("With open requests", "\(open.count)", "now"),
            Fact("Requests", "\(Figures.count(all[.requests]))", "\(Figures.count(all[.failed])) failed"),
            Fact("Cost", all.spendText, "list price"),
            Fact("Tokens in", "\(all.inputText)", all[.inputTotal] > 0 ? "\(all.cachedText) from caches" : .nothing),
            Fact("Tokens out", "\(all.outputText)"),
        ])
    }

    private func sorted() throws(StoreFault) -> [Line] {
        var lines: [String: Line] = [:]
        for row in try context.reports.rows(context.query(fine.edges, by: [.session, .caller, .client, .model])) {
            guard let name = row.keys[0] else { continue }
            var line = lines[name] ?? Line(name: name, columns: [Int64](repeating: 0, count: fine.count))
            line.sums.add(row.sums)
            line.first = min(line.first, row.bucket)
            line.last = max(line.last, row.bucket)
            line.columns[row.bucket] += row.sums[.cost]
            if row.sums[.requests] > line.most {
                (line.most, line.caller, line.client, line.model) = (
                    row.sums[.requests], row.keys[1], row.keys[2], row.keys[3]
                )
            }
            lines[name] = line
        }
        func figure(_ line: Line) -> Int64 {
            switch column {
            case .seen: Int64(line.last)
            case .began: Int64(line.first)
            case .requests: line.sums[.requests]
            case .cost: line.sums[.cost]
            }
        }
        return lines.values.sorted {
            let (a, b) = (figure($0), figure($1))
            if a != b { return isDescending ? a > b : a < b }
            return ($0.sums[.requests], $1.name) > ($1.sums[.requests], $0.name)
        }
    }

    private func head(_ column: Column, _ title: String) -> HTML {
        let isCurrent = column == self.column
        let next = isCurrent && isDescending ? column.rawValue : "-" + column.rawValue
        let sort: HTML = isCurrent ? " aria-sort=\"\(isDescending ? "descending" : "ascending")\"" : .nothing
        return
            "<th scope=\"col\" class=\"n\"\(sort)><a href=\"\(context.address.with("sort", next))\">\(title)</a></th>"
    }

    private func row(_ line: Line, isOpen: Bool) -> HTML {
        let link: HTML = """
            <a class="mono" href="\(Address("sessions", line.name))" title="\(line.name)">\(HTML.name(String(line.name.prefix(8))))</a>
            """
        let client: HTML = line.client.map { HTML.name($0) } ?? .nothing
        return """
            <tr><td class="c-name">\(isOpen ? HTML.mark(.open, "Active") : HTML.mark(.off, "Over"))</td>\
            <th scope="row" class="c-wide"><span class="cut">\(client) \(link)</span></th>\
            <td><span class="cut">\(HTML.name(line.caller, of: .caller))</span></td>\
            <td class="c-hide"><span class="cut">\(HTML.name(line.model, of: .model))</span></td>\
            <td class="n" data-l="Seen">\(context.clock.moment(fine.edges[line.last]))</td>\
            <td class="n" data-l="Requests">\(Figures.count(line.sums[.requests]))</td>\
            <td class="n c-hide c-l3">\(line.sums.inputText)</td><td class="n" data-l="Cached">\(line.sums.cachedText)</td>\
            <td class="n c-main">\(line.sums.spendText)</td><td class="c-hide c-l3">\(HTML.spark(line.columns, isUnderWay: period.endsNow))</td></tr>

            """
    }
}
