// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

extension Configuration {
    /// `[limits]`: what everybody together may spend, and how all limits work.
    package struct Limits: Sendable, Equatable {
        /// What a limit in money does to a request whose model has no price.
        package enum Unpriced: String, Sendable, CaseIterable {
            /// It is refused. A limit that lets the unknown through is none.
            case refuse
            /// It counts as the provider's dearest model.
            case ceiling
            case allow
        }

        package struct Model: Sendable, Equatable {
            package var pattern = ModelPattern("")
            package var limits: [Limit] = []
            /// Requests at the same time.
            package var concurrency: Int?
        }

        /// A ceiling that nobody exceeds.
        package var instance: [Limit] = []
        /// Requests of everybody at the same time.
        package var concurrency: Int?
        package var models: [Model] = []
        /// "UTC", "local", or a name as in "Europe/Berlin": whose days and months count.
        package var timezone = "local"
        /// What `timezone` names; read from its file by whoever reads the configuration's.
        package var zone = ZoneRules.utc
        package var unpriced = Unpriced.refuse
        /// All limits cut, and not only those that say so.
        package var cut = false
        /// Per cent of a limit at which it is said that so much is used up.
        package var notify = [50, 80, 100]
        /// Argv of a command that is run then; empty: none.
        package var notifyCommand: [String] = []
        /// How long a caller is refused after `max_errors` errors in a row: long enough to stop a loop, and short enough for
        /// somebody who has mended the cause.
        package var errorPause: Duration = .seconds(60)
    }
}

extension Configuration.Limits: ConfigurationRoot {
    static let defaults = Self()

    static let settings: [ConfigurationSetting<Self>] = [
        .limits("limits.instance", \.instance, "What all requests together may spend."),
        .integer(
            "limits.concurrency", 1...65_536, \.concurrency, sample: "200",
            "Requests that all together may have under way at a time."),
        .custom(
            "limits.timezone", .text, default: TOMLText.quoted(defaults.timezone),
            "Whose minutes, days and months count: \"local\", \"UTC\", or a name such as \"Europe/Berlin\"."
        ) {
            if let zone = $1.text("timezone") { $0.timezone = zone.text }
        } shown: {
            TOMLText.quoted($0.timezone)
        },
        .custom(
            "limits.unpriced", .text, default: TOMLText.quoted(defaults.unpriced.rawValue),
            "A model without a price under a limit in money: \"refuse\" it, count it as the provider's dearest (\"ceiling\"), or \"allow\" it.",
            read: readUnpriced
        ) {
            TOMLText.quoted($0.unpriced.rawValue)
        },
        .boolean(
            "limits.cut", \.cut,
            "Streams that pass a limit are cut, instead of running to their end; a limit with `cut` behind it cuts anyway."
        ),
        .custom(
            "limits.notify", .integers(1...100), default: "[50, 80, 100]",
            "Per cent of each limit at which an entry in the journal says that so much is used up."
        ) {
            if let levels = $1.integers("notify") { $0.notify = Set(levels).sorted() }
        } shown: {
            "[\($0.notify.map { "\($0)" }.joined(separator: ", "))]"
        },
        .custom(
            "limits.notify_command", .texts, sample: #"["/usr/local/bin/tell", "budget"]"#,
            "Command, as an array of arguments, that is run then with the figures in its environment.",
            read: readCommand
        ) {
            $0.notifyCommand.isEmpty ? nil : TOMLText.list([$0.notifyCommand[0]])
        },
        .duration(
            "limits.error_pause", \.errorPause,
            "How long a caller is refused after `max_errors` of its requests in a row were at fault."),
    ]

