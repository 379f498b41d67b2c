// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Curl
internal import Linux
internal import Reactor
internal import TLS

/// Uses a link for one request at a time, or for many if they share it.
protocol LinkUser: AnyObject {
    func linkIsUp(_ link: Link)
    func linkFailed(_ link: Link, _ failure: UpstreamFailure)
    func linkIsReady(_ link: Link, _ readiness: Readiness)
}

/// A connection to one provider. libcurl makes it (names, addresses in turn, Unix sockets, proxies); then the socket is ours, and
/// TLS, where the provider speaks it. Between requests it waits with its endpoint, and goes when the provider closes it or says
/// something unasked.
final class Link: ReadinessHandler, ConnectionDelegate, EndOfTurn, TimerHandler {
    /// What came of a read or a write.
    enum Moved {
        case bytes(Int)
        case wouldBlock
        case ended(Ending)
    }

    struct Ending {
        let detail: String
        /// The provider's orderly close, as far as the network can tell: a FIN.
        let wasClosed: Bool
        /// Nothing that the provider said before can be missing.
        let isWhole: Bool
        /// It is TLS's close_notify, and a FIN may still come.
        var isOpen = false
        /// The kernel tells a reset once: what is read behind it looks like a FIN, which came first only where a write fails by
        /// EPIPE.
        var isReset = false
        /// Before an answer has begun.
        var reason = UpstreamFailure.Reason.reset

        static var closed: Ending {
            Ending(detail: "the provider closed the connection", wasClosed: true, isWhole: true)
        }

        /// TLS's close_notify without a FIN: what the provider's kernel has of ours may be unacknowledged, and read yet.
        static func goodbye(isOpen: Bool) -> Ending {
            Ending(detail: "the provider closed the connection", wasClosed: false, isWhole: true, isOpen: isOpen)
        }

        static func broken(_ detail: String, _ reason: UpstreamFailure.Reason = .reset) -> Ending {
            Ending(detail: detail, wasClosed: false, isWhole: false, isReset: true, reason: reason)
        }

        static func failed(_ error: SystemError) -> Ending {
            var ending = broken(String(describing: error))
            ending.isReset = !error.isBrokenPipe
            return ending
        }
    }

    /// Idle ones older than this are likely to be closed by the provider just as they are used. Microseconds.
    static let maxIdleAge: UInt64 = 90_000_000
    /// How long a FIN is waited for behind close_notify. It comes at once, or the provider waits for our own. Microseconds.
    private static let goodbyeAge: UInt64 = 1_000_000

    private let engine: TransferEngine
    private let reactor: Reactor
    private unowned let endpoint: Endpoint
    /// nil while it is idle.
    private var user: (any LinkUser)?
    /// While libcurl makes the connection.
    private var handle: EasyHandle?
    private var socket = LinkSocket.none
    private var security: Security?
    /// Set while the connection is made (names, addresses, proxy and TLS's handshake together), and while a FIN is waited for.
    private let deadline = Timer()
    /// What its user wants to hear of, and what epoll is asked for; of an empty `interest` epoll knows nothing.
    private var wanted: Readiness = []
    private var interest: Readiness = []
    /// Whether its user can speak HTTP/2; set before it is made.
    var offersHTTP2 = false
    private(set) var idleSince: UInt64 = 0
    /// Bytes written since the connection was made, and as of the present use.
    private var written: Int64 = 0
    private var writtenBefore: Int64 = 0
    /// What the other side had acknowledged before we wrote anything. The SYN counts as one.
    private var acknowledgedBefore: Int64 = 1
    private var isStarted = false
    /// close_notify has come, and behind it a FIN is waited for, or has been in vain.
    private(set) var isLeaving = false
    private var hasWaited = false
    /// A write has found a reset. With TLS `security` knows.
    private var wasReset = false
    /// It was made for whoever would come, and whoever did has taken it on its way.
    private(set) var wasTakenOver = false

    init(_ engine: TransferEngine, to endpoint: Endpoint) {
        self.engine = engine
        reactor = engine.reactor
        self.endpoint = endpoint
    }

