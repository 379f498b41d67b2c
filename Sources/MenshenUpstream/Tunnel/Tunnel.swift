// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP
internal import Linux
package import Reactor

/// Receives what a tunnel brings. Nothing is called from inside libcurl.
package protocol TunnelReceiver: AnyObject {
    /// The provider's answer, in `tunnel.head`: after status 101 all that follows is the other protocol's, after any other
    /// status it is the answer's body.
    func tunnelReceivedHead(_ tunnel: Tunnel)
    /// How much may come now, in bytes; 0 asks for no more until `resume`. Asked while `TransferEngine.asksForRoom`.
    func tunnelRoom(_ tunnel: Tunnel) -> Int
    /// The bytes are taken in any case; false asks for no more until `resume`.
    func tunnelReceived(_ tunnel: Tunnel, _ bytes: UnsafeRawBufferPointer) -> Bool
    /// `send` takes more again.
    func tunnelHasRoom(_ tunnel: Tunnel)
    /// The last call. nil: the provider has closed the connection, or the body is whole.
    func tunnelEnded(_ tunnel: Tunnel, _ failure: UpstreamFailure?)
}

/// One request that asks a provider to change the protocol, over a link of its own: the request is written and the answer read
/// here, and after a 101 bytes pass both ways as they are. Used once; its
/// `headers` are filled before `start`.
package final class Tunnel: TimerHandler, LinkUser {
    private enum State {
        case connecting
        case head
        /// After a 101.
        case open
        case body
        case over
    }

    package private(set) var head = ResponseHead(mayUpgrade: true)
    private let engine: TransferEngine
    private let endpoint: Endpoint
    private let outgoing = SendBuffer()
    package var headers: any HeaderSink { outgoing }
    private let link: Link
    private let timer = Timer()
    private unowned let receiver: any TunnelReceiver
    private var state = State.connecting
    private var reader = ResponseReader()
    private var isPaused = false
    /// The socket takes no more for now.
    private var isBlocked = false
    /// The provider reads no more; what it has still to say is relayed.
    private var isSendBroken = false
    /// `send` did not take all.
    private var isFull = false

    /// The receiver owns the tunnel.
    package init(
        _ engine: TransferEngine, to endpoint: Endpoint, target: [UInt8], receiver: any TunnelReceiver
    ) {
        self.engine = engine
        self.endpoint = endpoint
        self.receiver = receiver
        link = Link(engine, to: endpoint)
        timer.handler = self
        outgoing.append("GET ")
        target.withUnsafeBytes { outgoing.append($0) }
        outgoing.append(" HTTP/1.1\r\nHost: ")
        endpoint.authority.withUnsafeBytes { outgoing.append($0) }
        outgoing.append("\r\nConnection: Upgrade\r\n")
    }

    // MARK: Towards the provider

    package func start() throws {
        outgoing.append("\r\n")
        try link.connect(for: self)
        setTimer(endpoint.settings.patience.start)
    }

    /// Passes bytes on after a 101, and says how many were taken: `tunnelHasRoom` tells when to come with the rest.
    package func send(_ bytes: UnsafeRawBufferPointer) -> Int {
        var taken = 0
        while !isSendBroken {
            taken += outgoing.take(UnsafeRawBufferPointer(rebasing: bytes[taken...]))
            if !isBlocked { flush() }
            if taken == bytes.count { return taken }
            if isBlocked {
                isFull = true
                return taken
            }
        }
        return bytes.count
    }

    /// Goes on after `tunnelReceived` said no, or there was no room.
    package func resume() {
        guard isPaused else { return }
        isPaused = false
        updateInterest()
        if case .open = state {} else { setTimer(endpoint.settings.gapTimeout) }
    }

    /// Ends it without a further call to the receiver.
    package func cancel() {
        if case .over = state { return }
        state = .over
        engine.reactor.timers.cancel(timer)
        link.close()
        outgoing.wipe()
    }

    private func flush() {
        if case .connecting = state { return }
        while !isSendBroken, let bytes = outgoing.next {
            switch link.write(bytes) {
            case .bytes(let count): outgoing.sent(count)
            case .wouldBlock:
                outgoing.wouldBlock()
                isBlocked = true
                updateInterest()
                // A provider that takes nothing any more must not keep its caller for ever.
                if case .open = state { setTimer(endpoint.settings.gapTimeout) }
                return
            case .ended:
                isSendBroken = true
                outgoing.wipe()
            }
        }
        // The request is gone; so should be the key.
        if case .head = state { outgoing.wipe() }
        if isBlocked {
            isBlocked = false
            updateInterest()
            if case .open = state { engine.reactor.timers.cancel(timer) }
        }
        if isFull, outgoing.hasRoom {
            isFull = false
            receiver.tunnelHasRoom(self)
        }
    }

    // MARK: From the reactor

    func linkIsReady(_ link: Link, _ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        if !isPaused, !readiness.isDisjoint(with: .input) { receive() }
    }

    package func timerFired(_ timer: Timer) {
        switch state {
        case .connecting, .head: end(UpstreamFailure(.firstByteTimeout))
        case .open, .body: end(UpstreamFailure(.gapTimeout))
        case .over: break
        }
    }

    private func receive() {
        while !isPaused {
            if case .over = state { return }
            guard let space = engine.space({ receiver.tunnelRoom(self) }) else { return halt() }
            switch link.read(into: space) {
            case .wouldBlock: return
            case .ended(let ending): return received(ending)
            case .bytes(let count): received(UnsafeRawBufferPointer(rebasing: space[..<count]))
            }
        }
    }

    private func received(_ bytes: UnsafeRawBufferPointer) {
        bytes.withMemoryRebound(to: UInt8.self) { buffer in
            do {
                try read(buffer)
            } catch let failure as UpstreamFailure {
                end(failure)
            } catch {
                end(UpstreamFailure(.malformed, "the answer is not safe to relay: \(error)"))
            }
        }
    }

    private func read(_ bytes: UnsafeBufferPointer<UInt8>) throws {
        var index = 0
        while true {
            if case .over = state { return }
            switch try reader.next(bytes.span, from: index, into: &head) {
            case .needMore: return
            case .interim(let consumed): index = consumed
            case .head(let consumed):
                index = consumed
                try headEnded()
            case .data(let range):
                index = range.upperBound
                if case .body = state { setTimer(endpoint.settings.gapTimeout) }
                deliver(UnsafeBufferPointer(rebasing: bytes[range]))
            case .end: return end(nil)
            }
        }
    }

    private func headEnded() throws {
        if head.status == 101 {
            guard head.opensWebSocket else {
                throw UpstreamFailure(.malformed, "a 101 that does not open a WebSocket as it was asked for")
            }
            state = .open
            engine.reactor.timers.cancel(timer)
        } else {
            state = .body
            setTimer(endpoint.settings.gapTimeout)
        }
        receiver.tunnelReceivedHead(self)
    }

    private func deliver(_ bytes: UnsafeBufferPointer<UInt8>) {
        if receiver.tunnelReceived(self, UnsafeRawBufferPointer(bytes)) { return }
        if case .over = state { return }
        halt()
    }

    private func halt() {
        isPaused = true
        // The caller is slow, not the provider.
        if case .open = state {} else { engine.reactor.timers.cancel(timer) }
        updateInterest()
    }

    private func received(_ ending: Link.Ending) {
        switch state {
        case .connecting, .head: end(UpstreamFailure(ending.reason, ending.detail))
        // A WebSocket says its goodbye itself.
        case .open where ending.wasClosed, .body where ending.isWhole && reader.endsWithConnection: end(nil)
        case .open, .body: end(UpstreamFailure(.truncated, ending.detail))
        case .over: break
        }
    }

    private func end(_ failure: UpstreamFailure?) {
        if case .over = state { return }
        cancel()
        receiver.tunnelEnded(self, failure)
    }

    private func updateInterest() {
        if case .over = state { return }
        var interest: Readiness = []
        if !isPaused { interest.insert(.readable) }
        if isBlocked { interest.insert(.writable) }
        link.want(interest)
    }

    private func setTimer(_ microseconds: UInt64) {
        engine.reactor.timers.set(timer, at: engine.reactor.now + microseconds)
    }

    // MARK: From the link

    func linkIsUp(_ link: Link) {
        guard case .connecting = state else { return }
        state = .head
        setTimer(endpoint.settings.firstByteTimeout)
        flush()
    }

    func linkFailed(_ link: Link, _ failure: UpstreamFailure) { end(failure) }
}
