// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import Reactor

/// How an answer, a wait and the connection itself come to their end.
extension Connection {
    /// After an answer that ends the connection early: how long a caller that still sends is heard, so that it reads the
    /// answer in place of a reset, and how long it may be silent. What it sends is read and thrown away.
    private static let lingerTime: UInt64 = 30_000_000
    private static let lingerGap: UInt64 = 5_000_000
    /// The same while menshen stops.
    private static let drainLingerTime: UInt64 = 2_000_000

    /// How long it may wait for a request.
    var waitTime: UInt64 {
        let settings = worker.settings
        return isNewcomer ? min(settings.headerTimeout, settings.idleTimeout) : settings.idleTimeout
    }

    func inputEnded() {
        stops.insert(.ended)
        updateInterest()
        switch phase {
        case .head where input.unread == 0: closeWhenWritten()
        case .head:
            // Requests that wait for their turn are still answered.
            place.mayGoOn = true
            mark()
        case .answering where mayHalfClose: break
        case .answering, .body, .tunnel: callerLeft()
        case .lingering: close()
        case .closed: break
        }
    }

    /// On a Unix socket the kernel tells a caller that only finished sending from one that left (EPOLLHUP). On TCP both
    /// look alike; only a caller that announced the end of the connection is taken to be waiting for its answer.
    private var mayHalfClose: Bool {
        if !listener.isTCP { return true }
        // Nobody who sends the next request already has lost interest in this one.
        return exchange?.head.keepAlive == false || input.unread > 0
    }

    /// The answer is in `output`, whole. Goes on with the next request or closes.
    func exchangeEnded(_ ending: Exchange.Ending) {
        exchange = nil
        switch (ending, phase) {
        case (.keepAlive(true), .answering):
            // Also while draining: the answer's head has promised it, so the caller may be sending already.
            phase = .head
            times.waitingSince = worker.now
            setTimer(waitTime)
            stops.remove(.paused)
            updateInterest()
            place.mayGoOn = true
            mark()
        // A body that was not read to its end hides where the next request begins.
        case (.keepAlive, _), (.breakOff(needsReset: false), _): closeWhenWritten()
        // The answer broke off: the caller must see that.
        case (.breakOff(needsReset: true), _): closeWhenWritten(.reset)
        }
    }

    /// A 101 is in `output`: what the caller sends from here on, or has sent already, is not HTTP.
    func becomeTunnel() {
        phase = .tunnel
        if !isBlocked { cancelTimer() }
        if listener.isTCP { SocketIO.setKeepAlive(fd) }
        stops.insert(.paused)
        resumeReading()
    }

    func closeWhenWritten(_ how: Closing = .orderly) {
        if closing != .reset { closing = how }
        switch phase {
        case .head, .tunnel: phase = .answering
        default: break
        }
        mark()
    }

    func finishClosing() {
        if closing == .reset {
            SocketIO.resetOnClose(fd)
            return close()
        }
        closing = .none
        if stops.contains(.ended) { return close() }
        // Closing with unread input would turn into a reset that may overtake the answer.
        SocketIO.finishWriting(fd)
        phase = .lingering(until: worker.now + (worker.isDraining ? Self.drainLingerTime : Self.lingerTime))
        dropInput()
        stops.remove(.paused)
        updateInterest()
        worker.lingers(self)
        if case .lingering(let end) = phase { linger(until: end) }
    }

    func linger(until end: UInt64) {
        if worker.now >= end { return close() }
        setTimer(min(end - worker.now, Self.lingerGap))
    }

    /// Keep-alive ends for a connection that has waited for a request since `time` or longer; who only follows what goes on is
    /// not waited for.
    func closeIfIdle(since time: UInt64) {
        if case .following(let stream) = exchange?.phase { return stream.sayGoodbye() }
        if case .lingering(let end) = phase, worker.isDraining {
            phase = .lingering(until: min(end, worker.now + Self.drainLingerTime))
        }
        guard isIdle, times.waitingSince <= time else { return }
        // A request may have arrived after the loop looked.
        read()
        if isIdle { close() }
    }

    func abort(_ goodbye: WebSocketRelay.Goodbye = .goingAway) {
        exchange?.abort(goodbye)
        close()
    }

    /// A few bytes before `abort` closes; they are lost unless all that came before has been written.
    func writeLast(_ bytes: [UInt8]) {
        if isHeld || pendingOutput > 0 { return }
        _ = bytes.withUnsafeBytes { SocketIO.write(fd, $0) }
    }

    func callerLeft() {
        let leaving = exchange
        exchange = nil
        close()
        leaving?.callerLeft()
    }

    func close() {
        guard !isClosed else { return }
        if isBlocked { setBlocked(false) }
        phase = .closed
        let worker = worker
        worker.reactor.timers.cancel(timer)
        worker.reactor.deregister(fd)
        SocketIO.close(fd)
        worker.forget(self)
    }

    // MARK: Timers

    func setTimer(_ microseconds: UInt64, isForHead: Bool = false) {
        times.isHeadDue = isForHead
        let reactor = worker.reactor
        reactor.timers.set(timer, at: reactor.now + microseconds)
    }

    /// The next piece of the body is waited for.
    func awaitBody() {
        let worker = worker
        setTimer(times.bodyWait(at: worker.now, worker.settings.idleTimeout))
    }

    func cancelTimer() {
        times.isHeadDue = false
        worker.reactor.timers.suspend(timer)
    }

    func timerFired(_ timer: Timer) {
        switch phase {
        case .head where times.isHeadDue:
            timeOut("The request head did not arrive within server.header_timeout.")
        case .body where pendingOutput == 0:
            timeOut(
                times.isBodyLate(at: worker.now)
                    ? "The request body did not arrive within server.body_timeout."
                    : "The request body stopped arriving for server.idle_timeout.")
        case .head, .lingering, .closed: close()
        case .body, .answering, .tunnel: callerLeft()
        }
    }

    func timeOut(_ message: String) {
        let exchange = exchange ?? Exchange(self, RequestHead())
        self.exchange = exchange
        let problem = Problem(.requestTimeout, status: 408, message, isRetryable: true)
        let isHead = if case .head = phase { true } else { false }
        phase = .answering
        if isHead { exchange.refuseMalformed(problem) } else { exchange.fail(problem) }
    }
}
