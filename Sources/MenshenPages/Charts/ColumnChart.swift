// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Columns over time, stacked by series, each a link to its requests; and the same as a table. The last series are the others.
struct ColumnChart {
    struct Series {
        let name: String
        /// Of the style sheet.
        let style: String
        /// By bucket.
        var values: [Int64]
    }

    /// A word of ours.
    let id: String
    let title: String
    let axis: TimeAxis
    let measure: Measure
    let series: [Series]
    /// By bucket.
    let totals: [ReportSums]
    let before: [Int64]?
    /// Of the plot, in px.
    let height: Int
    let link: (Int64, Int64) -> Address

    private var period: PagePeriod { axis.period }
    private var columns: [Int64] { totals.map(measure.value) }
    private var scale: ChartScale {
        ChartScale(
            highest: (columns + (before ?? [])).max() ?? 0, unit: measure == .spend ? 1e12 : 1,
            isCount: measure != .spend)
    }

    var html: HTML {
        """
        <figure id="\(id)">
        <svg class="chart" width="100%" height="\(height + 26)" role="group" aria-labelledby="\(id)-t \(id)-d">
        <title id="\(id)-t">\(title)</title><desc id="\(id)-d">\(description)</desc>
        \(rules)\(axis.lines(height))\(bars)\
        \("<text class=\"now sparse\" aria-hidden=\"true\" x=\"100%\" y=\"\(height + 18)\">now</text>", if: period.endsNow)</svg>
        <figcaption>
        \(key)\(table)
        </figcaption></figure>

        """
    }

    private var description: String {
        let highest = measure.text(columns.max() ?? 0)
        return "\(period.count) columns of \(period.stepWords). Highest: \(highest). The table below has every figure."
    }

    private var rules: HTML {
        let scale = scale
        return scale.ticks.map { tick -> HTML in
            let y = Double(height) - scale.height(tick, of: Double(height))
            let kind = tick == 0 ? "zero" : "rule"
            return """
                <line class="\(kind)" x1="0" x2="100%" y1="\(HTML.decimal(y))" y2="\(HTML.decimal(y))"/>\
                <text class="y" aria-hidden="true" x="-8" y="\(HTML.decimal(y + 4))">\(scale.label(tick, measure))</text>

                """
        }.joined()
    }

    private var bars: HTML {
        let scale = scale
        return (0..<period.count).map { column($0, scale) }.joined()
    }

    private func column(_ bucket: Int, _ scale: ChartScale) -> HTML {
        let (left, width) = (axis.x(bucket), axis.width)
        let isUnderWay = period.endsNow && bucket == period.count - 1
        let (x, wide) = (HTML.decimal(left + width * 0.12), HTML.decimal(width * 0.76))
        var y = Double(height)
        var parts: HTML = .nothing
        for one in series {
            let tall = scale.height(one.values[bucket], of: Double(height))
            guard tall >= 0.35 else { continue }
            y -= tall
            parts += """
                <rect class="\(one.style)" x="\(x)%" width="\(wide)%" y="\(HTML.decimal(y))" height="\(HTML.decimal(tall))"/>
                """
        }
        let group: HTML = "<g class=\"seg-sep\(" partial", if: isUnderWay)\">\(parts)</g>"
        let frame: HTML = """
            <rect class="frame" x="\(x)%" width="\(wide)%" y="\(HTML.decimal(y - 3))" height="\(HTML.decimal(Double(height) - y + 3))"/>
            """
        let address = link(period.edges[bucket], period.edges[bucket + 1])
        return """
            <a href="\(address)" tabindex="-1"><title>\(words(bucket))</title>\
            <rect class="hit" x="\(HTML.decimal(left))%" width="\(HTML.decimal(width))%" height="\(height)"/>\
            \(group, if: !parts.isEmpty)\(frame, if: isUnderWay && !parts.isEmpty)\(earlier(bucket, scale))</a>

            """
    }

