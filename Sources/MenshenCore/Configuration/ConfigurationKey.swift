// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What a setting is called, must be, and does. The decoder's checks, the example, the README's table and the
/// suggestions for misspelt names are all made from these; `ConfigurationSetting` adds how it is read and shown.
package struct ConfigurationKey: Sendable {
    package enum Form: Sendable, Equatable {
        case text, texts, textOrTexts, boolean, textTable
        case integer(ClosedRange<Int>)
        case integers(ClosedRange<Int>)
        case size(ClosedRange<Int>)
        /// `orOff`: 0 and "off" mean never.
        case duration(orOff: Bool)
    }

    package enum Standing: Sendable, Equatable {
        case current
        /// ai-menshen's name for another key; read, but not shown in the example.
        case alias
    }

    /// Dotted; `[]` marks an array of tables: `providers[].base_url`.
    package let path: String
    package let form: Form
    /// As TOML, made from `Configuration()`; nil where leaving the key out is not the same as any value.
    package let defaultText: String?
    /// What the example shows: the default, or a plausible value.
    package let sample: String
    /// One sentence.
    package let documentation: String
    package let standing: Standing

    init(
        _ path: String, _ form: Form, default defaultText: String? = nil, sample: String? = nil,
        standing: Standing = .current, _ documentation: String
    ) {
        self.path = path
        self.form = form
        self.defaultText = defaultText
        self.sample = sample ?? defaultText ?? "\"\""
        self.standing = standing
        self.documentation = documentation
    }

    /// The table it stands in, "" at the top.
    package var section: String { Self.parent(of: path) }
    package var name: String { Self.name(of: path) }

    /// In the order of the example and of the reference.
    package static let all = ConfigurationPart.all.flatMap(\.keys)

    package static let byPath = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })

    /// Every table that holds a key, in the order of the table of keys, with "" for the top.
    package static let sections: [String] = {
        var sections: [String] = []
        for key in all where !sections.contains(key.section) { sections.append(key.section) }
        return sections
    }()

    /// Names that may stand directly in a table: its keys and the tables in it.
    static func names(in section: String) -> [String] {
        let keys = all.filter { $0.section == section }.map(\.name)
        let tables = sections.compactMap { table -> String? in
            guard !table.isEmpty, parent(of: table) == section else { return nil }
            let name = table.lastIndex(of: ".").map { table[table.index(after: $0)...] } ?? table[...]
            return String(name.hasSuffix("[]") ? name.dropLast(2) : name)
        }
        return keys + tables
    }

    /// How a table's header is written: `[auth]`, `[[auth.tokens]]`.
    static func header(_ section: String) -> String {
        section.hasSuffix("[]") ? "[[\(section.dropLast(2))]]" : "[\(section)]"
    }

    private static func parent(of path: String) -> String {
        path.lastIndex(of: ".").map { String(path[..<$0]) } ?? ""
    }

    static func name(of path: String) -> String {
        path.lastIndex(of: ".").map { String(path[path.index(after: $0)...]) } ?? path
    }
}

extension ConfigurationKey.Form {
    /// Completes "KEY must be …".
    var requirement: String {
        switch self {
        case .text: "a string"
        case .texts: "an array of strings"
        case .textOrTexts: "a string or an array of strings"
        case .boolean: "true or false"
        case .textTable: "a table of strings"
        case .integer(let range): "an integer from \(range.lowerBound) to \(range.upperBound)"
        case .integers(let range): "an array of integers from \(range.lowerBound) to \(range.upperBound)"
        case .size(let range):
            "a size from \(ByteSizeText.written(range.lowerBound)) to \(ByteSizeText.written(range.upperBound))"
        case .duration(orOff: false): "a duration above 0 and up to 366d"
        case .duration(orOff: true): "a duration up to 366d, or \"off\""
        }
    }

    /// How to write one, where that is not plain from the requirement.
    var hint: String? {
        switch self {
        case .size: "write \"64MiB\", \"32KiB\" or a number of bytes"
        case .duration: "write \"500ms\", \"10s\", \"10min\", \"1h30m\", \"2d\" or a number of seconds"
        default: nil
        }
    }

    /// For the reference table.
    var title: String {
        switch self {
        case .text: "string"
        case .texts: "array of strings"
        case .textOrTexts: "string or array of strings"
        case .boolean: "boolean"
        case .textTable: "table of strings"
        case .integer(let range): "integer, \(range.lowerBound) to \(range.upperBound)"
        case .integers(let range): "array of integers, \(range.lowerBound) to \(range.upperBound)"
        case .size: "size"
        case .duration(orOff: false): "duration"
        case .duration(orOff: true): "duration or \"off\""
        }
    }
}
