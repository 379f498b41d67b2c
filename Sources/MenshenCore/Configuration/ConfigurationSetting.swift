// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A value whose properties are settings: a section of the configuration, or an element of one.
protocol ConfigurationRoot: Sendable {
    /// Read for its properties' defaults.
    static var defaults: Self { get }
    /// In the order of the example and of the reference. An older name of a key stands below the newer one.
    static var settings: [ConfigurationSetting<Self>] { get }
}

/// One setting, whole: its key, how the text is read into a property, and how `menshen config show` writes it.
struct ConfigurationSetting<Root: ConfigurationRoot>: Sendable {
    typealias Reading = @Sendable (inout Root, ConfigurationSection) -> Void
    typealias Property<Value> = any WritableKeyPath<Root, Value> & Sendable

    let key: ConfigurationKey
    /// Given the table that holds the key. Leaves the default where the text says nothing usable.
    let read: Reading
    /// As TOML; nil where `config show` leaves the key out.
    private(set) var shown: @Sendable (Root) -> String?
    /// Name of the key that it follows in `config show`, where that is not the order of the list.
    private(set) var predecessor: String?

    /// For a key that is more than one value in one property. Without `read` it is read together with others, by the
    /// function that makes their value.
    static func custom(
        _ path: String, _ form: ConfigurationKey.Form, default defaultText: String? = nil, sample: String? = nil,
        _ documentation: String, read: @escaping Reading = { _, _ in },
        shown: @escaping @Sendable (Root) -> String?
    ) -> Self {
        Self(
            key: ConfigurationKey(path, form, default: defaultText, sample: sample, documentation), read: read,
            shown: shown)
    }

    /// ai-menshen's name for another key.
    static func alias(
        _ path: String, _ form: ConfigurationKey.Form, _ documentation: String, read: @escaping Reading
    ) -> Self {
        Self(
            key: ConfigurationKey(path, form, standing: .alias, documentation), read: read, shown: { _ in nil })
    }

    static func boolean(_ path: String, _ property: Property<Bool>, _ documentation: String) -> Self {
        plain(path, .boolean, property, documentation, { "\($0)" }) { $0.boolean($1) }
    }

    static func integer(
        _ path: String, _ range: ClosedRange<Int>, _ property: Property<Int>, _ documentation: String
    ) -> Self {
        plain(path, .integer(range), property, documentation, { "\($0)" }) { $0.integer($1) }
    }

    static func size(
        _ path: String, _ range: ClosedRange<Int>, _ property: Property<Int>, _ documentation: String
    ) -> Self {
        plain(path, .size(range), property, documentation, TOMLText.size) { $0.size($1) }
    }

    static func duration(_ path: String, _ property: Property<Duration>, _ documentation: String) -> Self {
        plain(path, .duration(orOff: false), property, documentation, TOMLText.duration) { $0.duration($1) }
    }

    /// "off" is nil.
    static func durationOrOff(_ path: String, _ property: Property<Duration?>, _ documentation: String) -> Self {
        plain(path, .duration(orOff: true), property, documentation, TOMLText.duration) { section, name in
            section.duration(name).map { $0 > .zero ? $0 : nil }
        }
    }

    /// nil unless given; shown if it is.
    static func integer(
        _ path: String, _ range: ClosedRange<Int>, _ property: Property<Int?>, sample: String, _ documentation: String
    ) -> Self {
        custom(path, .integer(range), sample: sample, documentation) { root, section in
            root[keyPath: property] = section.integer(ConfigurationKey.name(of: path))
        } shown: {
            $0[keyPath: property].map { "\($0)" }
        }
    }

    /// nil unless given; shown if it is.
    static func path(
        _ path: String, _ property: Property<String?>, sample: String, _ documentation: String
    ) -> Self {
        custom(path, .text, sample: sample, documentation) { root, section in
            let name = ConfigurationKey.name(of: path)
            if let text = section.text(name) {
                root[keyPath: property] = FilePath.resolve(text, path, section.reading)
            }
        } shown: {
            $0[keyPath: property].map(TOMLText.quoted)
        }
    }

    /// A property that holds just the key's value, and has a default.
    private static func plain<Value>(
        _ path: String, _ form: ConfigurationKey.Form, _ property: Property<Value>, _ documentation: String,
        _ written: @escaping @Sendable (Value) -> String,
        value: @escaping @Sendable (ConfigurationSection, String) -> Value?
    ) -> Self {
        let name = ConfigurationKey.name(of: path)
        return custom(path, form, default: written(Root.defaults[keyPath: property]), documentation) { root, section in
            if let value = value(section, name) { root[keyPath: property] = value }
        } shown: {
            written($0[keyPath: property])
        }
    }

    /// The same, shown only where it has an effect.
    func shown(if hasEffect: @escaping @Sendable (Root) -> Bool) -> Self {
        var setting = self
        let shown = shown
        setting.shown = { hasEffect($0) ? shown($0) : nil }
        return setting
    }

    /// The same, shown elsewhere than its place in the list says.
    func shown(after predecessor: String) -> Self {
        var setting = self
        setting.predecessor = predecessor
        return setting
    }
}

extension ConfigurationRoot {
    static var keys: [ConfigurationKey] { settings.map(\.key) }

    /// `section` is the table that `settings` stand in, or one that holds it. The last comes first, so that the newer
    /// of two names for one property wins.
    mutating func read(_ section: ConfigurationSection) {
        for setting in Self.settings.reversed() { setting.read(&self, section.table(setting.key.section)) }
    }

    /// In the order of `config show`.
    static var shownSettings: [ConfigurationSetting<Self>] {
        var ordered = settings.filter { $0.predecessor == nil }
        for setting in settings {
            guard let predecessor = setting.predecessor else { continue }
            guard let index = ordered.firstIndex(where: { $0.key.name == predecessor }) else {
                preconditionFailure("\(setting.key.path) follows \(predecessor), which is no key")
            }
            ordered.insert(setting, at: index + 1)
        }
        return ordered
    }
}
