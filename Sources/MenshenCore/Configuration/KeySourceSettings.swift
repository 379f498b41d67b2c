// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

extension Provider {
    /// All for `key`.
    static let keySettings: [ConfigurationSetting<Self>] = [
        .custom(
            "providers[].api_key", .text, sample: "\"${OPENAI_API_KEY}\"", "The key, from an environment variable."
        ) {
            if case .inline = $0.key { TOMLText.hidden } else { nil }
        },
        .custom(
            "providers[].api_keys", .texts, sample: #"["${OPENAI_KEY_1}", "${OPENAI_KEY_2}"]"#,
            "Several keys; when the provider limits one (429), the next is used."
        ) {
            guard case .pool(let keys) = $0.key else { return nil }
            return TOMLText.list(keys.map { _ in "***" })
        },
        .custom(
            "providers[].api_key_file", .text, sample: "\"~/.config/menshen/anthropic.key\"",
            "File that holds the key: your own, mode 0600; read again when it changes."
        ) {
            if case .file(let path) = $0.key { TOMLText.quoted(path) } else { nil }
        },
        .custom(
            "providers[].api_key_credential", .text, sample: "\"gemini.key\"",
            "Name of a systemd credential that holds the key."
        ) {
            if case .credential(let name) = $0.key { TOMLText.quoted(name) } else { nil }
        },
        .custom(
            "providers[].api_key_command", .texts, sample: #"["pass", "show", "azure"]"#,
            "Program and arguments that print the key."
        ) {
            guard case .command(let argv, _, _) = $0.key else { return nil }
            return TOMLText.list(argv.enumerated().map { $0.offset == 0 ? $0.element : "***" })
        },
        .custom(
            "providers[].api_key_command_timeout", .duration(orOff: false),
            default: TOMLText.duration(KeySource.defaultCommandTimeout), "Time the program has."
        ) {
            if case .command(_, let timeout, _) = $0.key { TOMLText.duration(timeout) } else { nil }
        },
        .custom(
            "providers[].api_key_command_ttl", .duration(orOff: false),
            default: TOMLText.duration(KeySource.defaultCommandLifetime),
            "How long a printed key is used before the program runs again."
        ) {
            if case .command(_, _, let lifetime) = $0.key { TOMLText.duration(lifetime) } else { nil }
        },
    ]
}

extension KeySource {
    /// A password manager may have to decrypt, or ask a server over a network; a caller does not wait longer.
    package static let defaultCommandTimeout: Duration = .seconds(10)
    /// Cloud providers' short-lived tokens last an hour; a revoked key should stop working sooner than that.
    package static let defaultCommandLifetime: Duration = .seconds(900)

    var isGiven: Bool { if case .none = self { false } else { true } }

    /// The keys that name a place; a provider takes its key from one of them.
    static let places = ["api_key", "api_keys", "api_key_file", "api_key_credential", "api_key_command"]

    /// `.none` where no key is given, and where what is given was refused.
    static func read(_ section: ConfigurationSection) -> KeySource {
        let reading = section.reading
        let given = places.filter(section.has)
        let inOrder = given.sorted {
            section.keySpan($0) ?? .init(line: 0, column: 0) < section.keySpan($1) ?? .init(line: 0, column: 0)
        }
        for extra in inOrder.dropFirst() {
            reading.error(
                at: section.keySpan(extra),
                "a provider has one source for its key, and \(inOrder[0]) is given already",
                hint: "remove one of the two")
        }
        // Each is read even if there are several, so that all faults show.
        let inline = section.text("api_key").flatMap { inlineKey($0, "api_key", reading) }
        let pool = pool(section)
        let file = section.text("api_key_file").flatMap {
            isKeyItself($0, "providers[].api_key_file", reading)
                ? nil : FilePath.resolve($0, "providers[].api_key_file", reading)
        }
        let credential = section.text("api_key_credential").flatMap {
            isKeyItself($0, "providers[].api_key_credential", reading)
                ? nil : FilePath.credentialName($0, "providers[].api_key_credential", reading)
        }
        let command = command(section)
        if let inline { return .inline(inline) }
        if let pool { return .pool(pool) }
        if let file { return .file(path: file) }
        if let credential { return .credential(name: credential) }
        return command ?? .none
    }

