// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

extension ConfigurationDecoder {
    /// `.none` where no key is given, and where what is given was refused.
    static func keySource(_ section: ConfigurationSection) -> KeySource {
        let reading = section.reading
        let given = ["api_key", "api_keys", "api_key_file", "api_key_credential", "api_key_command"].filter(section.has)
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
                ? nil : credentialName($0, "providers[].api_key_credential", reading)
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
            warnOfDollar(key, "providers[].\(name)", reading)
        } else if !key.isExpanded {
            reading.warning(
                at: key.span, "providers[].\(name) stands in the configuration in plain text",
                hint: "put it into a file of its own (mode 0600) and name that with api_key_file, or write ${NAME}")
        }
        return Secret(key.text)
    }

    static func credentialName(_ name: ExpandedText, _ key: String, _ reading: ConfigurationReading) -> String? {
        // systemd.exec(5): a name must be usable as a file name.
        let isName =
            name.isVisibleASCII && !name.text.isEmpty && !name.text.contains("/") && !name.text.contains(":")
            && name.text.utf8.count <= 255 && name.text != "." && name.text != ".."
        if isName { return name.text }
        reading.error(
            at: name.span, "\(key) is not the name of a systemd credential",
            hint: "write the name that LoadCredential= gives it, not a path")
        return nil
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

/// `headers` of a provider: what may be added to every request.
enum RequestHeaderRule {
    /// RFC 9110 §7.6.1 and §7.8, and what menshen itself writes for each request.
    private static let refused: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
        "transfer-encoding", "upgrade", "host", "content-length", "expect",
    ]

    static func headers(_ section: ConfigurationSection) -> [Provider.Header] {
        let reading = section.reading
        var headers: [Provider.Header] = []
        var seen: Set<String> = []
        for (name, span, value) in section.textTable("headers") ?? [] {
            if name.isEmpty || !name.utf8.allSatisfy(isTokenByte) {
                reading.error(at: span, "providers[].headers: this is not the name of a header")
            } else if refused.contains(name.lowercased()) {
                reading.error(
                    at: span, "providers[].headers: menshen writes the header \(name.lowercased()) itself",
                    hint: "remove it")
            } else if !seen.insert(name.lowercased()).inserted {
                reading.error(at: span, "providers[].headers: \(name.lowercased()) is given twice")
            }
            // RFC 9110 §5.5; a tab is the one control character allowed.
            guard value.text.utf8.allSatisfy({ $0 == 9 || ($0 >= 0x20 && $0 != 0x7F) }) else {
                reading.error(
                    at: value.span, "providers[].headers: the value holds a line break or another control character")
                continue
            }
            headers.append(
                Provider.Header(
                    name: name, value: Secret(value.text),
                    isSecret: value.isExpanded || CredentialNames.isCredential(name)))
        }
        return headers
    }

    /// RFC 9110 §5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122: true
        default: Array("!#$%&'*+-.^_`|~".utf8).contains(byte)
        }
    }
}
