// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What is doubtful about prices on a day.
package enum PriceCheck {
    /// Prices change a few times a year.
    package static let oldAfterDays = 60

    /// Sentences: a change that took effect after somebody looked at it last, and whole providers by their oldest day.
    package static func warnings(_ rows: [PriceRow], today: PriceDate) -> [String] {
        var warnings: [String] = []
        for row in rows {
            guard let from = row.effectiveFrom, let checked = row.checked, checked < from, from <= today else {
                continue
            }
            let variant = row.variant.map { " \($0.rawValue)" } ?? ""
            warnings.append(
                "\(row.provider) \(row.model)\(variant): a change on \(from) was announced when it was looked at on "
                    + "\(checked), and may not have happened: \(row.source)")
        }
        var names: [String] = []
        for row in rows where !names.contains(row.provider) { names.append(row.provider) }
        for name in names {
            let own = rows.filter { $0.provider == name }
            let unknown = own.filter { $0.checked == nil }.count
            if unknown > 0 { warnings.append("\(name): \(rowCount(unknown)) without a day of checking") }
            let old = own.filter { today.days - ($0.checked ?? today).days > oldAfterDays }
            guard let oldest = old.compactMap(\.checked).min() else { continue }
            warnings.append(
                "\(name): \(rowCount(old.count)) last checked on \(oldest), \(today.days - oldest.days) days ago: "
                    + (old.first { $0.checked == oldest }?.source ?? ""))
        }
        return warnings
    }

    private static func rowCount(_ count: Int) -> String { count == 1 ? "1 row" : "\(count) rows" }
}
