// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Crypto
internal import TOML

extension Configuration {
    /// `[auth]`: who may call over TCP, and who may look at the page.
    package struct Authentication: Sendable {
        package var enable = true
        /// User and password of menshen's own pages (Basic); without a password they are closed on TCP.
        package var user: String?
        package var password: Secret?
        package var tokens: [NamedToken] = []
        /// Tokens and the password that stand elsewhere, until they have been read.
        package var places: [SecretPlace] = []

        /// There is a token, or will be as soon as its place has been read.
        package var hasToken: Bool { !tokens.isEmpty || places.contains { $0.use != .password } }
    }

    package struct NamedToken: Sendable {
        /// What records and reports call the caller; the token itself is never stored.
        package var name: String
        package let secret: Secret
        package let digest: Digest

        package init(name: String, secret: Secret) {
            self.name = name
            self.secret = secret
            digest = secret.digest
        }
    }

    /// A file or a credential that holds a token or the password.
    package struct SecretPlace: Sendable, Equatable {
        package enum Use: Sendable, Equatable {
            case password
            case token(name: String)
        }

        package enum Source: Sendable, Equatable {
            case file(path: String)
            case credential(name: String)
        }

        package let use: Use
        package let source: Source
        /// Of the setting, such as "auth.token_file", and where it stands.
        package let key: String
        package let line: Int
        package let column: Int
    }
}

extension Configuration.Authentication: ConfigurationRoot {
    static let defaults = Self()

    static let settings: [ConfigurationSetting<Self>] = [
        .boolean(
            "auth.enable", \.enable, "Ask TCP callers for a token; false is refused unless `listen` is loopback."),
        .custom(
            "auth.user", .text, sample: "\"admin\"", "User of the dashboard and menshen's other pages, on TCP.",
            read: readUser
        ) {
            $0.user.map(TOMLText.quoted)
        },
        .custom(
            "auth.password", .text, sample: "\"${MENSHEN_PASSWORD:-}\"",
            "Its password; without one these pages are closed to TCP callers.", read: readPassword
        ) {
            $0.password.map { _ in TOMLText.hidden }
        },
        .custom(
            "auth.password_file", .text, sample: "\"page-password\"",
            "File that holds the password: your own, mode 0600."
        ) {
            $0.passwordPlace?.filePath.map(TOMLText.quoted)
        },
        .custom(
            "auth.password_credential", .text, sample: "\"page-password\"",
            "Name of a systemd credential that holds the password."
        ) {
            $0.passwordPlace?.credentialName.map(TOMLText.quoted)
        },
        // This token is shown as one of `auth.tokens`, by the name that it has there.
        .custom(
            "auth.token", .text, sample: "\"${PROXY_TOKEN}\"",
            "Token that callers send in place of a key; `listen` needs one."
        ) { _ in nil },
        .custom(
            "auth.token_file", .text, sample: "\"token\"",
            "File that holds the token: your own, mode 0600; read at start and reload."
        ) { _ in nil },
        .custom(
            "auth.token_credential", .text, sample: "\"menshen-token\"",
            "Name of a systemd credential that holds the token."
        ) { _ in nil },
    ]

    private var passwordPlace: Configuration.SecretPlace? { places.first { $0.use == .password } }

    /// One `[[auth.tokens]]` as `config show` writes it.
    private struct ShownToken: ConfigurationRoot {
        static let defaults = ShownToken(name: "")

        static let settings: [ConfigurationSetting<Self>] = [
            .custom(
                "auth.tokens[].name", .text, sample: "\"laptop\"", "What records call whoever shows the token."
            ) {
                TOMLText.quoted($0.name)
            },
            .custom("auth.tokens[].token", .text, sample: "\"${LAPTOP_TOKEN}\"", "A further token.") {
                $0.place == nil ? TOMLText.hidden : nil
            },
            .custom("auth.tokens[].token_file", .text, sample: "\"laptop-token\"", "File that holds it.") {
                $0.place?.filePath.map(TOMLText.quoted)
            },
            .custom(
                "auth.tokens[].token_credential", .text, sample: "\"laptop-token\"",
                "Name of a systemd credential that holds it."
            ) {
                $0.place?.credentialName.map(TOMLText.quoted)
            },
        ]

        let name: String
        /// nil if the token itself is known.
        var place: Configuration.SecretPlace?
    }

    private var shownTokens: [ShownToken] {
        let elsewhere = places.compactMap { place in
            if case .token(let name) = place.use { ShownToken(name: name, place: place) } else { nil }
        }
        return elsewhere + tokens.map { ShownToken(name: $0.name) }
    }

    /// A secret comes from one of several places, so the secrets are read together, after everything else.
    static let part = ConfigurationPart(keys: keys + ShownToken.keys) { configuration, top in
        configuration.authentication.read(top)
        configuration.authentication.readSecrets(top.section("auth"))
    } write: { configuration, text in
        text.write(configuration.authentication)
        for token in configuration.authentication.shownTokens { text.write(token) }
    }
}

