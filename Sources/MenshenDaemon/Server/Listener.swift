// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import Reactor

/// A socket to accept on, as the workers get it; several workers share one.
package struct ListeningSocket: Sendable {
    package enum Kind: Sendable {
        /// Callers are known by their peer credentials.
        case unix(path: String)
        /// Callers need a token, and browsers are kept out.
        case tcp(addresses: [String], port: UInt16)
    }

    package let descriptor: Int32
    package let kind: Kind
    /// "unix:/run/user/1000/menshen/menshen.sock", "tcp:127.0.0.1:8080"; for the status and logs.
    package let name: String
    /// It shows metrics and health, to everybody, and nothing else.
    package let isForMetrics: Bool

    package init(descriptor: Int32, kind: Kind, name: String, isForMetrics: Bool = false) {
        self.descriptor = descriptor
        self.kind = kind
        self.name = name
        self.isForMetrics = isForMetrics
    }
}

/// Accepts on one socket for one worker.
final class Listener: ReadinessHandler, TimerHandler {
    /// Accepted in one turn, so that a storm of connections does not starve those that are open.
    private static let batch = 64
    /// After the process ran out of descriptors: long enough for some to close, short enough not to be noticed.
    private static let pause: UInt64 = 100_000

    let socket: ListeningSocket
    private unowned let worker: Worker
    let isTCP: Bool
    private let timer = Timer()
    private var gate: (snapshot: Snapshot, gate: WebGate)?

    init(_ socket: ListeningSocket, _ worker: Worker) {
        self.socket = socket
        self.worker = worker
        isTCP = if case .tcp = socket.kind { true } else { false }
        timer.handler = self
    }

    /// What keeps web pages out of a TCP listener; nil on a Unix socket, which a browser cannot reach.
    func webGate(_ snapshot: Snapshot) -> WebGate? {
        guard case .tcp(let addresses, let port) = socket.kind else { return nil }
        if let known = gate, known.snapshot === snapshot { return known.gate }
        let server = snapshot.configuration.server
        let fresh = WebGate(
            port: port, addresses: addresses, allowedHosts: server.allowedHosts, allowedOrigins: server.allowedOrigins)
        gate = (snapshot, fresh)
        return fresh
    }

    func start() throws(SystemError) {
        try worker.reactor.register(socket.descriptor, .readable, self, isShared: worker.isOneOfSeveral)
    }

    /// Connections that are waiting stay in the kernel's queue.
    func stop() {
        worker.reactor.timers.cancel(timer)
        worker.reactor.deregister(socket.descriptor)
    }

    func ready(_ descriptor: Int32, _ readiness: Readiness) { accept() }

    func accept() {
        for _ in 0..<Self.batch {
            do {
                guard let fd = try SocketIO.accept(socket.descriptor) else { return }
                worker.admit(fd, from: self)
            } catch {
                worker.events.tell(.acceptFailed(socket.name, error.description))
                worker.reactor.deregister(socket.descriptor)
                worker.reactor.timers.set(timer, at: worker.now + Self.pause)
                return
            }
        }
    }

    func timerFired(_ timer: Timer) {
        do { try start() } catch { worker.events.tell(.acceptFailed(socket.name, error.description)) }
    }
}
