// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Which names have samples of their own. Callers choose the names of models, and a scraper keeps every one that it has ever seen,
/// so there are only so many; the rest is counted together.
package struct LabelValues: Sendable {
    /// What the rest is called.
    package static let rest = "other"
    private static let longest = 96

    private var names: Set<String> = []

    package init() {}

    /// The label's value for a name: the name itself if it has, or now gets, one of `limit` places. `isProven`: it is
    /// worth a place.
    package mutating func value(for name: String, isProven: Bool, limit: Int) -> String {
        let clean = Self.cleaned(name)
        if names.contains(clean) { return clean }
        guard isProven, names.count < limit else { return Self.rest }
        names.insert(clean)
        return clean
    }

    /// Cut, and without what would break a line or a terminal.
    private static func cleaned(_ name: String) -> String {
        var text = ""
        for scalar in name.unicodeScalars {
            if text.utf8.count >= longest { return text + "…" }
            text.unicodeScalars.append(scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar)
        }
        return text
    }
}
