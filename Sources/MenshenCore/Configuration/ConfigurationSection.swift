// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

/// One table of the text, read by key. What a key must be comes from `ConfigurationKey`; a value of another form is
/// reported and then treated as absent. An absent table reads as an empty one.
struct ConfigurationSection {
    /// As in `ConfigurationKey.path`, with `[]` for the elements of an array.
    let path: String
    let table: TOMLTable
    /// nil for an absent table.
    let span: SourceSpan?
    let reading: ConfigurationReading

    func section(_ name: String) -> ConfigurationSection {
        let child = path.isEmpty ? name : path + "." + name
        guard let entry = table.entry(name), case .table(let inner) = entry.item.value else {
            return ConfigurationSection(path: child, table: TOMLTable(), span: nil, reading: reading)
        }
        return ConfigurationSection(path: child, table: inner, span: entry.keySpan, reading: reading)
    }

    /// This one, or a table in it, by its path from the top.
    func table(_ path: String) -> ConfigurationSection {
        let below = path.dropFirst(self.path.isEmpty ? 0 : self.path.count + 1)
        return below.split(separator: ".").reduce(self) { $0.section(String($1)) }
    }

    /// The elements of an array of tables; a single table counts as an array of one.
    func sections(_ name: String) -> [ConfigurationSection] {
        let child = (path.isEmpty ? name : path + "." + name) + "[]"
        func section(_ inner: TOMLTable, _ span: SourceSpan) -> ConfigurationSection {
            ConfigurationSection(path: child, table: inner, span: span, reading: reading)
        }
        guard let entry = table.entry(name) else { return [] }
        switch entry.item.value {
        case .table(let inner): return [section(inner, entry.keySpan)]
        case .array(let items):
            return items.compactMap { item in
                guard case .table(let inner) = item.value else { return nil }
                return section(inner, item.span)
            }
        default: return []
        }
    }

    func has(_ name: String) -> Bool { table.entry(name) != nil }
    func keySpan(_ name: String) -> SourceSpan? { table.entry(name)?.keySpan }
    func valueSpan(_ name: String) -> SourceSpan? { table.entry(name)?.item.span }

    func text(_ name: String) -> ExpandedText? {
        guard let (key, item) = find(name) else { return nil }
        guard case .string = item.value else { return refuse(key, item) }
        return expand(item, key)
    }

    /// nil if the key is absent or faulty; a single string counts as an array where the key allows it.
    func texts(_ name: String) -> [ExpandedText]? {
        guard let (key, item) = find(name) else { return nil }
        switch item.value {
        case .string where key.form == .textOrTexts: return expand(item, key).map { [$0] }
        case .array(let items):
            var texts: [ExpandedText] = []
            for element in items {
                guard case .string = element.value else { return refuse(key, element) }
                if let text = expand(element, key) { texts.append(text) }
            }
            return texts.count == items.count ? texts : nil
        default: return refuse(key, item)
        }
    }

    func textTable(_ name: String) -> [(name: String, nameSpan: SourceSpan, value: ExpandedText)]? {
        guard let (key, item) = find(name) else { return nil }
        guard case .table(let inner) = item.value else { return refuse(key, item) }
        return inner.entries.compactMap { entry in
            guard case .string = entry.item.value else { return refuse(key, entry.item) }
            return expand(entry.item, key).map { (entry.key, entry.keySpan, $0) }
        }
    }

    func boolean(_ name: String) -> Bool? {
        guard let (key, item) = find(name) else { return nil }
        guard case .boolean(let value) = item.value else { return refuse(key, item) }
        return value
    }

    func integer(_ name: String) -> Int? {
        guard let (key, item) = find(name), case .integer(let range) = key.form else { return nil }
        guard case .integer(let value) = item.value, let value = Int(exactly: value), range.contains(value) else {
            return refuse(key, item)
        }
        return value
    }

    func integers(_ name: String) -> [Int]? {
        guard let (key, item) = find(name), case .integers(let range) = key.form else { return nil }
        guard case .array(let items) = item.value else { return refuse(key, item) }
        var numbers: [Int] = []
        for element in items {
            guard case .integer(let value) = element.value, let value = Int(exactly: value), range.contains(value)
            else {
                return refuse(key, element)
            }
            numbers.append(value)
        }
        return numbers
    }

    func size(_ name: String) -> Int? {
        guard let (key, item) = find(name), case .size(let range) = key.form else { return nil }
        let bytes: Int?
        switch item.value {
        case .integer(let value): bytes = Int(exactly: value)
        case .string:
            guard let text = expand(item, key) else { return nil }
            bytes = ByteSizeText.parse(text.text)
        default: bytes = nil
        }
        guard let bytes, range.contains(bytes) else { return refuse(key, item) }
        return bytes
    }

    /// nil if the key is absent or faulty; zero for "off".
    func duration(_ name: String) -> Duration? {
        guard let (key, item) = find(name), case .duration(let orOff) = key.form else { return nil }
        let duration: Duration?
        switch item.value {
        case .integer(let seconds): duration = (0...366 * 86_400).contains(seconds) ? .seconds(seconds) : nil
        case .string:
            guard let text = expand(item, key) else { return nil }
            duration = orOff && text.text == "off" ? .zero : DurationText.parse(text.text)
        default: duration = nil
        }
        guard let duration, orOff || duration > .zero else { return refuse(key, item) }
        return duration
    }

    private func find(_ name: String) -> (key: ConfigurationKey, item: TOMLItem)? {
        let path = path.isEmpty ? name : path + "." + name
        guard let key = ConfigurationKey.byPath[path] else {
            preconditionFailure("\(path) is not in the table of keys")
        }
        return table.entry(name).map { (key, $0.item) }
    }

    /// Says what the key must be, and what it is when the form is wrong rather than the value.
    private func refuse<Value>(_ key: ConfigurationKey, _ item: TOMLItem) -> Value? {
        let isRightForm =
            switch (key.form, item.value) {
            case (.integer, .integer), (.integers, .integer), (.size, .integer), (.size, .string),
                (.duration, .integer), (.duration, .string):
                true
            default: false
            }
        let message = "\(key.path) must be \(key.form.requirement)"
        reading.error(
            at: item.span, isRightForm ? message : message + ", not \(item.value.kindName)", hint: key.form.hint)
        return nil
    }

    private func expand(_ item: TOMLItem, _ key: ConfigurationKey) -> ExpandedText? {
        guard case .string(let text) = item.value else { return nil }
        let outcome = Interpolation.expand(text, environment: reading.environment)
        for fault in outcome.faults {
            switch fault {
            case .unset(let name):
                // A token or key that is empty would only be the next fault.
                let isSecret = ["token", "api_key", "api_keys", "password"].contains(key.name)
                let other = key.name == "api_keys" ? "api_key" : key.name
                reading.error(
                    at: item.span, "\(key.path): the environment variable \(name) is not set",
                    hint: isSecret
                        ? "a service does not see what a shell exports; \(other)_file = \"FILE\" works everywhere"
                        : "write ${\(name):-} if it may be empty")
            case .unterminated:
                reading.error(
                    at: item.span, "\(key.path): \"${\" without \"}\"", hint: "write \"$${\" for a literal \"${\"")
            case .notAName:
                reading.error(
                    at: item.span, "\(key.path): what stands between \"${\" and \"}\" is not a variable's name",
                    hint: "write ${NAME}, ${NAME:-default}, or \"$${\" for a literal \"${\"")
            }
        }
        guard outcome.faults.isEmpty else { return nil }
        return ExpandedText(text: outcome.text, span: item.span, isExpanded: outcome.isExpanded)
    }
}
