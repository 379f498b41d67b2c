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
            authentication.password = Digest(of: password.text.utf8)
            if !section.has("user") {
                section.reading.error(
                    at: section.keySpan("password"), "auth.password needs a user",
                    hint: "set user = \"admin\" in [auth]")
            }
        }
        var places: [SourceSpan] = []
        if let token = section.text("token") {
            add(token, Self.defaultTokenName, "auth.token", to: &authentication, &places, section)
        }
        for entry in section.sections("tokens") {
            let name = tokenName(entry, authentication.tokens)
            guard let token = entry.text("token") else {
                if !entry.has("token") { section.reading.error(at: entry.span, "[[auth.tokens]] needs a token") }
                continue
            }
            add(token, name ?? "", "auth.tokens[].token", to: &authentication, &places, section)
        }
        return authentication
    }

    private static func tokenName(_ entry: ConfigurationSection, _ earlier: [Configuration.NamedToken]) -> String? {
        guard let name = entry.text("name") else {
            if !entry.has("name") { entry.reading.error(at: entry.span, "[[auth.tokens]] needs a name") }
            return nil
        }
        if name.text.isEmpty || name.text.utf8.count > 64 || !isPlain(name.text) {
            entry.reading.error(at: name.span, "auth.tokens[].name must have 1 to 64 bytes and no control character")
        } else if earlier.contains(where: { $0.name == name.text }) {
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
        authentication.tokens.append(.init(name: name, digest: digest))
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
