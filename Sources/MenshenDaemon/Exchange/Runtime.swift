// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
package import MenshenCore
package import MenshenStore
internal import MenshenUpstream
internal import TLS

/// One configuration in force, as every worker reads it; replaced whole by a reload.
package final class Snapshot: Sendable {
    package let configuration: Configuration
    package let routes: RouteTable
    package let policy: Policy
    package let limits: LimitTable
    /// nil: answers are not stored.
    package let cache: ResponseCache?
    /// Why there is no usable configuration; then every request is answered 503 with this.
    package let fault: String?
    /// Why nothing is served over TCP, while the Unix socket is; nil if everything is.
    package let tcpFault: String?
    /// Microseconds since 1970; its configuration was read just before.
    let madeAt: UInt64 = Clock.wall()
    /// What the workers that go by it know together.
    let commons: Commons

    /// `previous`: whose place it takes; what is known of the providers that stay goes on.
    package init(
        _ configuration: Configuration, cache: ResponseCache? = nil, tcpFault: String? = nil,
        after previous: Snapshot? = nil
    ) {
        self.configuration = configuration
        self.cache = cache
        self.tcpFault = tcpFault
        routes = RouteTable(providers: configuration.providers)
        policy = Policy(configuration.callers)
        limits = LimitTable(configuration)
        fault = nil
        commons = Commons(routes, after: previous)
    }

    /// Nothing to go by: the configuration is broken and menshen was started by its socket.
    package init(fault: String) {
        configuration = Configuration()
        cache = nil
        routes = RouteTable(providers: [])
        policy = Policy([])
        limits = LimitTable(configuration)
        self.fault = fault
        tcpFault = nil
        commons = Commons(routes, after: nil)
    }
}

/// What one worker makes of a snapshot: endpoints with their handles, and keys. Exchanges keep the one they began with.
final class Runtime {
    let snapshot: Snapshot
    let keys: KeyRing
    private let endpoints: [Endpoint]
    /// Of the configuration, and those that were given out as of the last word of their store.
    var tokens: TokenGate
    /// Lower-case names of the headers each provider's configuration sets.
    let replacedHeaders: [Set<String>]
    /// All workers'.
    let states: [ProviderState]
    let prices: PriceBook
    private var targets = TargetCache()

    init(_ snapshot: Snapshot, keys: KeyRing, tokens: TokenGate) throws {
        self.snapshot = snapshot
        self.tokens = tokens
        self.keys = keys
        prices = PriceBook(snapshot.configuration.prices)
        let upstream = snapshot.configuration.upstream
        var endpoints: [Endpoint] = []
        for (provider, tls) in zip(snapshot.routes.providers, snapshot.commons.tls) {
            endpoints.append(try Endpoint(Self.settings(provider, tls, upstream)))
        }
        self.endpoints = endpoints
        states = snapshot.commons.providers
        replacedHeaders = snapshot.routes.providers.map { Set($0.headers.map { $0.name.lowercased() }) }
    }

    func resolve(_ head: RequestHead) -> ResolvedTarget? {
        targets.resolve(head, snapshot.routes)
    }

    /// What is masked in whatever is kept of a request. `used`: the key that it went with, which may be an earlier one by now.
    func secrets(and used: Secret?) -> SecretSet {
        let known = keys.known(snapshot.configuration.secrets)
        return used.map(known.adding) ?? known
    }

    func endpoint(_ index: Int) -> Endpoint { endpoints[index] }

    /// No connection is made any more but for its exchanges that are under way.
    func retire() { for endpoint in endpoints { endpoint.retire() } }

    private static func settings(
        _ provider: Provider, _ tls: TLSClient?, _ upstream: Configuration.Upstream
    ) -> Endpoint.Settings {
        var proxy: [UInt8] = []
        provider.proxy?.append(to: &proxy)
        return Endpoint.Settings(
            url: provider.baseURL.origin, plainURL: provider.baseURL.plainOrigin, host: provider.baseURL.hostField,
            hostName: provider.baseURL.hostName, tls: tls, socketPath: provider.baseURL.socketPath,
            proxy: String(decoding: proxy, as: UTF8.self), files: TLSFiles(provider),
            http2: provider.connections.http2, keepsWarm: provider.connections.keepWarm,
            connectTimeoutMilliseconds: Int(upstream.connectTimeout.microseconds / 1000),
            firstByteTimeout: upstream.firstByteTimeout.microseconds, gapTimeout: upstream.gapTimeout.microseconds,
            totalTimeout: upstream.totalTimeout?.microseconds, maxIdleConnections: upstream.maxIdleConnections,
            usesLibcurl: Environment.value("MENSHEN_HTTP") == "libcurl")
    }
}

extension Duration {
    /// Not negative; what a timer takes.
    var microseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(max(0, seconds)) * 1_000_000 + UInt64(max(0, attoseconds) / 1_000_000_000_000)
    }
}