    @Sendable private static func readUnpriced(_ limits: inout Self, _ section: ConfigurationSection) {
        guard let text = section.text("unpriced") else { return }
        if let known = Unpriced(rawValue: text.text) {
            limits.unpriced = known
            return
        }
        let names = Unpriced.allCases.map(\.rawValue)
        section.reading.error(
            at: text.span, "limits.unpriced must be \(names.map { "\"\($0)\"" }.joined(separator: " or "))",
            hint: NearName.of(text.text, among: names).map { "did you mean \($0)?" })
    }

    @Sendable private static func readCommand(_ limits: inout Self, _ section: ConfigurationSection) {
        guard let texts = section.texts("notify_command") else { return }
        if texts.first?.text.isEmpty != false {
            section.reading.error(
                at: section.valueSpan("notify_command"), "limits.notify_command names no program",
                hint: "write notify_command = [\"/usr/local/bin/tell\", \"budget\"], or leave it out")
        }
        limits.notifyCommand = texts.map(\.text)
    }

    static let part = ConfigurationPart(keys: keys + Model.keys) { configuration, top in
        configuration.limits.read(top)
        configuration.limits.models = top.section("limits").sections("models").compactMap(model)
    } check: {
        warnOfRetention($0, $1)
    } write: { configuration, text in
        text.write(configuration.limits)
        for model in configuration.limits.models { text.write(model) }
    }

    private static func model(_ section: ConfigurationSection) -> Model? {
        var model = Model()
        model.read(section)
        for name in ["model", "limits"]
        where !section.has(name) && !(name == "limits" && section.has("concurrency")) {
            section.reading.error(
                at: section.span, "[[limits.models]] needs a \(name)",
                hint: "write model = \"gpt-5*\" and limits = [\"5usd/day\"]")
        }
        return model
    }

    /// What was spent is read from the records again at a start.
    private static func warnOfRetention(_ configuration: Configuration, _ top: ConfigurationSection) {
        guard let days = configuration.storage.retentionDays else { return }
        let all =
            configuration.limits.instance + configuration.limits.models.flatMap(\.limits)
            + configuration.providers.flatMap(\.limits) + configuration.callers.flatMap(\.limits)
        guard let longest = all.first(where: { $0.window.days > days }) else { return }
        let section = top.section("limits")
        top.reading.warning(
            at: section.span ?? top.span,
            "a limit \(longest.window == .ever ? "without a window" : "per \(longest.window)") outlasts storage.retention_days: what was spent before that is forgotten at the next start",
            hint: "keep records for longer, or for ever with retention_days = 0")
    }
}

extension Configuration.Limits.Model: ConfigurationRoot {
    static let defaults = Self()

    static let settings: [ConfigurationSetting<Self>] = [
        .custom(
            "limits.models[].model", .text, sample: "\"gpt-5*\"",
            "Model that the limits are for, `*` for any characters: the one that a provider is asked for."
        ) {
            if let text = $1.text("model") { $0.pattern = ModelPattern(text.text) }
        } shown: {
            TOMLText.quoted($0.pattern.description)
        },
        .limits("limits.models[].limits", \.limits, "What all requests for such models together may spend."),
        .integer(
            "limits.models[].concurrency", 1...65_536, \.concurrency, sample: "8",
            "Requests for such models that may be under way at a time."),
    ]
}

extension Limit.Window {
    /// Most days that it spans.
    fileprivate var days: Int {
        switch self {
        case .minute, .hour, .day: 1
        case .week: 7
        case .month: 31
        case .rolling(let seconds): Int((seconds + 86_399) / 86_400)
        case .ever: .max
        }
    }
}

extension ConfigurationSetting {
    /// Limits as `Limit.read` reads them; none by default, and shown if there are any.
    static func limits(_ path: String, _ property: Property<[Limit]>, _ documentation: String) -> Self {
        custom(path, .texts, sample: #"["20usd/month", "100 requests/minute"]"#, documentation) { root, section in
            root[keyPath: property] = section.limits(path)
        } shown: {
            let limits = $0[keyPath: property]
            return limits.isEmpty ? nil : TOMLText.list(limits.map(\.description))
        }
    }
}

extension ConfigurationSection {
    /// `path`: of the key.
    func limits(_ path: String) -> [Limit] {
        var limits: [Limit] = []
        for text in texts(ConfigurationKey.name(of: path)) ?? [] {
            do throws(Limit.Fault) {
                let limit = try Limit.read(text.text)
                if limits.contains(where: { $0.measure == limit.measure && $0.window == limit.window }) {
                    reading.error(
                        at: text.span, "\(path): an earlier limit has the same measure and the same time",
                        hint: "keep the smaller one")
                }
                limits.append(limit)
            } catch {
                reading.error(at: text.span, "\(path): \(error)")
            }
        }
        return limits
    }
}
