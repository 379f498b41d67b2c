// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

extension HTML {
    /// ▲ 12% from $83.52; blank if there is nothing to compare.
    static func change(_ now: Int64, _ before: Int64, _ text: (Int64) -> String) -> HTML {
        guard let change = Figures.change(now, before: before) else { return .nothing }
        if change == "new" { return "<span class=\"delta\">none before</span>" }
        return "<span class=\"delta\">\(change)</span> from \(text(before))"
    }
}
