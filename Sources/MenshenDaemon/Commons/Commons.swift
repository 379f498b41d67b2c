// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import TLS

/// What the workers of a process know together under one configuration: who is at which provider, how the providers do, which
/// requests bring an answer for others, what the key commands have printed, and who has no WebSockets. Each part has a lock of its own; nothing is
/// called under one.
final class Commons: Sendable {
    /// By the indices of `routes.providers`.
    let providers: [ProviderState]
    let flights: Flights
    /// Each configuration asks its commands anew.
    let keyCommands = KeyCommands()
    /// Each configuration asks for WebSockets anew.
    let webSockets = WebSocketMemory()
    /// By the indices of `routes.providers`; nil: plain. Each configuration reads the files of certificates anew.
    let tls: [TLSClient?]

    /// `previous`: what is known of the providers that stay.
    init(_ routes: RouteTable, after previous: Snapshot?) {
        providers = routes.providers.map { provider in
            guard let previous, let state = previous.commons.state(of: provider, previous.routes) else {
                return ProviderState(provider)
            }
            state.health.change { $0.forgiveFailures() }
            return state
        }
        var clients: [TLSFiles: TLSClient] = [:]
        tls = routes.providers.map { provider in
            guard provider.baseURL.isTLS else { return nil }
            let files = TLSFiles(provider)
            let client = clients[files] ?? TLSClient(files)
            clients[files] = client
            return client
        }
        flights = previous?.commons.flights ?? Flights()
    }

    /// nil: it is new, or not what it was.
    private func state(of provider: Provider, _ routes: RouteTable) -> ProviderState? {
        guard let index = routes.providers.firstIndex(where: { $0.name == provider.name }) else { return nil }
        let old = routes.providers[index]
        let isSame =
            old.baseURL == provider.baseURL && old.key.count == provider.key.count
            && old.maxConcurrent == provider.maxConcurrent && old.maxQueued == provider.maxQueued
        guard isSame else { return nil }
        // What was asked of one key is not asked of another.
        if old.key.inlineKeys.map(\.digest) != provider.key.inlineKeys.map(\.digest) {
            providers[index].health.change { $0 = ProviderHealth(keys: provider.key.count) }
            providers[index].headroom.forget()
        }
        return providers[index]
    }
}

extension TLSFiles {
    init(_ provider: Provider) {
        let tls = provider.tls
        var identity: Identity?
        if let certificate = tls.clientCertificateFile, let key = tls.clientKeyFile {
            identity = Identity(certificate: certificate, key: key)
        }
        self.init(authorities: tls.caFile, identity: identity, revocations: tls.crlFile)
    }
}