    /// A key pasted where the name of its place belongs. Later the name is shown in errors, so it ends here, unquoted.
    private static func isKeyItself(_ text: ExpandedText, _ name: String, _ reading: ConfigurationReading) -> Bool {
        guard !text.text.contains("/") else { return false }
        let isKey =
            ["sk-", "AIza", "gsk_", "xai-", "hf_", "pplx-", "r8_"].contains(where: text.text.hasPrefix)
            || text.text.utf8.count >= 40 && !text.text.contains(".")
        guard isKey else { return false }
        reading.error(
            at: text.span, "\(name) holds what looks like a key, not the name of its place",
            hint: "put the key into a file of its own (mode 0600) and give that file's path")
        return true
    }

    private static func pool(_ section: ConfigurationSection) -> [Secret]? {
        guard let texts = section.texts("api_keys") else { return nil }
        if texts.isEmpty {
            section.reading.error(
                at: section.valueSpan("api_keys"), "providers[].api_keys holds no key",
                hint: "write api_keys = [\"${KEY_1}\", \"${KEY_2}\"]")
        }
        let keys = texts.compactMap { inlineKey($0, "api_keys", section.reading) }
        return keys.isEmpty ? nil : keys
    }

    private static func inlineKey(_ key: ExpandedText, _ name: String, _ reading: ConfigurationReading) -> Secret? {
        if key.text.isEmpty {
            reading.warning(
                at: key.span, "providers[].\(name) is empty: requests go out without a key",
                hint: "remove it if the provider wants none")
            return nil
        }
        guard key.isVisibleASCII else {
            reading.error(
                at: key.span, "providers[].\(name) holds a space, a line break or a character outside ASCII",
                hint: key.isExpanded ? "look for a line break at the end of the variable's value" : nil)
            return nil
        }
        if key.looksLikeVariable {
            key.warnOfDollar("providers[].\(name)", reading)
        } else if !key.isExpanded {
            reading.warning(
                at: key.span, "providers[].\(name) stands in the configuration in plain text",
                hint: "put it into a file of its own (mode 0600) and name that with api_key_file, or write ${NAME}")
        }
        return Secret(key.text)
    }

    private static func command(_ section: ConfigurationSection) -> KeySource? {
        let timeout = section.duration("api_key_command_timeout") ?? KeySource.defaultCommandTimeout
        let lifetime = section.duration("api_key_command_ttl") ?? KeySource.defaultCommandLifetime
        guard section.has("api_key_command") else {
            for name in ["api_key_command_timeout", "api_key_command_ttl"] {
                guard let span = section.keySpan(name) else { continue }
                section.reading.warning(at: span, "providers[].\(name) has no effect without api_key_command")
            }
            return nil
        }
        guard let arguments = section.texts("api_key_command") else { return nil }
        guard let program = arguments.first, !program.text.isEmpty else {
            section.reading.error(
                at: section.valueSpan("api_key_command"), "providers[].api_key_command names no program",
                hint: "write api_key_command = [\"pass\", \"show\", \"openai\"]")
            return nil
        }
        if let bad = arguments.first(where: { $0.text.utf8.contains(0) }) {
            section.reading.error(at: bad.span, "providers[].api_key_command holds a NUL character")
            return nil
        }
        var argv = arguments.map(\.text)
        // A bare name is looked up in PATH, as a shell does.
        if program.text.contains("/") {
            guard let path = FilePath.resolve(program, "providers[].api_key_command", section.reading) else {
                return nil
            }
            argv[0] = path
        }
        return .command(argv: argv, timeout: timeout, lifetime: lifetime)
    }
}
