// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// How many requests there were over time, and red from the top how many of them failed: a low strip above a list.
struct RequestColumns {
    /// A word of ours.
    let id: String
    let title: String
    let axis: TimeAxis
    let totals: [ReportSums]
    let link: (Int64, Int64) -> Address

    private let height = 44.0

    var html: HTML {
        let all = totals.reduce(into: ReportSums()) { $0.add($1) }
        let most = Double(totals.map { $0[.requests] }.max() ?? 0)
        let columns: [HTML] = totals.indices.map { column($0, max(1, most)) }
        return """
            <figure id="\(id)"><svg class="chart flush" width="100%" height="64" role="group" aria-labelledby="\(id)-t \(id)-d">\
            <title id="\(id)-t">\(title)</title><desc id="\(id)-d">\(Figures.counted(all[.requests], "request")), \
            \(Figures.count(all[.failed])) failed (red, from the top). Each column leads to its requests.</desc>
            \(axis.lines(44, reach: 4, label: 15))\(columns)<line class="zero" x1="0" x2="100%" y1="44" y2="44"/></svg>
            <figcaption>\(table)</figcaption></figure>

            """
    }

    private func column(_ bucket: Int, _ most: Double) -> HTML {
        let sums = totals[bucket]
        let tall = Double(sums[.requests]) / most * height
        let red = sums[.failed] == 0 ? 0 : max(2, Double(sums[.failed]) / most * height)
        let (x, wide) = (HTML.decimal(axis.x(bucket) + axis.width * 0.1), HTML.decimal(axis.width * 0.8))
        let y = HTML.decimal(height - tall)
        let words =
            "\(axis.title(bucket)): \(Figures.counted(sums[.requests], "request")), \(Figures.count(sums[.failed])) failed"
        let bar: HTML = """
            <rect class="ink" x="\(x)%" width="\(wide)%" y="\(y)" height="\(HTML.decimal(tall))"/>
            """
        let bad: HTML = """
            <rect class="f-bad" x="\(x)%" width="\(wide)%" y="\(y)" height="\(HTML.decimal(min(tall, red)))"/>
            """
        let address = link(axis.period.edges[bucket], axis.period.edges[bucket + 1])
        return """
            <a href="\(address)" tabindex="-1"><title>\(words)</title>\
            <rect class="hit" x="\(HTML.decimal(axis.x(bucket)))%" width="\(HTML.decimal(axis.width))%" height="44"/>\
            \(bar, if: tall > 0)\(bad, if: red > 0)</a>

            """
    }

    private var table: HTML {
        let rows: [HTML] = totals.indices.filter { totals[$0][.requests] > 0 }.map { bucket in
            """
            <tr><th scope="row" class="nowrap">\(axis.title(bucket))</th><td class="n">\(Figures.count(totals[bucket][.requests]))</td>\
            <td class="n">\(Figures.count(totals[bucket][.failed]))</td></tr>

            """
        }
        return .disclosed(
            "The figures as a table",
            """
            <table class="plain"><thead><tr><th scope="col">From</th><th scope="col" class="n">Requests</th>\
            <th scope="col" class="n">Failed</th></tr></thead><tbody>
            \(rows)</tbody></table>
            """)
    }
}