    /// `user` owns it from here on, and closes it or makes it idle.
    func connect(for user: any LinkUser) throws {
        self.user = user
        if let client = endpoint.settings.tls {
            security = try Security(client, endpoint, offersHTTP2: offersHTTP2, engine)
        }
        handle = try engine.connect(self, to: endpoint)
        deadline.handler = self
        reactor.timers.set(deadline, at: reactor.now + endpoint.settings.connectTimeout)
    }

    /// One that is being made goes to somebody else.
    func changesHands(to user: any LinkUser) {
        self.user = user
        wasTakenOver = true
    }

    func use(for user: any LinkUser) {
        self.user = user
        writtenBefore = written
    }

    /// What both ends have agreed upon: without TLS, what is offered.
    var speaksHTTP2: Bool { security.map(\.channel.speaksHTTP2) ?? offersHTTP2 }

    /// Proves, once the connection has ended, that the provider has read nothing of what the present use wrote.
    /// `wasClosed`: the end was its orderly close, which an answer to our bytes by a reset follows. Where the provider closed
    /// first, its kernel has acknowledged nothing of them; a reset alone also comes from one that has read a part.
    func hasReadNothing(wasClosed: Bool) -> Bool {
        if written == writtenBefore { return true }
        // Of what a reset cut off some may have been read, and was not acknowledged.
        if wasReset || security?.failure?.isReset == true { return false }
        guard wasClosed, let descriptor = socket.descriptor else { return false }
        return SocketIO.acknowledged(descriptor).map { $0 <= writtenBefore + acknowledgedBefore } == true
    }

    /// The provider has neither closed it nor said anything since the last answer.
    var isSilent: Bool {
        guard let descriptor = socket.descriptor else { return false }
        if !socket.isLent, security?.hasMore != true, SocketIO.isSilent(descriptor) { return true }
        return security != nil && saysNothing()
    }

    /// What has come between requests is TLS's own, a ticket as a rule.
    private func saysNothing() -> Bool { if case .wouldBlock = read(into: engine.scratch) { true } else { false } }

    /// Without a user until the next `use`.
    func rest() {
        user = nil
        idleSince = reactor.now
        want(.readable)
    }

    func close() {
        user = nil
        reactor.timers.cancel(deadline)
        security?.end(socket)
        security = nil
        if let handle { engine.drop(handle) }
        handle = nil
        wanted = []
        updateInterest()
        switch socket {
        case .none: break
        case .own(let descriptor): SocketIO.close(descriptor)
        case .lent(_, let handle): engine.drop(handle)
        }
        socket = .none
    }

    // MARK: Bytes

    func write(_ bytes: UnsafeRawBufferPointer) -> Moved {
        guard let security else {
            let moved = socket.write(bytes)
            switch moved {
            case .bytes(let count): written += Int64(count)
            case .ended(let ending) where ending.isReset: wasReset = true
            case .ended, .wouldBlock: break
            }
            return moved
        }
        guard sendRecords() else { return .wouldBlock }
        // After a failure nothing waits, and nothing goes.
        let count = security.failure == nil ? security.channel.write(bytes) : nil
        _ = sendRecords()
        if let count, security.failure == nil { return .bytes(count) }
        return .ended(security.failure ?? .broken("TLS is broken"))
    }

