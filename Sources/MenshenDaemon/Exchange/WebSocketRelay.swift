// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenUpstream

/// The WebSocket that one attempt asks for: the tunnel to the provider, and what is read of its frames on the way. A provider
/// that answers with no WebSocket has its answer relayed as it is, unless the same can be had over plain HTTP.
final class WebSocketRelay {
    private unowned let attempt: Attempt
    private var tunnel: Tunnel?
    private var incoming = FrameReader()
    private var outgoing = FrameReader()
    /// What the provider's messages say of their cost.
    private(set) var observer = RealtimeObserver()
    /// After the 101.
    private(set) var isOpen = false

    /// Whether there is a connection to the provider, or one on its way.
    var isUp: Bool { tunnel != nil }
    /// Either side has said goodbye.
    var hasClosed: Bool { incoming.hasClosed || outgoing.hasClosed }
    var messagesIn: Int64? { isOpen ? incoming.messages : nil }
    var messagesOut: Int64? { isOpen ? outgoing.messages : nil }

    init(_ attempt: Attempt) { self.attempt = attempt }

    func start(_ tunnel: Tunnel) throws {
        self.tunnel = tunnel
        try tunnel.start()
    }

    /// Bytes from the caller; returns how many the tunnel took.
    func send(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let tunnel else { return bytes.count }
        let taken = tunnel.send(bytes)
        var none = NoConsumer()
        UnsafeRawBufferPointer(rebasing: bytes[..<taken]).withMemoryRebound(to: UInt8.self) {
            incoming.push($0.span, to: &none)
        }
        return taken
    }

    /// Bytes from the provider pass.
    private func passed(_ bytes: UnsafeRawBufferPointer) {
        bytes.withMemoryRebound(to: UInt8.self) { outgoing.push($0.span, to: &observer) }
    }

    func resume() { tunnel?.resume() }

    func cancel() {
        tunnel?.cancel()
        tunnel = nil
    }

    // MARK: Stopping

    /// Statuses of a close frame.
    enum Goodbye: UInt16 {
        case goingAway = 1001
        case policyViolation = 1008
    }

    /// A close frame for the provider, and one for the caller, wherever no other frame is half-way through. Nobody waits
    /// for the answers.
    func sayGoodbye(_ goodbye: Goodbye) -> [UInt8]? {
        guard isOpen, !hasClosed else { return nil }
        let status = [UInt8(goodbye.rawValue >> 8), UInt8(goodbye.rawValue & 0xFF)]
        if let tunnel, incoming.isBetweenFrames {
            // A client masks what it sends; here with a mask of zeros. For the provider the caller goes away.
            let close: [UInt8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE9]
            _ = close.withUnsafeBytes { tunnel.send($0) }
        }
        return outgoing.isBetweenFrames ? [0x88, 2] + status : nil
    }
}

// MARK: - The provider's answer

extension WebSocketRelay: TunnelReceiver {
    func tunnelReceivedHead(_ tunnel: Tunnel) {
        let exchange = attempt.exchange
        let connection = exchange.connection
        attempt.noteHeadroom(tunnel.head)
        if showsLack(tunnel.head) { return }
        exchange.enter(.relaying)
        attempt.report(.answered(status: tunnel.head.status), head: tunnel.head)
        exchange.worker.prepare(&connection.output)
        let now = Clock.monotonic()
        let additions = exchange.additions(asked: attempt.startedAt)
        if tunnel.head.status == 101 {
            exchange.writer.beginTunnel(tunnel.head, additions, at: now, to: &connection.output)
            isOpen = true
            connection.becomeTunnel()
        } else {
            exchange.writer.begin(tunnel.head, additions, at: now, to: &connection.output)
        }
        connection.mark()
    }

    /// The provider has no WebSocket there: another is asked, else the caller hears of it in the one way that sends it on at once.
    private func showsLack(_ head: ResponseHead) -> Bool {
        let exchange = attempt.exchange
        let operation = exchange.operation
        guard operation.hasPlainForm, let resolved = exchange.resolved,
            let lack = WebSocketLack(status: head.status, isEmpty: head.contentLength == 0)
        else { return false }
        if lack == .lasting { exchange.runtime.snapshot.commons.webSockets.noteLack(at: attempt.provider, resolved) }
        attempt.record(nil, status: head.status, reason: Problem.Code.noWebSocket.rawValue)
        // It is well, whatever its status says of the key.
        attempt.report(.answered(status: 426))
        attempt.cut()
        exchange.goOnLater(after: .failed, .noWebSocket([exchange.providerName], operation))
        return true
    }

    func tunnelRoom(_ tunnel: Tunnel) -> Int { attempt.exchange.connection.room }

    func tunnelReceived(_ tunnel: Tunnel, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let exchange = attempt.exchange
        let connection = exchange.connection
        exchange.worker.prepare(&connection.output)
        if isOpen {
            passed(bytes)
            exchange.writer.writeFrames(bytes, to: &connection.output)
        } else {
            exchange.writer.write(bytes, to: &connection.output)
        }
        connection.mark()
        return connection.pendingOutput < connection.highWater
    }

    func tunnelHasRoom(_ tunnel: Tunnel) { attempt.exchange.connection.resumeReading() }

    func tunnelEnded(_ tunnel: Tunnel, _ failure: UpstreamFailure?) {
        // What it was called for may let go of it.
        let attempt = attempt
        let exchange = attempt.exchange
        self.tunnel = nil
        var failure = failure
        if isOpen {
            let isCut = !hasClosed
            failure = isCut ? failure ?? UpstreamFailure(.truncated, "closed without a close frame") : nil
        } else if let failure, !exchange.writer.hasBegun {
            return exchange.attemptFailed(failure)
        }
        attempt.record(failure, status: exchange.writer.status)
        guard let failure else {
            exchange.writer.end(nil, to: &exchange.connection.output)
            return exchange.end(.complete, .keepAlive(false))
        }
        exchange.ledger.note(Problem(failure, provider: exchange.providerName))
        exchange.end(
            failure.isTimeout ? .timeout : .truncated,
            .breakOff(needsReset: !isOpen && exchange.writer.needsReset))
    }
}
