// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import Linux

/// What the demo prints, and the tally of what it verified. Colours only on a terminal that did not decline them.
final class DemoReport {
    enum Style: String {
        case bold = "1"
        case dim = "2"
        case good = "32"
        case bad = "31"
        case word = "36"
    }

    private let isColoured: Bool
    private(set) var passed = 0
    private(set) var failed: [String] = []

    init() {
        // https://no-color.org
        isColoured =
            StandardStream.output.isTerminal && (Environment.value("NO_COLOR") ?? "").isEmpty
            && Environment.value("TERM") != "dumb"
    }

    func styled(_ text: String, _ style: Style) -> String {
        isColoured ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }
    func write(_ text: String) { StandardStream.output.write(text) }
    func line(_ text: String = "") { write(text.isEmpty ? "\n" : "  \(text)\n") }
    func heading(_ text: String) { write("\n\(styled(text, .bold))\n") }
    func note(_ text: String) { line(styled(text, .dim)) }

    /// A claim and whether it is true. One that is not makes the demo fail.
    func check(_ isTrue: Bool, _ claim: String) {
        line(isTrue ? "\(styled("✓", .good)) \(claim)" : "\(styled("✗ NOT TRUE:", .bad)) \(claim)")
        if isTrue { passed += 1 } else { failed.append(claim) }
    }

    /// Columns as wide as their widest cell.
    func table(_ head: [String], _ rows: [[String]]) {
        let widths = head.indices.map { column in ([head] + rows).map { $0[column].count }.max() ?? 0 }
        func laid(_ cells: [String]) -> String {
            var text = ""
            for (cell, width) in zip(cells, widths) {
                text += cell + String(repeating: " ", count: width - cell.count + 2)
            }
            return String(text.reversed().drop { $0 == " " }.reversed())
        }
        line(styled(laid(head), .dim))
        for row in rows { line(laid(row)) }
    }
}