    /// Sends what TLS has made. False: some of it waits until the socket takes more.
    private func sendRecords() -> Bool {
        guard let security else { return true }
        written += Int64(security.send(to: socket))
        let isDone = security.isSent
        if isDone == interest.contains(.writable) { updateInterest() }
        return isDone
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Moved {
        let moved = security?.read(socket, into: buffer) ?? socket.read(into: buffer)
        if security?.hasToSend == true { _ = sendRecords() }
        switch moved {
        case .bytes: startIfMore()
        case .ended(let ending) where ending.isOpen && awaitsEnd(): return .wouldBlock
        case .ended, .wouldBlock: break
        }
        return moved
    }

    /// The FIN behind close_notify is waited for where it may prove that the provider has read nothing.
    private func awaitsEnd() -> Bool {
        guard user != nil, !hasWaited, written > writtenBefore, hasReadNothing(wasClosed: true) else { return false }
        if !isLeaving { reactor.timers.set(deadline, at: reactor.now + Self.goodbyeAge) }
        isLeaving = true
        return true
    }

    // MARK: Readiness

    /// Errors are reported whatever is wanted: one of which nothing is wanted leaves epoll meanwhile.
    func want(_ wanted: Readiness) {
        if wanted == self.wanted { return }
        self.wanted = wanted
        updateInterest()
        startIfMore()
    }

    private func updateInterest() {
        guard let descriptor = socket.descriptor else { return }
        let needed = security?.isSent == false ? wanted.union(.writable) : wanted
        if needed == interest { return }
        if needed.isEmpty {
            reactor.deregister(descriptor)
        } else if interest.isEmpty {
            // Fails only when memory for epoll is short; the transfer then ends by its timer.
            do { try reactor.register(descriptor, needed, self) } catch { return }
        } else {
            reactor.want(descriptor, needed)
        }
        interest = needed
    }

    /// What has come already is not reported by epoll.
    private func startIfMore() {
        guard !isStarted, security?.hasMore == true || socket.isLent, wanted.contains(.readable) else { return }
        isStarted = true
        engine.start(self)
    }

    /// Called at the turn's end.
    func go() {
        isStarted = false
        guard let descriptor = socket.descriptor, wanted.contains(.readable) else { return }
        ready(descriptor, .readable)
    }

    func ready(_ descriptor: Int32, _ readiness: Readiness) {
        if let security, security.isShaking { return shake(hasRecords: true) }
        if readiness.contains(.writable) { _ = sendRecords() }
        if let user { return user.linkIsReady(self, readiness) }
        if security != nil, saysNothing() { return }
        endpoint.forget(self)
        close()
        endpoint.warmth?.wasClosed()
    }

    // MARK: From libcurl

    /// The connection is there, or will not be.
    func finished(_ error: CurlError?) {
        guard let user, let handle else { return }
        if let error { return user.linkFailed(self, UpstreamFailure(error, refusedBy: handle.proxyStatus)) }
        do {
            guard let connected = handle.socket else { throw UpstreamFailure(.connect, "the connection is gone") }
            try take(connected, of: handle)
        } catch {
            return user.linkFailed(self, UpstreamFailure(of: error))
        }
        if security == nil { isUp() } else { shake(hasRecords: false) }
    }

    private func isUp() {
        reactor.timers.cancel(deadline)
        user?.linkIsUp(self)
    }

    func timerFired(_ timer: Timer) {
        if isLeaving {
            hasWaited = true
            user?.linkIsReady(self, .readable)
            return
        }
        user?.linkFailed(
            self, UpstreamFailure(.connectTimeout, "making the connection takes longer than upstream.connect_timeout"))
    }

    private func take(_ connected: Int32, of handle: EasyHandle) throws {
        if endpoint.settings.proxy.hasPrefix("https://") {
            try engine.hand(connected, to: self)
            socket = .lent(connected, handle)
        } else {
            // A number of our own for the connection: libcurl closes its own with the handle.
            let descriptor = try SocketIO.duplicate(connected)
            socket = .own(descriptor)
            engine.drop(handle)
            try reactor.register(descriptor, .readable, self)
            if !endpoint.settings.proxy.isEmpty { acknowledgedBefore = SocketIO.acknowledged(descriptor) ?? .min }
        }
        self.handle = nil
        wanted = .readable
        interest = .readable
    }

    // MARK: TLS's handshake

    private func shake(hasRecords: Bool) {
        guard let user, let security else { return }
        let step = security.shake(socket, hasRecords: hasRecords)
        _ = sendRecords()
        switch step {
        case .needsMore: break
        case .done:
            isUp()
            startIfMore()
        case .failed(let failure): user.linkFailed(self, failure)
        }
    }
}
