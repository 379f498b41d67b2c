// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import Reactor

/// How an answer, a wait and the connection itself come to their end.
extension Connection {
    /// The answer is in `output`, whole. Goes on with the next request or closes.
    func exchangeEnded(keepAlive: Bool) {
        exchange = nil
        // A body that was not read to its end hides where the next request begins.
        let isBodyRead = if case .answering = phase { true } else { false }
        if keepAlive, isBodyRead {
            // Also while draining: the answer's head has promised it, so the caller may be sending already.
            phase = .head
            waitingSince = worker.now
            setTimer(worker.settings.idleTimeout)
            isReadingPaused = false
            updateInterest()
            mayContinue = true
            mark()
        } else {
            closeWhenWritten()
        }
    }

    /// A 101 is in `output`: what the caller sends from here on, or has sent already, is not HTTP.
    func becomeTunnel() {
        phase = .tunnel
        if !isBlocked { cancelTimer() }
        if case .tcp = listener.socket.kind { SocketIO.setKeepAlive(fd) }
        isReadingPaused = true
        resumeReading()
    }

    /// The answer broke off: the caller must see that.
    func breakOff(needsReset: Bool) {
        exchange = nil
        resetsOnClose = needsReset
        isHeld = false
        closeWhenWritten()
    }

    func closeWhenWritten() {
        closesAfterOutput = true
        switch phase {
        case .head, .tunnel: phase = .answering
        default: break
        }
        mark()
    }

    func finishClosing() {
        closesAfterOutput = false
        if resetsOnClose {
            SocketIO.resetOnClose(fd)
            return close()
        }
        if isInputEnded { return close() }
        // Closing with unread input would turn into a reset that may overtake the answer.
        SocketIO.finishWriting(fd)
        phase = .lingering(heard: 0)
        input = []
        isReadingPaused = false
        updateInterest()
        setTimer(Self.lingerTime)
    }

    func linger(_ heard: Int) {
        if heard > Self.lingerBytes { return close() }
        phase = .lingering(heard: heard)
    }

    /// Keep-alive ends for a connection that has waited for a request since `time` or longer.
    func closeIfIdle(since time: UInt64) {
        guard isIdle, waitingSince <= time else { return }
        // A request may have arrived after the loop looked.
        read()
        if isIdle { close() }
    }

    func abort() {
        exchange?.abort()
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
        phase = .closed
        worker.reactor.timers.cancel(timer)
        worker.reactor.deregister(fd)
        SocketIO.close(fd)
        worker.forget(self)
    }

    // MARK: Timers

    func setTimer(_ microseconds: UInt64, isForHead: Bool = false) {
        timerIsForHead = isForHead
        worker.reactor.timers.set(timer, at: worker.now + microseconds)
    }

    func cancelTimer() {
        timerIsForHead = false
        worker.reactor.timers.cancel(timer)
    }

    func timerFired(_ timer: Timer) {
        switch phase {
        case .head where timerIsForHead:
            timeOut("The request head did not arrive within server.header_timeout.")
        case .body where pendingOutput == 0:
            timeOut("The request body stopped arriving for server.idle_timeout.")
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
