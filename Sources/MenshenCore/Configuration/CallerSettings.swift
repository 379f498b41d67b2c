// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

/// `[[callers]]`: who may ask for what.
extension CallerRule: ConfigurationRoot {
    static let defaults = CallerRule()

    static let settings = matcherSettings + scopeSettings + limitSettings

    private static let matcherSettings: [ConfigurationSetting<Self>] = [
        .custom(
            "callers[].name", .text, sample: "\"students\"", "What records and refusals call the rule; required."
        ) {
            TOMLText.quoted($0.name)
        },
        accounts("user", \.users, sample: "\"alice\"", "Users whom the rule is for, by name or number."),
        accounts(
            "group", \.groups, sample: "\"users\"", "Groups of which one must be the caller's, by name or number."),
        patterns("token", \.tokens, sample: "\"laptop\"", "Names of tokens that it is for, `*` for any characters."),
        patterns(
            "unit", \.units, sample: "\"app-*.scope\"",
            "Systemd units that it is for. Tells programs of one user apart; it proves nothing."),
        patterns(
            "program", \.programs, sample: "\"python3*\"",
            "Programs that it is for, by name or, with a slash, by path. Proves nothing either."),
        patterns(
            "job", \.jobs, sample: "\"4711\"",
            "Jobs of Slurm that it is for, by number or, with a point, by job and step. Attribution."),
        patterns(
            "project", \.projects, sample: "\"notes\"",
            "Repositories that it is for, by name or, with a slash, by the path of their root. Attribution."),
    ]

    private static let scopeSettings: [ConfigurationSetting<Self>] = [
        .custom(
            "callers[].providers", .texts, sample: "[\"openai\"]", "Providers that may be asked; all unless given."
        ) {
            $0.scope.providers = names("providers", $1).map(\.text)
        } shown: {
            $0.scope.providers.isEmpty ? nil : TOMLText.list($0.scope.providers)
        },
        patterns(
            "models", \.scope.models, form: .texts, sample: "[\"gpt-4.1-mini\"]",
            "Models that may be asked for, also by an alias; all unless given."),
        .custom(
            "callers[].operations", .texts, sample: "[\"chat\", \"embeddings\"]",
            "What may be asked for, in the words of the records; everything unless given.", read: readOperations
        ) {
            $0.scope.operations.isEmpty ? nil : TOMLText.list($0.scope.operations.map(\.rawValue))
        },
        patterns(
            "paths", \.scope.paths, form: .texts, sample: "[\"/v1/*\"]",
            "Paths that may be asked for, without a provider's name; all unless given."),
    ]

    private static let limitSettings: [ConfigurationSetting<Self>] = [
        limits("limits", sample: "[\"1000requests/day\"]", "How much all such callers together may ask for.") {
            $0 != .money
        },
        limits("budgets", sample: "[\"5usd/day\"]", "How much money they may spend together.") { $0 == .money },
        .integer(
            "callers[].concurrency", 1...65_536, \.concurrency, sample: "4",
            "Requests that they may have under way at a time."),
        .integer(
            "callers[].max_errors", 1...65_536, \.maxErrors, sample: "20",
            "Errors in a row after which they are refused for a while."),
        .boolean("callers[].deny", \.isDenied, "Refuse them, whatever they ask for."),
    ]

    private static func accounts(
        _ name: String, _ property: ConfigurationSetting<Self>.Property<[Account]>, sample: String,
        _ documentation: String
    ) -> ConfigurationSetting<Self> {
        .custom("callers[].\(name)", .textOrTexts, sample: sample, documentation) { rule, section in
            rule[keyPath: property] = names(name, section).map {
                Account($0.text, line: $0.span.line, column: $0.span.column)
            }
        } shown: { rule in
            list(rule[keyPath: property].map(\.text))
        }
    }

    private static func patterns(
        _ name: String, _ property: ConfigurationSetting<Self>.Property<[ModelPattern]>,
        form: ConfigurationKey.Form = .textOrTexts, sample: String, _ documentation: String
    ) -> ConfigurationSetting<Self> {
        .custom("callers[].\(name)", form, sample: sample, documentation) { rule, section in
            rule[keyPath: property] = names(name, section).map { ModelPattern($0.text) }
        } shown: { rule in
            let texts = rule[keyPath: property].map(\.description)
            return form == .texts && !texts.isEmpty ? TOMLText.list(texts) : list(texts)
        }
    }

    private static func limits(
        _ name: String, sample: String, _ documentation: String, _ belongs: @escaping @Sendable (Limit.Measure) -> Bool
    ) -> ConfigurationSetting<Self> {
        .custom("callers[].\(name)", .texts, sample: sample, documentation) { rule, section in
            for text in names(name, section) {
                guard let limit = Limit(text.text), belongs(limit.measure) else {
                    section.reading.error(
                        at: text.span, "callers[].\(name): this is not one of them", hint: "write \(name) = \(sample)")
                    continue
                }
                rule.limits.append(limit)
            }
        } shown: { rule in
            let texts = rule.limits.filter { belongs($0.measure) }.map(\.description)
            return texts.isEmpty ? nil : TOMLText.list(texts)
        }
    }

