// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

/// Finds keys and tables that menshen does not know, and says which one was probably meant.
enum UnknownKeys {
    static func check(_ section: ConfigurationSection) {
        for entry in section.table.entries {
            let path = section.path.isEmpty ? entry.key : section.path + "." + entry.key
            if ConfigurationKey.byPath[path] != nil { continue }
            if ConfigurationKey.sections.contains(path) {
                if case .table = entry.item.value {
                    check(section.section(entry.key))
                } else {
                    section.reading.error(at: entry.item.span, "\(path) must be a table", hint: "write [\(path)]")
                }
            } else if ConfigurationKey.sections.contains(path + "[]") {
                checkArray(entry, path, section)
            } else {
                report(entry, path, section)
            }
        }
    }

    private static func checkArray(_ entry: TOMLTable.Entry, _ path: String, _ section: ConfigurationSection) {
        let elements = section.sections(entry.key)
        let count: Int
        switch entry.item.value {
        case .array(let items): count = items.count
        case .table: count = 1
        default: count = -1
        }
        if count != elements.count {
            section.reading.error(at: entry.item.span, "\(path) must be an array of tables", hint: "write [[\(path)]]")
        }
        for element in elements { check(element) }
    }

    private static func isTable(_ entry: TOMLTable.Entry) -> Bool {
        if case .table = entry.item.value { true } else { false }
    }

    private static func report(_ entry: TOMLTable.Entry, _ path: String, _ section: ConfigurationSection) {
        let noun = isTable(entry) ? "table" : "key"
        let shown = entry.key.unicodeScalars.prefix(64).map { $0.properties.isPrintable ? String($0) : "?" }.joined()
        let place = section.path.isEmpty ? "" : " in " + ConfigurationKey.header(section.path)
        section.reading.error(
            at: entry.keySpan, "unknown \(noun) \"\(shown)\"\(place)", hint: suggestion(entry.key, in: section.path))
    }

    private static func suggestion(_ name: String, in section: String) -> String? {
        if let near = NearName.of(name, among: ConfigurationKey.names(in: section)) { return "did you mean \(near)?" }
        let elsewhere = ConfigurationKey.all.first { $0.name == name && $0.standing == .current }
        guard let elsewhere else { return nil }
        if elsewhere.section.isEmpty { return "\(name) belongs at the top, before the first [table]" }
        return "\(name) belongs in \(ConfigurationKey.header(elsewhere.section))"
    }
}

extension Unicode.Scalar.Properties {
    /// What may go to a terminal as it is.
    fileprivate var isPrintable: Bool {
        switch generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: false
        default: true
        }
    }
}
