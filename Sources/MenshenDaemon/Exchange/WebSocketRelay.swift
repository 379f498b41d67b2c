// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenUpstream

/// The WebSocket of one exchange: the tunnel to the provider, and what is read of its frames on the way.
final class WebSocketRelay {
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

    func start(_ tunnel: Tunnel) throws {
        self.tunnel = tunnel
        try tunnel.start()
    }

    func open() { isOpen = true }

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
    func passed(_ bytes: UnsafeRawBufferPointer) {
        bytes.withMemoryRebound(to: UInt8.self) { outgoing.push($0.span, to: &observer) }
    }

    func resume() { tunnel?.resume() }

    func cancel() {
        tunnel?.cancel()
        tunnel = nil
    }

    func ended() { tunnel = nil }

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
