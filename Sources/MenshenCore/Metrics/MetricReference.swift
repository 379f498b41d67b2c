// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The manual's table of metrics.
package enum MetricReference {
    package static var markdownTable: String {
        var lines = ["| metric | type | labels | what it says |", "|---|---|---|---|"]
        for family in MetricFamily.all {
            let labels = family.labels.map { "`\($0)`" }.joined(separator: ", ")
            lines.append("| `\(family.name)` | \(family.kind.rawValue) | \(labels) | \(family.help) |")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
