// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A configured upstream: where it is, what it speaks, which key it wants.
package struct Provider: Sendable {
    /// Unique; the first segment of `/NAME/…` paths, and what records say.
    package var name: String
    /// Which API it speaks: its paths, and where it wants its key.
    package var kind: Dialect
    package var baseURL: BaseURL
    package var key: KeySource
    /// Set if requests are signed with the key, which is then AWS's secret access key, rather than carry it.
    package var signing: SigV4?
    /// Added to each request, in place of a caller's header of the same name.
    package var headers: [Header] = []
    /// Models it gets requests for; empty: all.
    package var models: [ModelPattern] = []
    /// Asked for in place of the caller's model.
    package var model: String?
    /// Names that callers may use, and the models they stand for here. Only providers that have a name get it.
    package var aliases: [String: String] = [:]
    /// Whose list prices its answers cost, as `PriceTable` and `prices.toml` name them; nil: there are none.
    package var prices: String?
    package var turn = Turn()
    /// Requests it gets at a time; nil: any number. Local servers answer one or few at a time, and are slower with more.
    package var maxConcurrent: Int?
    /// Requests that wait for one of those places: eight each for eight programs.
    package var maxQueued = 64
    /// How long one waits. SDKs give up after 600 s, people before.
    package var queueTimeout: Duration = .seconds(60)
    /// What may be spent at it.
    package var limits: [Limit] = []
    /// Proxy URL for libcurl (http://, https://, socks5://, socks5h://); nil goes direct. The environment's proxy variables never apply.
    package var proxy: Secret?
    package var tls = TLS()
    package var connections = Connections()
    package var addedUsage = AddedUsage()
    package var webSocket = WebSocketUse.auto

    package init(name: String, kind: Dialect, baseURL: BaseURL, key: KeySource) {
        self.name = name
        self.kind = kind
        self.baseURL = baseURL
        self.key = key
    }

    /// When it is asked, among the providers that fit.
    package struct Turn: Sendable {
        /// The smallest first.
        package var priority = 0
        /// Share of requests among those of one priority; 0 takes the provider out.
        package var weight = 1
        /// Tokens of input and output that its models take; nil if that is not said.
        package var contextWindow: Int?

        package init(contextWindow: Int? = nil) { self.contextWindow = contextWindow }

        /// It may take a request that was too long for `other`.
        package func takesMore(than other: Turn) -> Bool {
            guard let contextWindow else { return false }
            return contextWindow > other.contextWindow ?? 0
        }
    }

    /// Paths of PEM files.
    package struct TLS: Sendable {
        /// Authorities to verify the provider with, in place of the system's.
        package var caFile: String?
        /// Those authorities' lists of revoked certificates.
        package var crlFile: String?
        /// Ours, and its key; both or neither.
        package var clientCertificateFile: String?
        package var clientKeyFile: String?
    }

    package struct Connections: Sendable {
        /// HTTP/2 where the provider offers it over TLS: one connection for many streams.
        package var http2 = true
        /// One is made anew when the provider closes the last. Off: without it none is made that no request asks for.
        package var keepWarm = false
    }

    package struct AddedUsage: Sendable {
        /// Adds `stream_options.include_usage` to chat streams, without which OpenAI's say nothing of their cost.
        package var isAsked = true
        /// Takes the chunk that this adds out of the answer again.
        package var isTakenOut = true
    }

    package struct Header: Sendable {
        package let name: String
        package let value: Secret
        /// Filled in from the environment, or of a name that credentials have: to be masked wherever it shows.
        package let isSecret: Bool

        package init(name: String, value: Secret, isSecret: Bool) {
            self.name = name
            self.value = value
            self.isSecret = isSecret
        }
    }
}

/// Where a provider's key comes from; read when it is first needed.
package enum KeySource: Sendable {
    /// A local server that wants none.
    case none
    /// `api_key`, after `${NAME}` has been filled in.
    case inline(Secret)
    /// `api_keys`: a request takes the first that is not limited.
    case pool([Secret])
    /// `api_key_file`: 0600, own, re-read when it changes.
    case file(path: String)
    /// `api_key_credential`: a name under $CREDENTIALS_DIRECTORY.
    case credential(name: String)
    /// `api_key_command`: argv; its standard output, without the last newline, is the key.
    case command(argv: [String], timeout: Duration, lifetime: Duration)
}

extension KeySource {
    /// Keys to choose from; a provider without a key counts as one.
    package var count: Int { if case .pool(let keys) = self { keys.count } else { 1 } }

    /// Whether it is a place outside of the configuration, where another key may stand by now.
    package var mayBeReread: Bool {
        switch self {
        case .none, .inline, .pool: false
        case .file, .credential, .command: true
        }
    }

    /// Those that the configuration holds.
    package var inlineKeys: [Secret] {
        switch self {
        case .inline(let key): [key]
        case .pool(let keys): keys
        case .none, .file, .credential, .command: []
        }
    }
}

extension Provider {
    /// What its part of the configuration holds that must not show.
    var secrets: [Secret] {
        var secrets = key.inlineKeys + headers.filter(\.isSecret).map(\.value)
        if let token = signing?.sessionToken { secrets.append(token) }
        if let proxy { secrets += Self.credentials(ofProxy: proxy) }
        return secrets
    }

    /// User and password of a proxy's address together, and the password alone.
    private static func credentials(ofProxy url: Secret) -> [Secret] {
        var bytes: [UInt8] = []
        url.append(to: &bytes)
        defer { for index in bytes.indices { bytes[index] = 0 } }
        guard let at = bytes.lastIndex(of: UInt8(ascii: "@")) else { return [] }
        let start = bytes[..<at].lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        let pair = bytes[start..<at]
        let password = pair.firstIndex(of: UInt8(ascii: ":")).map { Array(pair[($0 + 1)...]) }
        return [Secret(Array(pair))] + [password].compactMap { $0 }.map { Secret($0) }
    }
}