    /// One alone is written without brackets.
    private static func list(_ texts: [String]) -> String? {
        texts.isEmpty ? nil : texts.count == 1 ? TOMLText.quoted(texts[0]) : TOMLText.list(texts)
    }
}

// MARK: Reading

extension CallerRule {
    static let part = ConfigurationPart(keys: keys) { configuration, top in
        configuration.callers = rules(top)
    } check: {
        checkProviders($0, $1)
        checkProjects($0, $1)
    } write: { configuration, text in
        for rule in configuration.callers { text.write(rule) }
    }

    private static func rules(_ top: ConfigurationSection) -> [CallerRule] {
        var names: [String: Int] = [:]
        return top.sections("callers").map { section in
            var rule = CallerRule()
            rule.line = section.span?.line ?? 0
            rule.name = name(section, &names)
            rule.read(section)
            if rule.isDenied { refuseFurther(section) }
            return rule
        }
    }

    private static func name(_ section: ConfigurationSection, _ names: inout [String: Int]) -> String {
        guard let name = section.text("name") else {
            if !section.has("name") {
                section.reading.error(
                    at: section.span, "[[callers]] needs a name",
                    hint: "records and refusals tell it: name = \"students\"")
            }
            return ""
        }
        if name.text.isEmpty || name.text.utf8.count > 64 || !name.text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) {
            section.reading.error(at: name.span, "callers[].name must have 1 to 64 bytes and no control character")
        } else if Grant.Rule(rawValue: name.text) != nil {
            section.reading.error(
                at: name.span, "callers[].name is a word by which records tell what let a caller in",
                hint: "choose another name")
        } else if let line = names[name.text] {
            section.reading.error(at: name.span, "callers[].name: another rule has this name, on line \(line)")
        }
        names[name.text] = name.span.line
        return name.text
    }

    /// A list that is empty would allow all of its kind.
    private static func names(_ key: String, _ section: ConfigurationSection) -> [ExpandedText] {
        guard let texts = section.texts(key) else { return [] }
        if texts.isEmpty || texts.contains(where: { $0.text.isEmpty }) {
            section.reading.error(
                at: section.valueSpan(key), "callers[].\(key) has nothing in it",
                hint: "remove it, or write deny = true if nothing is to be allowed")
        }
        return texts
    }

    @Sendable private static func readOperations(_ rule: inout Self, _ section: ConfigurationSection) {
        for text in names("operations", section) {
            if let operation = Operation(rawValue: text.text) {
                rule.scope.operations.append(operation)
                continue
            }
            let known = Operation.allCases.map(\.rawValue)
            let near = NearName.of(text.text, among: known).map { "did you mean \"\($0)\"?" }
            section.reading.error(
                at: text.span, "callers[].operations: there is no such operation",
                hint: near ?? "they are \(known.joined(separator: ", "))")
        }
    }

    private static func refuseFurther(_ section: ConfigurationSection) {
        for key in (scopeSettings + limitSettings).map(\.key.name) where key != "deny" && section.has(key) {
            section.reading.error(
                at: section.keySpan(key), "callers[].\(key) has no effect beside deny = true",
                hint: "remove one of the two")
        }
    }

    /// A rule that never matches may be the one that refuses.
    private static func checkProjects(_ configuration: Configuration, _ top: ConfigurationSection) {
        if configuration.logging.callerProject { return }
        for section in top.sections("callers") where section.has("project") {
            top.reading.error(
                at: section.keySpan("project"),
                "callers[].project cannot be judged: logging.caller_project = false leaves the callers' directories unread",
                hint: "remove one of the two")
        }
    }

    private static func checkProviders(_ configuration: Configuration, _ top: ConfigurationSection) {
        // One that could not be read has a fault of its own.
        guard configuration.providers.count == top.sections("providers").count else { return }
        let known = configuration.providers.map(\.name)
        for section in top.sections("callers") where section.has("providers") {
            // Read for its texts; what is wrong with them has been said.
            let reading = ConfigurationReading(
                file: top.reading.file, priceProviders: top.reading.priceProviders,
                environment: top.reading.environment)
            let again = ConfigurationSection(
                path: section.path, table: section.table, span: section.span, reading: reading)
            for text in again.texts("providers") ?? [] where !text.text.isEmpty && !known.contains(text.text) {
                top.reading.error(
                    at: text.span, "callers[].providers: no provider has this name",
                    hint: NearName.of(text.text, among: known).map { "did you mean \"\($0)\"?" })
            }
        }
    }
}