    private func earlier(_ bucket: Int, _ scale: ChartScale) -> HTML {
        guard let before, before[bucket] > 0 else { return .nothing }
        let y = HTML.decimal(Double(height) - scale.height(before[bucket], of: Double(height)))
        let (left, right) = (axis.x(bucket) + axis.width * 0.04, axis.x(bucket) + axis.width * 0.96)
        return
            "<line class=\"prev\" x1=\"\(HTML.decimal(left))%\" x2=\"\(HTML.decimal(right))%\" y1=\"\(y)\" y2=\"\(y)\"/>"
    }

    private func words(_ bucket: Int) -> String {
        let isLower = measure != .requests && totals[bucket].isLowerBound
        var lines = ["\(axis.title(bucket)): \(isLower ? "≥ " : "")\(measure.text(columns[bucket]))"]
        if series.count > 1 {
            lines += series.filter { $0.values[bucket] > 0 }.map {
                "\(ShownName.clean($0.name)) \(measure.text($0.values[bucket]))"
            }
        }
        return lines.joined(separator: "\n")
    }

    private var key: HTML {
        var items: [HTML] = []
        if before != nil {
            items.append(
                """
                <li><svg aria-hidden="true"><line x1="0" x2="14" y1="5" y2="5" stroke="currentColor" stroke-width="1.5"/></svg>\
                same time of \(period.beforeWords)</li>

                """)
        }
        if period.endsNow {
            items.append(
                """
                <li><svg aria-hidden="true"><rect x="2.5" y=".5" width="9" height="9" fill="none" stroke="currentColor" \
                stroke-dasharray="3 2"/></svg>not over yet: \(period.lastShare)% of its \(period.stepName)</li>

                """)
        }
        return items.isEmpty ? .nothing : "<ul class=\"key\">\n\(items)</ul>\n"
    }

    private var table: HTML {
        let names = series.count > 1 ? series : []
        let heads: [HTML] = names.map {
            "<th scope=\"col\" class=\"n\">\(ShownName.cut(ShownName.clean($0.name), to: 21))</th>"
        }
        let rows: [HTML] = (0..<period.count).map { bucket in
            let cells: [HTML] = names.map {
                "<td class=\"n\">\($0.values[bucket] == 0 ? "–" : measure.text($0.values[bucket]))</td>"
            }
            let earlier: HTML =
                before.map { "<td class=\"n\">\($0[bucket] == 0 ? "–" : measure.text($0[bucket]))</td>" } ?? .nothing
            return """
                <tr><th scope="row" class="nowrap">\(axis.title(bucket))</th>\(cells)\
                <td class="n">\(totals[bucket].text(measure))</td>\(earlier)</tr>

                """
        }
        return .disclosed(
            "The figures as a table",
            """
            <table class="plain"><thead><tr><th scope="col">From</th>\(heads)<th scope="col" class="n">All</th>\
            \("<th scope=\"col\" class=\"n\">Before</th>" as HTML, if: before != nil)</tr></thead><tbody>
            \(rows)</tbody></table>
            """)
    }

    /// For programs.
    var data: DataTable {
        DataTable(
            "buckets", ["since", "until", "requests", "failed", "input_tokens", "output_tokens", "cost", "unpriced"],
            rows: totals.enumerated().map { bucket, sums in
                [
                    .text(axis.clock.stamp(period.edges[bucket] * 1_000_000)),
                    .text(axis.clock.stamp(period.edges[bucket + 1] * 1_000_000)),
                ] + sums.data
            })
    }
}

extension ReportSums {
    static let columns = ["requests", "failed", "input_tokens", "output_tokens", "cost", "unpriced"]

    /// Of `columns`. `unpriced`: how many of the requests are not in the cost as a whole.
    var data: [DataTable.Datum] {
        [
            .number(self[.requests]), .number(self[.failed]), .number(self[.inputTotal]), .number(self[.outputTotal]),
            .money(cost), .number(missing),
        ]
    }
}

extension HTML {
    /// A table that is there for those who do not see the picture.
    static func disclosed(_ title: String, _ content: HTML) -> HTML {
        """
        <details class="data"><summary>\(title)</summary><div tabindex="0" role="region" aria-label="\(title)">\(content)</div></details>
        """
    }
}
