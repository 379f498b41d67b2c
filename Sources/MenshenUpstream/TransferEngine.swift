// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Curl
package import Linux
package import Reactor
internal import TLS

/// Does at the end of a turn what the turn has asked for.
protocol EndOfTurn: AnyObject {
    func go()
}

/// Drives libcurl on a reactor: sockets, timer, completions; and starts at a turn's end what the turn has asked for. One per worker, on its thread.
package final class TransferEngine: MultiDelegate, ReadinessHandler, TimerHandler {
    let reactor: Reactor
    private let timer = Timer()
    /// For what must wait until libcurl is off the stack; its own, because libcurl moves and cancels the other.
    private let choreTimer = Timer()
    private var multi: MultiHandle?
    /// What libcurl wants of a socket now, by descriptor. A connection stays in epoll between requests, which saves two
    /// system calls a request; a report about one that nothing is wanted of takes it out.
    private var wanted: [Readiness] = []
    /// Calls from libcurl on the stack; transfers may be removed only when there are none.
    private var depth = 0
    /// Their upload is over, which libcurl is to be told when it is not on the stack.
    private var sleeping: [CurlTransfer] = []
    /// Where tunnels and transfers of our own are read into.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    /// Where the records of TLS pass.
    private(set) lazy var pipe = Pipe()
    /// What HTTP/2 connections send in a turn is put together here, one connection after the other.
    let outbox = SendBuffer(capacity: 64 << 10)
    /// Memory is short: no more is read of an answer than its receiver has room for.
    package var asksForRoom = false
    private enum Waiting {
        case handle(EasyHandle)
        case own(any EndOfTurn)
        /// A handle that was taken out again.
        case dropped
    }
    /// What this turn has asked for.
    private var waiting: [Waiting] = []
    private var doomed: [(transfer: CurlTransfer, endpoint: Endpoint)] = []

    package init(on reactor: Reactor, maxIdleConnections: Int) throws(CurlError) {
        self.reactor = reactor
        // 0 would be libcurl's own default.
        multi = try MultiHandle(self, maxIdle: max(1, maxIdleConnections))
        timer.handler = self
        choreTimer.handler = self
    }

    deinit { scratch.deallocate() }

    /// Names and versions of libcurl and the libraries under it.
    package static var libraries: String { CurlGlobal.version }

    /// Once per process, before the first engine.
    package static func prepareProcess() throws { try CurlGlobal.start() }

    /// A transfer for one request to the endpoint, not yet started.
    package func transfer(to endpoint: Endpoint) throws(CurlError) -> any Transfer { try endpoint.take(for: self) }

    /// A request comes in that will need a connection to it. Nothing is dialled before the turn's end, and the request may end
    /// without: the connection then waits for another.
    package func connectEarly(to endpoint: Endpoint) { endpoint.connectEarly(self) }

    /// A handle with all that the endpoint wants of each of its connections.
    func makeHandle(
        _ delegate: any EasyDelegate, to endpoint: Endpoint, _ version: EasyHandle.HTTPVersion
    ) throws(CurlError) -> EasyHandle {
        guard let multi else { throw CurlError(code: 2) }
        let easy = try EasyHandle(delegate, on: multi)
        let settings = endpoint.settings
        try easy.route(proxy: settings.proxy, socketPath: settings.socketPath, version: version)
        if settings.proxy.hasPrefix("https://") || settings.usesLibcurl { try secure(easy, settings.files) }
        // Links and transfers have a timer of their own for it. libcurl divides this time among the addresses of a name.
        try easy.connect(timeoutMilliseconds: settings.connectTimeoutMilliseconds)
        return easy
    }

    /// For TLS that libcurl speaks.
    private func secure(_ easy: EasyHandle, _ files: TLSFiles) throws(CurlError) {
        let system = files.authorities == nil ? SystemAuthorities.find() : nil
        try easy.trust(file: files.authorities ?? system?.file, directory: system?.directory)
        if let list = files.revocations { try easy.refuse(revokedBy: list) }
        if let own = files.identity { try easy.identify(certificate: own.certificate, key: own.key) }
    }

    /// Has libcurl make a connection and no more, with the next `startWaiting`.
    func connect(_ delegate: any ConnectionDelegate, to endpoint: Endpoint) throws(CurlError) -> EasyHandle {
        let easy = try makeHandle(delegate, to: endpoint, .http1)
        try easy.connectOnly(endpoint.connection)
        start(easy)
        return easy
    }

    /// Starts a transfer with the next `startWaiting`.
    func start(_ easy: EasyHandle) { waiting.append(.handle(easy)) }

    /// Has it go on at the end of the turn.
    func start(_ own: any EndOfTurn) { waiting.append(.own(own)) }

    package var hasWaiting: Bool { !waiting.isEmpty }

    /// Starts what the turn has asked for, one right after the other: the first request wakes the provider, and the others
    /// find it awake. With 16 callers on the same machine that was a tenth of a request's CPU.
    package func startWaiting() {
        // One that is started may ask for another.
        var index = 0
        while index < waiting.count {
            switch waiting[index] {
            case .handle(let easy): multi?.add(easy)
            case .own(let own): own.go()
            case .dropped: break
            }
            index += 1
        }
        waiting.removeAll(keepingCapacity: true)
    }

    /// Takes a handle out, and closes the connection that it kept. Not from inside libcurl.
    func drop(_ easy: EasyHandle) {
        for index in waiting.indices {
            if case .handle(let other) = waiting[index], other === easy { waiting[index] = .dropped }
        }
        multi?.remove(easy)
    }

    /// Where the next piece of an answer goes: as large as may come now; nil if nothing may.
    func space(_ room: () -> Int) -> UnsafeMutableRawBufferPointer? {
        if !asksForRoom { return scratch }
        let room = room()
        return room > 0 ? UnsafeMutableRawBufferPointer(rebasing: scratch.prefix(room)) : nil
    }

    /// Gives a connection that libcurl has made, and wants nothing of any more, to somebody else to poll.
    func hand(_ socket: Int32, to handler: any ReadinessHandler) throws(SystemError) {
        reactor.deregister(socket)
        try reactor.register(socket, .readable, handler)
    }

    /// Removes a transfer now, or as soon as libcurl is not on the stack.
    func abandon(_ transfer: CurlTransfer, of endpoint: Endpoint) {
        if depth > 0 {
            doomed.append((transfer, endpoint))
            reactor.timers.set(choreTimer, at: reactor.now)
        } else {
            transfer.remove()
            transfer.recycle()
        }
    }

    func wakeLater(_ transfer: CurlTransfer) {
        sleeping.append(transfer)
        reactor.timers.set(choreTimer, at: reactor.now)
    }

    func inside<R>(_ body: () -> R) -> R {
        depth += 1
        defer { depth -= 1 }
        return body()
    }

    // MARK: Reactor → libcurl

    package func ready(_ descriptor: Int32, _ readiness: Readiness) {
        guard Int(descriptor) < wanted.count, !wanted[Int(descriptor)].isEmpty else {
            reactor.deregister(descriptor)
            return
        }
        multi?.ready(
            descriptor, readable: !readiness.isDisjoint(with: .input),
            writable: readiness.contains(.writable), failed: readiness.contains(.error))
    }

    package func timerFired(_ timer: Timer) {
        if timer === choreTimer { doChores() } else { multi?.timedOut() }
    }

    private func doChores() {
        // One that has been used again since is only asked for what it does not have yet.
        while let transfer = sleeping.popLast() { transfer.wakeUpload() }
        while let (transfer, endpoint) = doomed.popLast() {
            defer { withExtendedLifetime(endpoint) {} }
            transfer.remove()
            transfer.recycle()
        }
    }

    /// libcurl has ended a transfer by itself before it could be removed.
    func isOver(_ transfer: CurlTransfer) { doomed.removeAll { $0.transfer === transfer } }

    /// Closes every connection, while there is still somebody to hear of it.
    package func close() {
        reactor.timers.cancel(timer)
        reactor.timers.cancel(choreTimer)
        multi = nil
    }

    // MARK: libcurl → reactor

    package func opened(_ socket: Int32) {
        if Int(socket) < wanted.count { wanted[Int(socket)] = [] }
        reactor.forget(socket)
    }

    package func want(_ socket: Int32, readable: Bool, writable: Bool) {
        while wanted.count <= Int(socket) { wanted.append([]) }
        var interest: Readiness = []
        if readable { interest.insert(.readable) }
        if writable { interest.insert(.writable) }
        wanted[Int(socket)] = interest
        if reactor.isRegistered(socket) {
            reactor.want(socket, interest)
        } else {
            // Fails only when memory for epoll is short; the transfer then ends by its timer.
            try? reactor.register(socket, interest, self)
        }
    }

    package func release(_ socket: Int32, isConnection: Bool) {
        guard Int(socket) < wanted.count else { return }
        wanted[Int(socket)] = []
        // The resolver's sockets are closed without a word; a mask left behind would hide their successor.
        if !isConnection { reactor.deregister(socket) }
    }

    package func forget(_ socket: Int32) {
        guard Int(socket) < wanted.count else { return }
        wanted[Int(socket)] = []
        reactor.deregister(socket)
    }

    package func wake(afterMilliseconds milliseconds: Int?) {
        guard let milliseconds else { return reactor.timers.cancel(timer) }
        reactor.timers.set(timer, at: reactor.now + UInt64(milliseconds) * 1000)
    }
}
