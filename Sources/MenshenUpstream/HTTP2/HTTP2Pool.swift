// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP2
internal import Reactor

/// The HTTP/2 connections to one provider, and who waits for one. One is filled before the next is opened; and while it is
/// not known whether the provider speaks HTTP/2, all wait for the first.
final class HTTP2Pool {
    /// How long a provider that does not speak HTTP/2 is not asked again. Microseconds.
    private static let http1Age: UInt64 = 600_000_000
    private static let maxSpare = 256

    unowned let endpoint: Endpoint
    private var connections: [HTTP2Connection] = []
    private var waiting: [HTTP2Transfer] = []
    private var spare: [HTTP2Transfer] = []
    /// A connection has come up with it.
    private var isKnown = false
    /// Until then it is HTTP/1.1. The largest: until the next configuration, because the provider has said so.
    private var http1Until: UInt64 = 0
    /// Whether both ends have agreed upon HTTP/2; a test answers by itself.
    var isAgreed: (Link) -> Bool = { $0.speaksHTTP2 }
    /// Requests at once, as the provider last said.
    var limit = Session.maxStreams

    init(_ endpoint: Endpoint) { self.endpoint = endpoint }

    /// nil: HTTP/1.1 is spoken for now.
    func take(for engine: TransferEngine) -> HTTP2Transfer? {
        if !isAsked(at: engine.reactor.now) { return nil }
        return spare.popLast() ?? HTTP2Transfer(engine, endpoint, self)
    }

    /// Whether the provider may speak HTTP/2.
    func isAsked(at now: UInt64) -> Bool { now >= http1Until }

    func give(back transfer: HTTP2Transfer) { if spare.count < Self.maxSpare { spare.append(transfer) } }

    // MARK: Who goes where

    /// Gives it to a connection, at once or when there is one for it.
    func place(_ transfer: HTTP2Transfer, avoiding other: HTTP2Connection? = nil) {
        transfer.waits(avoiding: other)
        let now = transfer.engine.reactor.now
        if now < http1Until { return transfer.fallBack() }
        for connection in connections where connection.hasRoom && connection !== other {
            if let since = connection.idleSince, now - since >= Link.maxIdleAge {
                connection.end()
                continue
            }
            return transfer.rides(on: connection, isKept: true)
        }
        waiting.append(transfer)
        grow(transfer.engine)
    }

    /// It waits no longer.
    func drop(_ transfer: HTTP2Transfer) { waiting.removeAll { $0 === transfer } }

    /// As many connections are made as those that wait will fill.
    private func grow(_ engine: TransferEngine) {
        if connections.contains(where: \.isShut) { return }
        let each = max(1, limit)
        var missing = isKnown ? (waiting.count + each - 1) / each : min(1, waiting.count)
        missing -= connections.count { !$0.isUp }
        while missing > 0, add(engine) { missing -= 1 }
    }

    /// Has one more connection made; false if that can't even begin.
    private func add(_ engine: TransferEngine) -> Bool {
        let connection = HTTP2Connection(engine, self)
        connections.append(connection)
        do {
            try connection.connect()
            return true
        } catch {
            // First those that wait, or the end of this one would have another made.
            fail(UpstreamFailure(of: error))
            connection.end()
            return false
        }
    }

    /// Has one made for requests to come.
    func warm(_ engine: TransferEngine) { _ = add(engine) }

    /// There is room on a connection, or one is being made.
    var isReady: Bool { connections.contains { !$0.isUp || $0.isShut || $0.hasRoom } }

    func closeOld(now: UInt64) {
        for connection in connections {
            if let since = connection.idleSince, now - since >= Link.maxIdleAge { connection.end() }
        }
    }

    /// There may be room on it for some that wait; others are made for the rest.
    func fill(_ connection: HTTP2Connection, isKept: Bool = true) {
        var index = 0
        while index < waiting.count, connection.hasRoom {
            if waiting[index].avoids === connection {
                index += 1
            } else {
                waiting.remove(at: index).rides(on: connection, isKept: isKept)
            }
        }
        growIfNeeded()
    }

    private func growIfNeeded() { if let first = waiting.first { grow(first.engine) } }

    // MARK: From connections

    func cameUp(_ connection: HTTP2Connection) {
        isKnown = true
        fill(connection, isKept: false)
        guard connection.idleSince != nil else { return }
        endpoint.warmth?.isMade()
        fellIdle(connection)
    }

    /// It could not be made. Whoever waits may go by others that are on their way, but would fare no better with a new one.
    func failed(_ connection: HTTP2Connection, _ failure: UpstreamFailure) {
        connections.removeAll { $0 === connection }
        if connections.allSatisfy(\.isUp) { fail(failure) }
    }

    private func fail(_ failure: UpstreamFailure) {
        let failed = waiting
        waiting = []
        if failed.isEmpty { endpoint.warmth?.hasFailed() }
        for transfer in failed { transfer.end(failure) }
    }

    /// The provider has chosen HTTP/1.1: everybody goes on with that, one of them over this very link.
    func speaksHTTP1(_ connection: HTTP2Connection, _ link: Link, now: UInt64) {
        let others = waiting
        waiting = []
        remove(connection)
        isKnown = false
        http1Until = now + Self.http1Age
        link.rest()
        endpoint.keep(link)
        if others.isEmpty { endpoint.warmth?.isMade() }
        for transfer in others { transfer.fallBack() }
    }

    /// The provider has answered HTTP_1_1_REQUIRED (RFC 9113 §7): requests go out over HTTP/1.1 from here on. What is under way
    /// ends where it is.
    func requiresHTTP1() {
        if http1Until == .max { return }
        http1Until = .max
        let others = waiting
        waiting = []
        for connection in connections where connection.idleSince != nil { connection.end() }
        for transfer in others { transfer.fallBack() }
    }

    /// It has no request. As many of those are kept as of others, and none that nobody will use.
    func fellIdle(_ connection: HTTP2Connection) {
        let kept = http1Until == .max ? 0 : endpoint.settings.maxIdleConnections
        if connections.count(where: { $0.idleSince != nil }) > kept { connection.end() }
    }

    /// What waited for room on it goes by another.
    func remove(_ connection: HTTP2Connection) {
        connections.removeAll { $0 === connection }
        growIfNeeded()
    }

    /// Nobody is under way any more.
    func close() {
        waiting = []
        for connection in connections { connection.end() }
    }
}
