// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// A table that fits a terminal: columns that tell least are left out first, then names are cut in the middle, and bars take
/// what is left. Where there is no terminal nothing is left out or cut.
struct ReportTable {
    struct Column {
        let title: String
        var isNumber = false
        /// The larger, the sooner it is left out; 0 never is.
        var rank = 0
        /// A name that may be cut to so many columns; nil: never.
        var least: Int?
    }

    struct Cell: ExpressibleByStringLiteral {
        var text: String
        var ink: ReportStyle.Ink?

        init(_ text: String, _ ink: ReportStyle.Ink? = nil) {
            self.text = text
            self.ink = ink
        }

        init(stringLiteral value: String) { self.init(value) }
    }

    struct Row {
        var cells: [Cell]
        /// Thousandths of the longest bar, and what goes on behind it.
        var bar: Int64 = 0
        var barRest: Int64 = 0
        var barSign = "▒"
        /// In place of a bar.
        var note = ""
        var isTotal = false
    }

    let columns: [Column]
    var rows: [Row] = []
    var hasBars = false
    /// Columns of the longest bar.
    var longestBar = 24
    /// The bar stands before this column rather than last.
    var barPlace: Int?

    init(_ columns: [Column]) { self.columns = columns }

    func print(_ style: ReportStyle) { for line in lines(style) { Terminal.print(line) } }

    func lines(_ style: ReportStyle) -> [String] {
        let (shown, widths, bar) = layout(style)
        let header = Row(cells: columns.map { Cell($0.title, .dim) })
        return ([header] + rows).map { row in
            line(row, shown, widths, bar, style)
        }
    }

    // MARK: Layout

    private func layout(_ style: ReportStyle) -> (shown: [Int], widths: [Int], bar: Int) {
        var shown = Array(columns.indices)
        var widths = columns.indices.map { column in
            max(
                ShownName.width(columns[column].title),
                rows.map { ShownName.width(style.plain($0.cells[column].text)) }.max() ?? 0)
        }
        guard let width = style.width else {
            return (shown.filter { column in hasContent(column) }, widths, 0)
        }
        shown = shown.filter { hasContent($0) }
        let leastBar = hasBars ? 8 : 0
        func needed(_ columns: [Int], cutting: Bool) -> Int {
            let sum = columns.reduce(0) { sum, column in
                let natural = widths[column]
                return sum + (cutting ? min(natural, self.columns[column].least ?? natural) : natural)
            }
            return sum + 2 * max(0, columns.count - 1) + (leastBar > 0 ? leastBar + 2 : 0)
        }
        while needed(shown, cutting: true) > width, let last = leastTelling(shown) { shown.removeAll { $0 == last } }
        // The widest name gives way first.
        while needed(shown, cutting: false) > width {
            let names = shown.filter { column in columns[column].least.map { widths[column] > $0 } ?? false }
            guard let widest = names.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
        }
        let rest = width - needed(shown, cutting: false) + leastBar
        return (shown, widths, hasBars ? max(0, min(longestBar, rest)) : 0)
    }

    /// A column in which nothing stands says nothing.
    private func hasContent(_ column: Int) -> Bool {
        rows.isEmpty || columns[column].rank == 0 || rows.contains { !$0.cells[column].text.isEmpty }
    }

    private func leastTelling(_ shown: [Int]) -> Int? {
        shown.filter { columns[$0].rank > 0 }.max { columns[$0].rank < columns[$1].rank }
    }

    /// As much of it as there is room for: the first words, or nothing.
    private func note(_ text: String, room: Int, _ style: ReportStyle) -> String {
        let text = style.plain(text)
        if ShownName.width(text) <= room { return text }
        let short = text.split(separator: " ").prefix(2).joined(separator: " ")
        return ShownName.width(short) <= room ? short : ""
    }

    private func line(_ row: Row, _ shown: [Int], _ widths: [Int], _ bar: Int, _ style: ReportStyle) -> String {
        var parts: [String] = []
        for column in shown {
            let cell = row.cells[column]
            let text = ShownName.cut(style.plain(cell.text), to: widths[column], mark: style.ellipsis)
            let padding = String(repeating: " ", count: max(0, widths[column] - ShownName.width(text)))
            let painted = style.painted(text, cell.ink ?? (row.isTotal ? .bold : nil))
            parts.append(columns[column].isNumber ? padding + painted : painted + padding)
        }
        if let width = style.width, hasBars {
            let room = width - shown.reduce(0) { $0 + widths[$1] + 2 }
            let text =
                row.note.isEmpty
                ? style.bar(row.bar, of: bar, rest: row.barRest, row.barSign)
                : note(row.note, room: room, style)
            if let place = barPlace.flatMap({ shown.firstIndex(of: $0) }) {
                parts.insert(text + String(repeating: " ", count: max(0, bar - ShownName.width(text))), at: place)
            } else {
                parts.append(text)
            }
        } else if !row.note.isEmpty, style.width == nil {
            parts.append(row.note)
        }
        var line = parts.joined(separator: "  ")
        while line.last == " " { line.removeLast() }
        return line
    }
}
