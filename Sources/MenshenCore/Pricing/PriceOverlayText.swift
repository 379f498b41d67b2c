// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What `prices.toml` becomes by `menshen prices set` and `import`. Comments and rows of others stay as they are.
package enum PriceOverlayText {
    /// A new file's first lines.
    private static let head = """
        # Prices that take the place of those menshen carries; 'menshen prices set' writes here, and so may you.
        # Dollars for a million tokens, an hour of sound, a thousand calls.

        """

    /// The text with what a row says: in the row that is there for the same model, provider, day, variant and window, else in a
    /// new one at the end. nil if the text has a fault.
    package static func setting(_ row: PriceRow, in text: String) -> String? {
        var reading = OverlayReading(file: "")
        let rows = reading.rows(Array(text.utf8))
        guard reading.diagnostics.isEmpty else { return nil }
        guard let old = rows.first(where: { $0.row.isSame(as: row) }) else {
            let before = text.isEmpty ? head : text.hasSuffix("\n") ? text : text + "\n"
            return before + "\n" + block(row)
        }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var added: [String] = []
        for (key, value) in entries(row) where key != "provider" && key != "model" && key != "models" {
            if let place = old.keys.first(where: { $0.name == key }) {
                lines[place.line - 1] = "\(key) = \(value)\(comment(lines[place.line - 1]))"
            } else {
                added.append("\(key) = \(value)")
            }
        }
        // Behind the keys that are there: a key that an inline table has stands in the row's own line.
        let last = old.keys.map(\.line).max() ?? old.line
        guard added.isEmpty || last > old.line else { return nil }
        let end = endOfValue(lines, last - 1)
        lines.insert(contentsOf: added, at: end + 1)
        return lines.joined(separator: "\n")
    }

    /// A file of these rows alone.
    package static func text(of rows: [PriceRow]) -> String {
        head + rows.map { "\n" + block($0) }.joined()
    }

    private static func block(_ row: PriceRow) -> String {
        "[[prices]]\n" + entries(row).map { "\($0.key) = \($0.value)\n" }.joined()
    }

    private static func entries(_ row: PriceRow) -> [(key: String, value: String)] {
        var entries = [("provider", TOMLText.quoted(row.provider)), ("model", TOMLText.quoted(row.model))]
        if row.models.count > 1 { entries.append(("models", TOMLText.list(Array(row.models.dropFirst())))) }
        if let from = row.effectiveFrom { entries.append(("from", "\(from)")) }
        if let variant = row.variant { entries.append(("variant", TOMLText.quoted(variant.rawValue))) }
        if let window = row.window { entries.append(("window", TOMLText.quoted(window.description))) }
        for unit in PriceUnit.allCases {
            guard let price = row.prices[unit] else { continue }
            // A number where its digits survive as one.
            let text = price.description
            let isPlain = price.lines.isEmpty && text.utf8.count <= 15
            entries.append((unit.rawValue, isPlain ? text : TOMLText.quoted(text)))
        }
        if let usPercent = row.usPercent { entries.append(("us_percent", "\(usPercent)")) }
        if let leastSeconds = row.leastSeconds { entries.append(("least_seconds", "\(leastSeconds)")) }
        if let checked = row.checked { entries.append(("checked", "\(checked)")) }
        if !row.source.isEmpty { entries.append(("source", TOMLText.quoted(row.source))) }
        return entries
    }

    /// What stands behind a value on its line; nothing where the value is a text, which may have a "#" itself.
    private static func comment(_ line: String) -> String {
        guard let mark = line.firstIndex(of: "#"), !line.contains("\""), !line.contains("'") else { return "" }
        return " " + line[mark...]
    }

    /// The last line of a value that begins on a line: a list of names may have several.
    private static func endOfValue(_ lines: [String], _ begin: Int) -> Int {
        guard lines[begin].contains("["), !lines[begin].contains("]") else { return begin }
        return lines[begin...].firstIndex { $0.contains("]") } ?? begin
    }
}
