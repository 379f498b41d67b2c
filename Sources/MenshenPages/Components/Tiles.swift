// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A label, a value, and what explains it.
struct Fact {
    let label: String
    let value: HTML
    var notes: [HTML] = []

    init(_ label: String, _ value: HTML, _ notes: HTML...) {
        self.label = label
        self.value = value
        self.notes = notes
    }
}

extension HTML {
    /// The large figures of a page.
    static func tiles(_ tiles: [Fact]) -> HTML {
        let items: [HTML] = tiles.map { tile in
            let notes: [HTML] = tile.notes.map { "<dd>\($0)</dd>" }
            return "<div><dt>\(tile.label)</dt><dd class=\"value\">\(tile.value)</dd>\(notes)</div>\n"
        }
        return "<dl class=\"stats\" id=\"stats\">\n\(items)</dl>\n"
    }

    /// The same for one thing, smaller.
    static func facts(_ facts: [Fact]) -> HTML {
        let items: [HTML] = facts.map { fact in
            let notes: [HTML] = fact.notes.map { "<dd>\($0)</dd>" }
            return "<div><dt>\(fact.label)</dt><dd>\(fact.value)</dd>\(notes)</div>\n"
        }
        return "<dl class=\"facts\" id=\"facts\">\n\(items)</dl>\n"
    }

    /// Names with what they are.
    static func pairs(_ pairs: [(name: String, value: HTML)]) -> HTML {
        let items: [HTML] = pairs.filter { !$0.value.isEmpty }.map { "<dt>\($0.name)</dt><dd>\($0.value)</dd>\n" }
        return "<dl class=\"kv\">\n\(items)</dl>\n"
    }
}
