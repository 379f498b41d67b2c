// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

extension Provider: ConfigurationRoot {
    static let defaults: Provider = {
        guard let address = BaseURL("http://localhost") else { preconditionFailure("a plain base URL is refused") }
        return Provider(name: "openai", kind: .common, baseURL: address, key: .none)
    }()

    static let settings =
        identitySettings + keySettings + signingSettings + requestSettings + limitSettings + transportSettings

    private static let identitySettings: [ConfigurationSetting<Self>] = [
        .custom(
            "providers[].base_url", .text, sample: "\"https://api.openai.com/v1\"",
            "Address of the provider, or \"unix:///run/llm.sock:/v1\"; required."
        ) {
            TOMLText.quoted($0.baseURL.description)
        }.shown(after: "kind"),
        .custom(
            "providers[].name", .text, sample: "\"openai\"",
            "What records and `/NAME/…` paths call the provider; its kind unless given, then kind-2, kind-3, …"
        ) {
            TOMLText.quoted($0.name)
        },
        .custom(
            "providers[].kind", .text, sample: "\"openai\"",
            "\(Dialect.names(quoted: true)): how it wants its key; guessed from `base_url`."
        ) {
            TOMLText.quoted($0.kind.rawValue)
        },
    ]

    /// What its requests are, and which ones it gets.
    private static let requestSettings: [ConfigurationSetting<Self>] = [
        .custom(
            "providers[].headers", .textTable, sample: #"{ "x-team" = "research" }"#,
            "Headers added to each request, in place of a caller's of the same name."
        ) {
            $0.headers = RequestHeaderRule.headers($1)
        } shown: {
            $0.headers.isEmpty ? nil : TOMLText.table($0.headers.map { ($0.name, TOMLText.hidden) })
        },
        .custom(
            "providers[].models", .texts, sample: #"["gpt-*", "o3"]"#,
            "Models it gets requests for, `*` for any characters; all models unless given.", read: readModels
        ) {
            $0.models.isEmpty ? nil : TOMLText.list($0.models.map(\.description))
        },
        .custom(
            "providers[].model", .text, sample: "\"gpt-4.1\"", "Model to ask for in place of the caller's."
        ) {
            if let model = $1.text("model"), !model.text.isEmpty { $0.model = model.text }
        } shown: {
            $0.model.map(TOMLText.quoted)
        },
        .custom(
            "providers[].aliases", .textTable, sample: #"{ fast = "gpt-4.1-mini" }"#,
            "Names that callers may give as the model, and what each stands for at this provider.", read: readAliases
        ) { provider in
            let aliases = provider.aliases.sorted { $0.key < $1.key }.map { ($0.key, TOMLText.quoted($0.value)) }
            return aliases.isEmpty ? nil : TOMLText.table(aliases)
        },
        .custom(
            "providers[].prices", .text, sample: "\"openai\"",
            "Whose list prices its answers cost; `\"free\"` for none; guessed from `base_url` for providers that are known.",
            read: readPrices
        ) {
            $0.prices.map(TOMLText.quoted)
        },
    ]

    private static let limitSettings: [ConfigurationSetting<Self>] = [
        .integer(
            "providers[].priority", 0...1_000, \.turn.priority,
            "Providers with the smallest are asked first, the others when these are full, paused or fail."),
        .integer(
            "providers[].weight", 0...1_000_000, \.turn.weight,
            "Share of the requests among the providers that fit and have the same priority; 0 takes the provider out."
        ).shown(after: "queue_timeout"),
        .integer(
            "providers[].context_window", 1...1_000_000_000, \.turn.contextWindow, sample: "200000",
            "Tokens that its models take; a request too long for one provider goes to one that takes more."
        ).shown(after: "weight"),
        .integer(
            "providers[].max_concurrent", 1...65_536, \.maxConcurrent, sample: "4",
            "Requests it gets at a time; without it any number."),
        .integer(
            "providers[].max_queued", 0...65_536, \.maxQueued,
            "Requests that may wait for one of those places; more are answered 429."
        ).shown { $0.maxConcurrent != nil },
        .duration("providers[].queue_timeout", \.queueTimeout, "How long a request waits for a place.")
            .shown { $0.maxConcurrent != nil },
        .limits("providers[].limits", \.limits, "What may be spent at it; then another provider that fits is asked."),
    ]

