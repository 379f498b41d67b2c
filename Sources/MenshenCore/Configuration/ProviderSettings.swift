// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

extension ConfigurationDecoder {
    static func providers(_ top: ConfigurationSection) -> [Provider] {
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
            guard var provider = provider(section) else { continue }
            provider.name = names.name(index, provider.kind, &taken)
            providers.append(provider)
        }
        if providers.count == sections.count, providers.allSatisfy({ $0.weight == 0 }),
            let span = sections.lazy.compactMap({ $0.valueSpan("weight") }).first
        {
            top.reading.error(
                at: span, "every provider has weight 0, so no request can go anywhere",
                hint: "remove weight from one of them")
        }
        return providers
    }

    /// nil if there is no usable address.
    private static func provider(_ section: ConfigurationSection) -> Provider? {
        let reading = section.reading
        let address = baseURL(section)
        let kind = kind(section) ?? address.map(guessedKind) ?? .openai
        let key = keySource(section)
        var provider = address.map { Provider(name: "", kind: kind, baseURL: $0, key: key) }
        let signing = signing(section, kind, address)
        let headers = RequestHeaderRule.headers(section)
        let weight = section.integer("weight")
        let proxy = proxy(section)
        let caFile = section.text("ca_file").flatMap { FilePath.resolve($0, "providers[].ca_file", reading) }
        let http2 = section.boolean("http2")
        let includeUsage = section.boolean("include_usage")
        let stripAddedUsage = section.boolean("strip_added_usage")
        let models = section.texts("models")
        if let models, models.isEmpty {
            reading.error(
                at: section.valueSpan("models"), "providers[].models is empty, so the provider would get no request",
                hint: "remove it if the provider has every model, or write models = [\"gpt-*\"]")
        }
        let model = section.text("model")
        let aliases = section.textTable("aliases") ?? []
        for alias in aliases where alias.value.text.isEmpty || alias.name.isEmpty {
            reading.error(
                at: alias.value.span, "providers[].aliases: a name and a model are needed",
                hint: "write aliases = { fast = \"gpt-4.1-mini\" }")
        }
        let maxConcurrent = section.integer("max_concurrent")
        let maxQueued = section.integer("max_queued")
        let queueTimeout = section.duration("queue_timeout")
        provider?.signing = signing
        provider?.models = (models ?? []).map { ModelPattern($0.text) }
        if let model, !model.text.isEmpty { provider?.model = model.text }
        provider?.aliases = Dictionary(aliases.map { ($0.name, $0.value.text) }) { $1 }
        provider?.maxConcurrent = maxConcurrent
        if let maxQueued { provider?.maxQueued = maxQueued }
        if let queueTimeout { provider?.queueTimeout = queueTimeout }
        provider?.headers = headers
        provider?.proxy = proxy
        provider?.caFile = caFile
        if let weight { provider?.weight = weight }
        if let http2 { provider?.http2 = http2 }
        if let includeUsage { provider?.includeUsage = includeUsage }
        if let stripAddedUsage { provider?.stripAddedUsage = stripAddedUsage }
        if let address, !address.isTLS, !isLocal(address), isKey(key) {
            reading.warning(
                at: section.valueSpan("base_url"), "providers[].base_url is plain http, so the key travels unencrypted",
                hint: "use https://")
        }
        return provider
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

    private static func kind(_ section: ConfigurationSection) -> Provider.Kind? {
        guard let text = section.text("kind") else { return nil }
        if let kind = Provider.Kind(rawValue: text.text) { return kind }
        let known = Provider.Kind.allCases.map(\.rawValue)
        let near = NearName.of(text.text, among: known).map { "did you mean \"\($0)\"?" }
        section.reading.error(
            at: text.span, "providers[].kind must be one of \(known.joined(separator: ", "))", hint: near)
        return nil
    }

    static func guessedKind(_ address: BaseURL) -> Provider.Kind {
        guard address.socketPath == nil else { return .openai }
        let host = address.host
        func isUnder(_ domain: String) -> Bool { host == domain || host.hasSuffix("." + domain) }
        if isUnder("anthropic.com") { return .anthropic }
        if host == "generativelanguage.googleapis.com" { return .gemini }
        if isUnder("openai.azure.com") || isUnder("cognitiveservices.azure.com") { return .azure }
        if Bedrock.isHost(host) { return .bedrock }
        return .openai
    }

    /// True if what is sent there stays on this machine.
    private static func isLocal(_ address: BaseURL) -> Bool {
        let host = address.host
        return address.socketPath != nil || host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]"
            || host.hasPrefix("127.")
    }

    private static func isKey(_ source: KeySource) -> Bool {
        if case .none = source { false } else { true }
    }

    /// The value may hold a password, so nothing of it is ever shown.
    private static func proxy(_ section: ConfigurationSection) -> Secret? {
        guard let text = section.text("proxy"), !text.text.isEmpty else { return nil }
        let schemes = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"]
        let isKnown = schemes.contains { text.text.hasPrefix($0 + "://") && text.text.utf8.count > $0.utf8.count + 3 }
        guard isKnown, text.isVisibleASCII else {
            section.reading.error(
                at: text.span, "providers[].proxy is not a proxy's address",
                hint: "write scheme://host:port with one of the schemes " + schemes.joined(separator: ", "))
            return nil
        }
        return Secret(text.text)
    }
}

