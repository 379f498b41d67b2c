// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Curl
package import TLS

/// How to reach one provider, and the transfers and connections that have reached it before. Belongs to one engine and its thread.
package final class Endpoint {
    package struct Settings: Sendable {
        package var url: String
        /// The same host and port without TLS.
        package var plainURL: String
        /// As it goes into Host.
        package var host: String
        /// Whom a certificate must be for.
        package var hostName: String
        /// nil: not secured.
        package var tls: TLSClient?
        var isTLS: Bool { tls != nil }
        package var socketPath: String?
        /// Empty: none, and the environment's proxy variables do not apply either.
        package var proxy: String
        /// Those of `tls`; a proxy is verified with the same authorities.
        package var files: TLSFiles
        package var http2: Bool
        /// A connection waits for as long as the provider was used lately; but not where libcurl speaks HTTP.
        package var keepsWarm: Bool
        package var connectTimeoutMilliseconds: Int
        /// Microseconds.
        package var firstByteTimeout: UInt64
        package var gapTimeout: UInt64
        package var totalTimeout: UInt64?
        package var maxIdleConnections: Int
        /// libcurl speaks HTTP where it need not, too.
        package var usesLibcurl: Bool

        /// Microseconds.
        var connectTimeout: UInt64 { UInt64(connectTimeoutMilliseconds) * 1000 }

        var patience: Patience.Limits {
            Patience.Limits(
                connect: connectTimeout, firstByte: firstByteTimeout, gap: gapTimeout, total: totalTimeout)
        }

        package init(
            url: String, plainURL: String, host: String, hostName: String, tls: TLSClient?, socketPath: String?,
            proxy: String, files: TLSFiles, http2: Bool, keepsWarm: Bool,
            connectTimeoutMilliseconds: Int, firstByteTimeout: UInt64, gapTimeout: UInt64, totalTimeout: UInt64?,
            maxIdleConnections: Int, usesLibcurl: Bool
        ) {
            self.url = url
            self.plainURL = plainURL
            self.host = host
            self.hostName = hostName
            self.tls = tls
            self.socketPath = socketPath
            self.proxy = proxy
            self.files = files
            self.http2 = http2
            self.keepsWarm = keepsWarm
            self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
            self.firstByteTimeout = firstByteTimeout
            self.gapTimeout = gapTimeout
            self.totalTimeout = totalTimeout
            self.maxIdleConnections = maxIdleConnections
            self.usesLibcurl = usesLibcurl
        }
    }

    /// Handles kept for the next request; more are freed. A burst's worth for one thread.
    private static let maxPooled = 256

    package let settings: Settings
    let origin: Origin
    /// Where connections go that are ours from there on; libcurl is to speak no TLS on them.
    let connection: Origin
    /// For the next handshakes.
    let tickets = Tickets()
    /// Host and port as they go into Host.
    let authority: [UInt8]
    private var pool: [any PooledTransfer] = []
    /// Where connections are shared: the transfers under way, in no order.
    private var active: [CurlTransfer] = []
    /// Connections without a request, the last used at the end.
    private var idle: [Link] = []
    /// nil: requests do not go out over HTTP/2, or libcurl sends them.
    private(set) var http2: HTTP2Pool?
    /// nil: none was ever made for a request to come.
    private(set) var warmth: Warmth?
    /// Another has its place: nothing is made for requests to come.
    private var isRetired = false

    package convenience init(_ settings: Settings) throws(CurlError) {
        try self.init(settings, http2: settings.isTLS && settings.http2)
    }

    /// `http2`: requests go out over HTTP/2 if the provider agrees.
    init(_ settings: Settings, http2: Bool) throws(CurlError) {
        self.settings = settings
        authority = Array(settings.host.utf8)
        origin = try Origin(settings.url + "/")
        connection = try Origin(settings.plainURL + "/")
        if isOurs, http2 { self.http2 = HTTP2Pool(self) }
    }

    var isPlainProxy: Bool { !settings.proxy.isEmpty && !settings.isTLS && !settings.proxy.hasPrefix("socks") }

    /// Requests are written and answers read here. A proxy for plain HTTP wants whole URLs, as libcurl writes them.
    private var isOurs: Bool { !settings.usesLibcurl && !isPlainProxy }

    /// Several of libcurl's transfers may use one connection.
    var isShared: Bool { settings.isTLS && settings.http2 }

    func entered(_ transfer: CurlTransfer) {
        guard isShared else { return }
        transfer.place = active.count
        active.append(transfer)
    }

    /// A transfer is over. One that was given up has queued its RST_STREAM; another on its connection sends it.
    func left(_ transfer: CurlTransfer, isGivenUp: Bool) {
        if isShared, isGivenUp { transfer.easyHandle.closeUnsharedConnection(false) }
        guard let place = transfer.place else { return }
        active[active.count - 1].place = place
        active.swapAt(place, active.count - 1)
        active.removeLast()
        transfer.place = nil
        guard isGivenUp else { return }
        let port = transfer.easyHandle.localPort
        guard port != 0 else { return }
        active.first { !$0.isPaused && $0.easyHandle.localPort == port }?.easyHandle.flushConnection()
    }

    func take(for engine: TransferEngine) throws(CurlError) -> any Transfer {
        if let transfer = http2?.take(for: engine) { return transfer }
        return try takeHTTP1(for: engine)
    }

    /// Whatever the provider might agree to.
    func takeHTTP1(for engine: TransferEngine) throws(CurlError) -> any Transfer {
        if let transfer = pool.popLast() { return transfer }
        if isOurs { return HTTP1Transfer(engine, self) }
        return try CurlTransfer(engine, self)
    }

    func give(back transfer: any PooledTransfer) {
        if pool.count < Self.maxPooled { pool.append(transfer) }
    }

    // MARK: Connections of our own transfers

    func takeIdle(now: UInt64) -> Link? {
        while let link = idle.popLast() {
            // What was said unasked would be taken for the answer.
            if now - link.idleSince < Link.maxIdleAge, link.isSilent { return link }
            link.close()
        }
        return nil
    }

    func keep(_ link: Link) {
        guard idle.count < settings.maxIdleConnections else { return link.close() }
        idle.append(link)
    }

    /// It has ended while nobody used it.
    func forget(_ link: Link) { idle.removeAll { $0 === link } }

    // MARK: Connections for requests to come

    /// A request has left a connection, which waits now.
    func wasUsed(by engine: TransferEngine) {
        guard settings.keepsWarm else { return }
        warmth(engine)?.wasUsed()
    }

    /// A request comes in that will need one: if none waits, one begins to be made, and the request takes it as far as it is
    /// by then.
    func connectEarly(_ engine: TransferEngine) {
        guard isOurs, !hasConnection else { return }
        warmth(engine)?.connect()
    }

    /// nil: none is made for requests to come.
    private func warmth(_ engine: TransferEngine) -> Warmth? {
        guard !isRetired, settings.maxIdleConnections > 0 else { return nil }
        let warmth = warmth ?? Warmth(engine, self)
        self.warmth = warmth
        return warmth
    }

    /// The next request, at least, needs none to be made.
    var hasConnection: Bool { !idle.isEmpty || http2?.isReady == true }

    /// nil: HTTP/1.1 is spoken for now.
    func pool(at now: UInt64) -> HTTP2Pool? { http2?.isAsked(at: now) == true ? http2 : nil }

    func closeOld(now: UInt64) {
        http2?.closeOld(now: now)
        for link in idle where now - link.idleSince >= Link.maxIdleAge { link.close() }
        idle.removeAll { now - $0.idleSince >= Link.maxIdleAge }
    }

    /// For when another takes its place, or the worker is about to stop: its requests go on, and nothing is made for others.
    package func retire() {
        isRetired = true
        warmth?.end()
        warmth = nil
    }

    deinit {
        warmth?.end()
        for link in idle { link.close() }
        http2?.close()
    }
}