    private static let transportSettings: [ConfigurationSetting<Self>] = [
        .custom(
            "providers[].proxy", .text, sample: "\"socks5h://127.0.0.1:1080\"",
            "Proxy to reach the provider through; the environment's proxy variables never apply.", read: readProxy
        ) {
            $0.proxy.map { _ in TOMLText.hidden }
        },
        .path(
            "providers[].ca_file", \.tls.caFile, sample: "\"/etc/ssl/certs/ca-certificates.crt\"",
            "PEM file to verify the provider with, in place of the system's."),
        .path(
            "providers[].crl_file", \.tls.crlFile, sample: "\"/etc/menshen/revoked.pem\"",
            "PEM file with a CRL of the authority that has signed the provider's certificate, which must not be on it."),
        .path(
            "providers[].client_certificate_file", \.tls.clientCertificateFile,
            sample: "\"~/.config/menshen/client.pem\"",
            "PEM file with a certificate of yours, for a provider that asks for one; what leads to its authority behind it."
        ),
        .path(
            "providers[].client_key_file", \.tls.clientKeyFile, sample: "\"~/.config/menshen/client.key\"",
            "PEM file with that certificate's private key, not encrypted: your own, mode 0600."),
        .boolean("providers[].http2", \.connections.http2, "Use HTTP/2 where the provider offers it."),
        .boolean(
            "providers[].keep_warm", \.connections.keepWarm,
            "After the provider closes the last idle connection, make another, for 10 minutes after its last request."),
        .boolean(
            "providers[].include_usage", \.addedUsage.isAsked,
            "Add `stream_options.include_usage` to chat streams, so that their usage is known."),
        .boolean(
            "providers[].strip_added_usage", \.addedUsage.isTakenOut,
            "Remove the usage chunk that this adds from the answer."),
        .custom(
            "providers[].websocket", .text, default: TOMLText.quoted(defaults.webSocket.rawValue),
            "`\"auto\"`, or `\"off\"` for a provider without WebSockets: callers are answered 426 and go on without.",
            read: readWebSocket
        ) {
            TOMLText.quoted($0.webSocket.rawValue)
        },
    ]
}

// MARK: Reading

extension Provider {
    static let part = ConfigurationPart(keys: keys) { configuration, top in
        configuration.providers = providers(top)
    } write: { configuration, text in
        for provider in configuration.providers { text.write(provider) }
    }

    private static func providers(_ top: ConfigurationSection) -> [Provider] {
        let sections = top.sections("providers")
        if sections.isEmpty {
            let isOther = top.table["providers"].map { if case .array(let items) = $0 { !items.isEmpty } else { true } }
            if isOther != true {
                top.reading.error(
                    at: top.keySpan("providers"), "no provider is configured",
                    hint: "add [[providers]] with base_url = \"https://api.openai.com/v1\" and a key")
            }
            return []
        }
        let names = ProviderNames(sections)
        var taken = names.explicit
        var providers: [Provider] = []
        for (index, section) in sections.enumerated() {
            guard var provider = read(section) else { continue }
            provider.name = names.name(index, provider.kind, &taken)
            providers.append(provider)
        }
        if providers.count == sections.count, providers.allSatisfy({ $0.turn.weight == 0 }),
            let span = sections.lazy.compactMap({ $0.valueSpan("weight") }).first
        {
            top.reading.error(
                at: span, "every provider has weight 0, so no request can go anywhere",
                hint: "remove weight from one of them")
        }
        return providers
    }

    /// nil if there is no usable address; the other keys are read even so, that their faults show too.
    private static func read(_ section: ConfigurationSection) -> Provider? {
        let address = baseURL(section)
        let kind = kind(section) ?? address.map(Dialect.guessed) ?? .common
        var provider = Provider(
            name: "", kind: kind, baseURL: address ?? defaults.baseURL, key: KeySource.read(section))
        provider.signing = SigV4.read(section, kind, address)
        provider.prices = address.flatMap { PriceTable.shared.provider(at: $0)?.name }
        provider.read(section)
        checkClientCertificate(section)
        guard let address else { return nil }
        if !address.isTLS, !isLocal(address), provider.key.isGiven {
            section.reading.warning(
                at: section.valueSpan("base_url"), "providers[].base_url is plain http, so the key travels unencrypted",
                hint: "use https://")
        }
        return provider
    }

