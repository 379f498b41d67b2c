// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// A row of a list in the order of a figure.
struct Ranked {
    let name: HTML
    let value: Int64
    let text: HTML
    var swatch: String?
}

extension HTML {
    /// The first `most`, then the others as one; `last` (not known) at the end. `id` is a word of ours.
    static func ranking(
        _ id: String, _ rows: [Ranked], last: Ranked? = nil, most: Int = 5, others: (Int64) -> HTML, othersLink: Address
    ) -> HTML {
        let total = rows.reduce(last?.value ?? 0) { $0 &+ $1.value }
        let shown = rows.prefix(rows.count == most + 1 ? most + 1 : most)
        var items: [HTML] = shown.map { row($0, total) }
        if rows.count > shown.count {
            let rest = rows.dropFirst(shown.count)
            let sum = rest.reduce(0) { $0 &+ $1.value }
            let name: HTML = "<a href=\"\(othersLink)\">\(Figures.counted(Int64(rest.count), "other"))</a>"
            let swatch = rows.contains { $0.swatch != nil } ? "sr" : nil
            items.append(row(Ranked(name: name, value: sum, text: others(sum), swatch: swatch), total))
        }
        if let last { items.append(row(last, total)) }
        return "<ol class=\"rank\" id=\"\(id)\">\n\(items)</ol>\n"
    }

    private static func row(_ row: Ranked, _ total: Int64) -> HTML {
        let swatch: HTML = row.swatch.map { "<span class=\"sw \($0)\"></span>" } ?? .nothing
        return """
            <li><span class="name">\(swatch)<span>\(row.name)</span></span><span class="n">\(row.text)</span>\
            <span class="n pc">\(Figures.share(row.value, of: total))</span>\
            <svg aria-hidden="true"><rect class="track" y="1" width="100%" height="1"/>\
            <rect class="ink" width="\(percent(row.value, of: total))" height="2"/></svg></li>

            """
    }
}