extension Configuration.SecretPlace {
    fileprivate var filePath: String? { if case .file(let path) = source { path } else { nil } }
    fileprivate var credentialName: String? { if case .credential(let name) = source { name } else { nil } }
}

extension Configuration.Authentication {
    /// What records call whoever shows `[auth] token`.
    package static let defaultTokenName = "default"
    /// Shorter tokens can be guessed over a network.
    private static let shortToken = 8

    @Sendable private static func readUser(_ authentication: inout Self, _ section: ConfigurationSection) {
        guard let user = section.text("user"), !user.text.isEmpty else { return }
        // RFC 7617 §2: the first colon ends the user.
        if user.text.contains(":") || !Self.isPlain(user.text) {
            section.reading.error(at: user.span, "auth.user holds a colon or a control character")
        }
        authentication.user = user.text
    }

    @Sendable private static func readPassword(_ authentication: inout Self, _ section: ConfigurationSection) {
        guard let password = section.text("password"), !password.text.isEmpty else { return }
        if !Self.isPlain(password.text) {
            section.reading.error(at: password.span, "auth.password holds a control character")
        }
        password.warnOfDollar("auth.password", section.reading)
        authentication.password = Secret(password.text)
    }

    private mutating func readSecrets(_ section: ConfigurationSection) {
        if let place = Self.place(.password, "password", section, "auth.") { places.append(place) }
        for name in ["password", "password_file", "password_credential"] {
            guard let given = section.text(name), !given.text.isEmpty, !section.has("user") else { continue }
            section.reading.error(
                at: section.keySpan(name), "auth.\(name) needs a user", hint: "set user = \"admin\" in [auth]")
        }
        var spans: [SourceSpan] = []
        if let token = section.text("token") {
            add(token, Self.defaultTokenName, "auth.token", &spans, section.reading)
        }
        if let place = Self.place(.token(name: Self.defaultTokenName), "token", section, "auth.") {
            places.append(place)
        }
        for entry in section.sections("tokens") {
            let name = tokenName(entry)
            let place = Self.place(.token(name: name ?? ""), "token", entry, "auth.tokens[].")
            if let place { places.append(place) }
            guard let token = entry.text("token") else {
                if !["token", "token_file", "token_credential"].contains(where: entry.has) {
                    section.reading.error(at: entry.span, "[[auth.tokens]] needs a token")
                }
                continue
            }
            add(token, name ?? "", "auth.tokens[].token", &spans, section.reading)
        }
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
            FilePath.credentialName($0, prefix + name + "_credential", section.reading)
        }.map { make(.credential(name: $0), name + "_credential") }
    }

    private func tokenName(_ entry: ConfigurationSection) -> String? {
        let earlier = shownTokens.map(\.name)
        guard let name = entry.text("name") else {
            if !entry.has("name") { entry.reading.error(at: entry.span, "[[auth.tokens]] needs a name") }
            return nil
        }
        if name.text.isEmpty || name.text.utf8.count > 64 || !Self.isPlain(name.text) {
            entry.reading.error(at: name.span, "auth.tokens[].name must have 1 to 64 bytes and no control character")
        } else if earlier.contains(name.text) {
            entry.reading.error(
                at: name.span, "auth.tokens[].name: another token has this name",
                hint: name.text == Self.defaultTokenName ? "[auth] token is called \"\(Self.defaultTokenName)\"" : nil)
        }
        return name.text
    }

    /// `spans` has one place for each of `tokens`.
    private mutating func add(
        _ token: ExpandedText, _ name: String, _ key: String, _ spans: inout [SourceSpan],
        _ reading: ConfigurationReading
    ) {
        if token.text.isEmpty {
            // With authentication off nobody is asked for it.
            if enable {
                reading.error(at: token.span, "\(key) is empty", hint: "remove it, or set it to a long random text")
            }
            return
        }
        guard token.isVisibleASCII else {
            return reading.error(
                at: token.span, "\(key) holds a space, a line break or a character outside ASCII",
                hint: token.isExpanded ? "look for a line break at the end of the variable's value" : nil)
        }
        if token.text.utf8.count < Self.shortToken {
            reading.warning(
                at: token.span, "\(key) is shorter than \(Self.shortToken) characters",
                hint: "take a random one: openssl rand -hex 16")
        }
        token.warnOfDollar(key, reading)
        let digest = Digest(of: token.text.utf8)
        if let same = tokens.firstIndex(where: { $0.digest == digest }) {
            reading.error(at: token.span, "\(key): this is the same token as on line \(spans[same].line)")
        }
        tokens.append(.init(name: name, secret: Secret(token.text)))
        spans.append(token.span)
    }

    private static func isPlain(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }
}