    private static func checkClientCertificate(_ section: ConfigurationSection) {
        let keys = ["client_certificate_file", "client_key_file"]
        for (key, other) in zip(keys, keys.reversed()) where section.has(key) && !section.has(other) {
            section.reading.error(
                at: section.keySpan(key), "providers[].\(key) is of no use without \(other)",
                hint: "give both, which may name the same file, or neither")
        }
    }

    @Sendable private static func readModels(_ provider: inout Self, _ section: ConfigurationSection) {
        guard let models = section.texts("models") else { return }
        provider.models = models.map { ModelPattern($0.text) }
        if models.isEmpty {
            section.reading.error(
                at: section.valueSpan("models"), "providers[].models is empty, so the provider would get no request",
                hint: "remove it if the provider has every model, or write models = [\"gpt-*\"]")
        }
    }

    @Sendable private static func readAliases(_ provider: inout Self, _ section: ConfigurationSection) {
        let aliases = section.textTable("aliases") ?? []
        for alias in aliases where alias.value.text.isEmpty || alias.name.isEmpty {
            section.reading.error(
                at: alias.value.span, "providers[].aliases: a name and a model are needed",
                hint: "write aliases = { fast = \"gpt-4.1-mini\" }")
        }
        provider.aliases = Dictionary(aliases.map { ($0.name, $0.value.text) }) { $1 }
    }

    @Sendable private static func readPrices(_ provider: inout Self, _ section: ConfigurationSection) {
        guard let text = section.text("prices") else { return }
        provider.prices = text.text
        guard let own = section.reading.priceProviders else { return }
        let known = PriceTable.shared.providers.map(\.name) + own.sorted() + [PriceBook.free]
        guard !known.contains(text.text) else { return }
        let near = NearName.of(text.text, among: known).map { "did you mean \"\($0)\"?" }
        section.reading.error(
            at: text.span, "providers[].prices is no provider with a list of prices",
            hint: near ?? "'menshen prices list' shows their names, and prices.toml can have others")
    }

    private static func baseURL(_ section: ConfigurationSection) -> BaseURL? {
        let hint = "write base_url = \"https://api.openai.com/v1\" or \"unix:///run/llm.sock:/v1\""
        guard let text = section.text("base_url") else {
            if !section.has("base_url") {
                section.reading.error(at: section.span, "[[providers]] needs a base_url", hint: hint)
            }
            return nil
        }
        if let address = BaseURL(text.text) { return address }
        section.reading.error(
            at: text.span, "providers[].base_url is not an address of a provider", hint: hint)
        return nil
    }

    private static func kind(_ section: ConfigurationSection) -> Dialect? {
        guard let text = section.text("kind") else { return nil }
        if let kind = Dialect(rawValue: text.text) { return kind }
        let known = Dialect.allCases.map(\.rawValue)
        let near = NearName.of(text.text, among: known).map { "did you mean \"\($0)\"?" }
        section.reading.error(
            at: text.span, "providers[].kind must be one of \(known.joined(separator: ", "))", hint: near)
        return nil
    }

    /// True if what is sent there stays on this machine.
    private static func isLocal(_ address: BaseURL) -> Bool {
        let host = address.host
        return address.socketPath != nil || host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]"
            || host.hasPrefix("127.")
    }

    /// The value may hold a password, so nothing of it is ever shown.
    @Sendable private static func readProxy(_ provider: inout Self, _ section: ConfigurationSection) {
        guard let text = section.text("proxy"), !text.text.isEmpty else { return }
        let schemes = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"]
        let isKnown = schemes.contains { text.text.hasPrefix($0 + "://") && text.text.utf8.count > $0.utf8.count + 3 }
        guard isKnown, text.isVisibleASCII else {
            section.reading.error(
                at: text.span, "providers[].proxy is not a proxy's address",
                hint: "write scheme://host:port with one of the schemes " + schemes.joined(separator: ", "))
            return
        }
        provider.proxy = Secret(text.text)
    }

    @Sendable private static func readWebSocket(_ provider: inout Self, _ section: ConfigurationSection) {
        guard let text = section.text("websocket") else { return }
        if let use = WebSocketUse(rawValue: text.text) {
            provider.webSocket = use
        } else {
            section.reading.error(
                at: text.span, "providers[].websocket must be \"auto\" or \"off\"",
                hint: NearName.of(text.text, among: WebSocketUse.allCases.map(\.rawValue)).map {
                    "did you mean \"\($0)\"?"
                })
        }
    }
}
