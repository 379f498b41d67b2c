// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
internal import TOML

extension ConfigurationDecoder {
    /// What records call whoever shows `[auth] token`.
    package static let defaultTokenName = "default"
    /// Shorter tokens can be guessed over a network.
    private static let shortToken = 8

    static func authentication(_ section: ConfigurationSection) -> Configuration.Authentication {
        var authentication = Configuration.Authentication()
        set(&authentication.enable, section.boolean("enable"))
        if let user = section.text("user"), !user.text.isEmpty {
            // RFC 7617 §2: the first colon ends the user.
            if user.text.contains(":") || !isPlain(user.text) {
                section.reading.error(at: user.span, "auth.user holds a colon or a control character")
            }
            authentication.user = user.text
        }
        if let password = section.text("password"), !password.text.isEmpty {
            if !isPlain(password.text) {
                section.reading.error(at: password.span, "auth.password holds a control character")
            }
            warnOfDollar(password, "auth.password", section.reading)
            authentication.password = Secret(password.text)
        }
        if let place = place(.password, "password", section, "auth.") { authentication.places.append(place) }
        for name in ["password", "password_file", "password_credential"] {
            guard let given = section.text(name), !given.text.isEmpty, !section.has("user") else { continue }
            section.reading.error(
                at: section.keySpan(name), "auth.\(name) needs a user", hint: "set user = \"admin\" in [auth]")
        }
        var places: [SourceSpan] = []
        if let token = section.text("token") {
            add(token, Self.defaultTokenName, "auth.token", to: &authentication, &places, section)
        }
        if let place = place(.token(name: Self.defaultTokenName), "token", section, "auth.") {
            authentication.places.append(place)
        }
        for entry in section.sections("tokens") {
            let name = tokenName(entry, authentication)
            let place = place(.token(name: name ?? ""), "token", entry, "auth.tokens[].")
            if let place { authentication.places.append(place) }
            guard let token = entry.text("token") else {
                if !["token", "token_file", "token_credential"].contains(where: entry.has) {
                    section.reading.error(at: entry.span, "[[auth.tokens]] needs a token")
                }
                continue
            }
            add(token, name ?? "", "auth.tokens[].token", to: &authentication, &places, section)
        }
        return authentication
    }

    /// Of `NAME_file` and `NAME_credential`; a secret comes from one place.
    private static func place(
        _ use: Configuration.SecretPlace.Use, _ name: String, _ section: ConfigurationSection, _ prefix: String
    ) -> Configuration.SecretPlace? {
        let given = [name, name + "_file", name + "_credential"].filter(section.has)
        for extra in given.dropFirst() {
            section.reading.error(
                at: section.keySpan(extra), "\(prefix)\(extra): \(given[0]) is given already",
                hint: "remove one of the two")
        }
        func make(_ source: Configuration.SecretPlace.Source, _ key: String) -> Configuration.SecretPlace {
            let span = section.valueSpan(key)
            return .init(use: use, source: source, key: prefix + key, line: span?.line ?? 0, column: span?.column ?? 0)
        }
        if let file = section.text(name + "_file") {
            return FilePath.resolve(file, prefix + name + "_file", section.reading).map {
                make(.file(path: $0), name + "_file")
            }
        }
        return section.text(name + "_credential").flatMap {
            credentialName($0, prefix + name + "_credential", section.reading)
        }.map { make(.credential(name: $0), name + "_credential") }
    }

    private static func tokenName(
        _ entry: ConfigurationSection, _ authentication: Configuration.Authentication
    ) -> String? {
        let earlier =
            authentication.tokens.map(\.name)
            + authentication.places.compactMap {
                if case .token(let name) = $0.use { name } else { nil }
            }
        guard let name = entry.text("name") else {
            if !entry.has("name") { entry.reading.error(at: entry.span, "[[auth.tokens]] needs a name") }
            return nil
        }
        if name.text.isEmpty || name.text.utf8.count > 64 || !isPlain(name.text) {
            entry.reading.error(at: name.span, "auth.tokens[].name must have 1 to 64 bytes and no control character")
        } else if earlier.contains(name.text) {
            entry.reading.error(
                at: name.span, "auth.tokens[].name: another token has this name",
                hint: name.text == Self.defaultTokenName ? "[auth] token is called \"\(Self.defaultTokenName)\"" : nil)
        }
        return name.text
    }

    private static func add(
        _ token: ExpandedText, _ name: String, _ key: String, to authentication: inout Configuration.Authentication,
        _ places: inout [SourceSpan], _ section: ConfigurationSection
    ) {
        let reading = section.reading
        if token.text.isEmpty {
            // With authentication off nobody is asked for it.
            if authentication.enable {
                reading.error(at: token.span, "\(key) is empty", hint: "remove it, or set it to a long random text")
            }
            return
        }
        guard token.isVisibleASCII else {
            return reading.error(
                at: token.span, "\(key) holds a space, a line break or a character outside ASCII",
                hint: token.isExpanded ? "look for a line break at the end of the variable's value" : nil)
        }
        if token.text.utf8.count < shortToken {
            reading.warning(
                at: token.span, "\(key) is shorter than \(shortToken) characters",
                hint: "take a random one: openssl rand -hex 16")
        }
        warnOfDollar(token, key, reading)
        let digest = Digest(of: token.text.utf8)
        if let same = authentication.tokens.firstIndex(where: { $0.digest == digest }) {
            reading.error(at: token.span, "\(key): this is the same token as on line \(places[same].line)")
        }
        authentication.tokens.append(.init(name: name, secret: Secret(token.text)))
        places.append(token.span)
    }

    static func isPlain(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }

    static func warnOfDollar(_ text: ExpandedText, _ key: String, _ reading: ConfigurationReading) {
        guard text.looksLikeVariable else { return }
        reading.warning(
            at: text.span, "\(key) begins with \"$\" and is taken as it stands",
            hint: "write ${NAME}, with braces, to fill in a variable")
    }
}
