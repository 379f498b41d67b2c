// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import Reactor

/// Has a connection to one provider made before a request takes it: while the request itself still comes in, and, if that is
/// asked for, when the last is closed that waited, for as long as the provider has been used lately. The request finds TLS's
/// handshake done or under way. Belongs to the endpoint; nobody hears of its failures.
final class Warmth: LinkUser, TimerHandler {
    /// A provider used so long ago is left alone. Programs pause for minutes, people for longer. Microseconds, as all of these.
    static let lately: UInt64 = 600_000_000
    /// A provider that closes a connection without a request sooner than that does not want any.
    static let shortest: UInt64 = 10_000_000
    /// From one failure to the next attempt; twice as long after each.
    static let firstPause: UInt64 = 1_000_000
    static let longestPause: UInt64 = 60_000_000

    private let engine: TransferEngine
    private unowned let endpoint: Endpoint
    private let timer = Timer()
    /// When a request last left a connection.
    private var usedAt: UInt64
    /// When the last connection was made for nobody; nil: there was a request since.
    private var madeAt: UInt64?
    private var pause = Warmth.firstPause
    /// Nothing is made until the next use.
    private var isUnwanted = false
    /// It is being made, with HTTP/1.1 alone; that with HTTP/2 belongs to the pool.
    private var coming: Link?

    init(_ engine: TransferEngine, _ endpoint: Endpoint) {
        self.engine = engine
        self.endpoint = endpoint
        usedAt = engine.reactor.now
        timer.handler = self
    }

    /// A request has left a connection, which waits now.
    func wasUsed() {
        usedAt = engine.reactor.now
        madeAt = nil
        isUnwanted = false
        pause = Self.firstPause
        engine.reactor.timers.set(timer, at: usedAt + Link.maxIdleAge)
    }

    /// The provider has closed one that waited. The next is made at once if it was the last.
    func wasClosed() {
        let now = engine.reactor.now
        if let madeAt, now - madeAt < Self.shortest { isUnwanted = true }
        renew()
    }

    private func renew() {
        let isKept = endpoint.settings.keepsWarm && !isUnwanted && engine.reactor.now - usedAt < Self.lately
        guard isKept, !endpoint.hasConnection else { return }
        engine.reactor.timers.cancel(timer)
        connect()
    }

    /// Begins to make one, unless it is on its way.
    func connect() {
        if coming != nil { return }
        if let pool = endpoint.pool(at: engine.reactor.now) { return pool.warm(engine) }
        let link = Link(engine, to: endpoint)
        coming = link
        do { try link.connect(for: self) } catch { linkFailed(link, UpstreamFailure(of: error)) }
    }

    /// One is there without a request.
    func isMade() {
        guard endpoint.settings.keepsWarm else { return }
        let now = engine.reactor.now
        madeAt = now
        pause = Self.firstPause
        engine.reactor.timers.set(timer, at: now + Link.maxIdleAge)
    }

    /// One could not be made.
    func hasFailed() {
        guard endpoint.settings.keepsWarm else { return }
        engine.reactor.timers.set(timer, at: engine.reactor.now + pause)
        pause = min(2 * pause, Self.longestPause)
    }

    /// It is time for another attempt, or for another connection in place of one that is too old to be used.
    func timerFired(_ timer: Timer) {
        let now = engine.reactor.now
        guard now - usedAt < Self.lately else { return }
        endpoint.closeOld(now: now)
        renew()
    }

    /// The connection that is on its way, for a request that would have one made. `user` owns it from here on.
    func take(for user: any LinkUser) -> Link? {
        guard let link = coming else { return nil }
        coming = nil
        link.changesHands(to: user)
        return link
    }

    func end() {
        engine.reactor.timers.cancel(timer)
        coming?.close()
        coming = nil
    }

    // MARK: The link

    func linkIsUp(_ link: Link) {
        coming = nil
        link.rest()
        endpoint.keep(link)
        isMade()
    }

    func linkFailed(_ link: Link, _ failure: UpstreamFailure) {
        coming = nil
        link.close()
        hasFailed()
    }

    func linkIsReady(_ link: Link, _ readiness: Readiness) {}
}