/// Who is called what: names given in the text first, then kinds with a number.
private struct ProviderNames {
    private let given: [String?]
    var explicit: Set<String> { Set(given.compactMap { $0 }) }

    /// First segments of paths that callers use without naming a provider. "openai" is not among them: Azure's
    /// `/openai/deployments/…` is told apart by its second segment.
    private static let reserved: Set<String> = [
        "_menshen", "chat", "completions", "embeddings", "models", "responses", "messages", "images", "audio", "files",
        "batches", "moderations", "uploads", "realtime", "threads", "assistants", "vector_stores", "fine_tuning",
    ]

    init(_ sections: [ConfigurationSection]) {
        var given: [String?] = []
        var places: [String: SourceSpan] = [:]
        for section in sections {
            guard let name = section.text("name") else {
                given.append(nil)
                continue
            }
            if let earlier = places[name.text] {
                section.reading.error(
                    at: name.span, "providers[].name: another provider has this name, on line \(earlier.line)")
            } else if !Self.isName(name.text) {
                section.reading.error(
                    at: name.span,
                    "providers[].name must begin with a-z or 0-9, go on with these or \".\", \"_\", \"-\", and have 64 characters at most",
                    hint: "it is part of paths, as in /NAME/v1/chat/completions")
            } else if Self.isReserved(name.text) {
                section.reading.error(
                    at: name.span, "providers[].name is a word that callers' paths begin with",
                    hint: "choose another name, such as \"openai-2\"")
            }
            places[name.text] = name.span
            given.append(name.text)
        }
        self.given = given
    }

    func name(_ index: Int, _ kind: Provider.Kind, _ taken: inout Set<String>) -> String {
        if let name = given[index] { return name }
        var name = kind.rawValue
        var number = 2
        while taken.contains(name) {
            name = "\(kind.rawValue)-\(number)"
            number += 1
        }
        taken.insert(name)
        return name
    }

    private static func isName(_ text: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (97...122).contains(byte) }
        guard let first = text.utf8.first, isAlphanumeric(first), text.utf8.count <= 64 else {
            return text == "_menshen"
        }
        return text.utf8.allSatisfy {
            isAlphanumeric($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
        }
    }

    /// Also every API version: v1, v1beta, v2, …
    private static func isReserved(_ name: String) -> Bool {
        if reserved.contains(name) { return true }
        let rest = name.utf8.dropFirst()
        return name.hasPrefix("v") && (48...57).contains(rest.first ?? 0)
            && rest.allSatisfy { (48...57).contains($0) || (97...122).contains($0) }
    }
}
