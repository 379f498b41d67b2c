// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Curl
internal import Linux
internal import Reactor

/// Uses a link for one request at a time.
protocol LinkUser: AnyObject {
    func linkIsUp(_ link: Link)
    func linkFailed(_ link: Link, _ failure: UpstreamFailure)
    func linkIsReady(_ link: Link, _ readiness: Readiness)
}

/// A connection without TLS to one provider. libcurl makes it (names, addresses in turn, Unix sockets); then the socket is
/// ours, and libcurl keeps nothing of it. Between requests it waits with its endpoint, and goes when the provider closes
/// it or says something unasked.
final class Link: ReadinessHandler, ConnectionDelegate {
    /// Idle ones older than this are likely to be closed by the provider just as they are used. Microseconds.
    static let maxIdleAge: UInt64 = 90_000_000

    private let engine: TransferEngine
    private let reactor: Reactor
    private unowned let endpoint: Endpoint
    /// nil while it is idle.
    private var user: (any LinkUser)?
    private var handle: EasyHandle?
    private var socket: Int32 = -1
    /// What epoll is asked for; empty: it does not know the socket.
    private var interest: Readiness = []
    private(set) var idleSince: UInt64 = 0
    /// Bytes written since the connection was made, and as of the present use.
    private var written: Int64 = 0
    private var writtenBefore: Int64 = 0

    init(_ engine: TransferEngine, to endpoint: Endpoint) {
        self.engine = engine
        reactor = engine.reactor
        self.endpoint = endpoint
    }

    /// `user` owns it from here on, and closes it or makes it idle.
    func connect(for user: any LinkUser) throws(CurlError) {
        self.user = user
        handle = try engine.connect(self, to: endpoint)
    }

    func use(for user: any LinkUser) {
        self.user = user
        writtenBefore = written
    }

    /// Proves, once the connection has ended, that the provider has read nothing of what the present use wrote.
    /// `wasClosed`: the end was its orderly close, which an answer to our bytes by a reset follows. Where the provider closed
    /// first, its kernel has acknowledged nothing of them; a reset alone also comes from one that has read a part.
    func hasReadNothing(wasClosed: Bool) -> Bool {
        if written == writtenBefore { return true }
        // The SYN counts as one.
        return wasClosed && SocketIO.acknowledged(socket).map { $0 <= writtenBefore + 1 } == true
    }

    /// The provider has neither closed it nor said anything since the last answer.
    var isSilent: Bool { SocketIO.isSilent(socket) }

    /// Without a user until the next `use`.
    func rest() {
        user = nil
        idleSince = reactor.now
        want(.readable)
    }

    func close() {
        user = nil
        if let handle { engine.drop(handle) }
        handle = nil
        guard socket >= 0 else { return }
        want([])
        SocketIO.close(socket)
        socket = -1
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> SocketIO.Outcome {
        let outcome = SocketIO.write(socket, bytes)
        if case .bytes(let count) = outcome { written += Int64(count) }
        return outcome
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> SocketIO.Outcome { SocketIO.read(socket, into: buffer) }

    /// Errors are reported whatever is wanted: one of which nothing is wanted leaves epoll meanwhile.
    func want(_ wanted: Readiness) {
        if wanted == interest { return }
        if wanted.isEmpty {
            reactor.deregister(socket)
        } else if interest.isEmpty {
            // Fails only when memory for epoll is short; the transfer then ends by its timer.
            do { try reactor.register(socket, wanted, self) } catch { return }
        } else {
            reactor.want(socket, wanted)
        }
        interest = wanted
    }

    func ready(_ descriptor: Int32, _ readiness: Readiness) {
        if let user { return user.linkIsReady(self, readiness) }
        endpoint.forget(self)
        close()
    }

    // MARK: From libcurl

    /// The connection is there, or will not be.
    func finished(_ error: CurlError?) {
        guard let user, let handle else { return }
        if let error {
            return user.linkFailed(self, UpstreamFailure(error, hadHead: false, hadConnection: false))
        }
        do {
            guard let connected = handle.socket else { throw UpstreamFailure(.connect, "the connection is gone") }
            // A number of our own for the connection: libcurl closes its own with the handle.
            socket = try SocketIO.duplicate(connected)
            engine.drop(handle)
            self.handle = nil
            try reactor.register(socket, .readable, self)
            interest = .readable
        } catch {
            return user.linkFailed(self, (error as? UpstreamFailure) ?? UpstreamFailure(.unavailable, "\(error)"))
        }
        user.linkIsUp(self)
    }
}
