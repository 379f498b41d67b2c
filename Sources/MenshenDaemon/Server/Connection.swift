// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import Reactor

/// One accepted socket: reads requests one after the other, hands each to an exchange, and writes what the exchange
/// produces. Bytes of an answer stay here until its record is safe (`Exchange.holdsOutput`).
final class Connection: ReadinessHandler, TimerHandler {
    /// Unsent bytes above which the upstream is paused: enough to keep a fast reader busy between two turns.
    static let highWater = 256 << 10
    private static let crowdedHighWater = 32 << 10
    /// Unread input kept while an answer is under way (pipelined requests).
    private static let inputLimit = 64 << 10
    /// Requests of one connection that begin in one turn; others come in between.
    private static let requestsPerTurn = 16

    enum Phase {
        case head
        case body(BodyDecoder)
        /// The request is whole; its answer is under way.
        case answering
        /// A WebSocket: all input goes to the exchange as it is.
        case tunnel
        /// The answer is written; input is thrown away until the caller closes, or the time has come.
        case lingering(until: UInt64)
        case closed
    }

    let fd: Int32
    let listener: Listener
    let caller: CallerRecord
    unowned let worker: Worker

    var phase = Phase.head
    private var parser = RequestParser()
    var exchange: Exchange?
    /// Bytes before `taken` are done with.
    var input: [UInt8] = []
    private var taken = 0
    var isInputEnded = false
    var isReadingPaused = false
    /// More is not read until what is there has been worked off.
    private var isInputFull = false
    /// It goes on in the next turn.
    var isQueued = false
    private var turn: UInt64 = 0
    private var begunInTurn = 0
    /// When the body has to be there, in monotonic microseconds; time in which it was not read does not count.
    var bodyDeadline: UInt64 = 0
    private var pausedAt: UInt64 = 0
    /// On TCP, a caller that no request has made known yet.
    var isNewcomer: Bool
    /// The socket takes no more until it is reported writable.
    private(set) var isBlocked = false
    var closesAfterOutput = false
    var resetsOnClose = false
    lazy var timer = Timer(self)
    var timerIsForHead = false

    /// What is to go down; filled by the exchange, emptied by `flush`.
    var output: [UInt8] = []
    private var sent = 0
    private var isMarked = false
    /// When the connection began to wait for a request, in monotonic microseconds.
    var waitingSince: UInt64
    var mayContinue = false
    /// What was found of the last request's Host and token.
    var familiarity = Familiarity()

    init(_ fd: Int32, _ listener: Listener, _ caller: CallerRecord, _ worker: Worker) {
        self.fd = fd
        self.listener = listener
        self.caller = caller
        self.worker = worker
        waitingSince = worker.now
        isNewcomer = listener.isTCP
    }

    var isClosed: Bool { if case .closed = phase { true } else { false } }
    /// No request has begun.
    var isIdle: Bool { if case .head = phase { exchange == nil && unread == 0 && output.isEmpty } else { false } }
    /// Nothing of the output goes down yet.
    var isHeld: Bool { exchange?.holdsOutput == true }
    var pendingOutput: Int { output.count - sent }
    var unread: Int { input.count - taken }
    /// With many callers that do not read, each gets less.
    var highWater: Int { worker.isCrowded ? Self.crowdedHighWater : Self.highWater }

    func start() throws(SystemError) {
        try worker.reactor.register(fd, .readable, self)
        setTimer(waitTime)
    }

    // MARK: Reading

    func ready(_ descriptor: Int32, _ readiness: Readiness) {
        if readiness.contains(.writable) {
            flush()
            goOn()
        }
        if isClosed { return }
        if readiness.contains(.error) { return callerLeft() }
        // A Unix peer that closed, rather than half-closed, is gone for good; what it sent is still to be read if no
        // request is under way.
        if readiness.contains(.hangup), isInputEnded || exchange != nil, !mayRead { return callerLeft() }
        if readiness.contains(.readable) || readiness.contains(.hangup) { read() }
    }

    /// What a WebSocket's caller said before it left still goes to the provider.
    private var mayRead: Bool { if case .tunnel = phase { !isReadingPaused && !isInputEnded } else { false } }

    func read() {
        switch SocketIO.read(fd, into: worker.scratch) {
        case .wouldBlock: return
        case .failed: callerLeft()
        case .bytes(0): inputEnded()
        case .bytes(let count):
            if case .lingering(let end) = phase { return linger(until: end) }
            let fresh = UnsafeRawBufferPointer(rebasing: worker.scratch[..<count])
            if input.isEmpty {
                let used = process(fresh)
                if used < count, !isLost { input.append(contentsOf: fresh[used...]) }
            } else {
                input.append(contentsOf: fresh)
                if !isQueued { processInput() }
            }
            checkInput()
        }
    }

    /// Input is of no use any more.
    private var isLost: Bool {
        switch phase {
        case .closed, .lingering: true
        default: false
        }
    }

    private func processInput() {
        taken += processUnread()
        if isLost || taken == input.count {
            dropInput()
        } else if taken >= input.count / 2 {
            // Each byte is moved once at most for each that is done with.
            input.removeFirst(taken)
            taken = 0
        }
        checkInput()
    }

    func dropInput() {
        input = []
        taken = 0
        if isLost { isInputFull = false }
    }

    private func processUnread() -> Int {
        let pending = input
        return pending.withUnsafeBytes { process(UnsafeRawBufferPointer(rebasing: $0[taken...])) }
    }

    /// Stops reading where requests come faster than their answers, and goes on when half of them are done.
    private func checkInput() {
        let isFull = (isBusy || isQueued) && unread > (isInputFull ? Self.inputLimit / 2 : Self.inputLimit)
        guard isFull != isInputFull, !isClosed else { return }
        isInputFull = isFull
        updateInterest()
    }

    /// Its turn has come again.
    func takeTurn() {
        isQueued = false
        if isClosed { return }
        mayContinue = true
        goOn()
    }

    /// Whether another request may begin now; if not, in the next turn.
    private func mayBegin() -> Bool {
        if turn != worker.turn {
            turn = worker.turn
            begunInTurn = 0
        }
        begunInTurn += 1
        if begunInTurn <= Self.requestsPerTurn { return true }
        if !isQueued {
            isQueued = true
            worker.nextTurn.add(self)
        }
        return false
    }

    /// Takes requests and body bytes from `bytes`; returns how many are used.
    private func process(_ bytes: UnsafeRawBufferPointer) -> Int {
        bytes.withMemoryRebound(to: UInt8.self) { buffer in
            var used = 0
            do throws(HTTPError) {
                while used < buffer.count, !isReadingPaused {
                    switch phase {
                    case .head:
                        // One answer at a time: pipelined requests must not pile up answers that nobody reads.
                        if pendingOutput > 0 {
                            mayContinue = true
                            return used
                        }
                        if !mayBegin() { return used }
                        let rest = UnsafeBufferPointer(rebasing: buffer[used...])
                        switch try parser.parse(rest.span, limit: worker.settings.maxHeaderBytes) {
                        case .needMore:
                            if !timerIsForHead { setTimer(worker.settings.headerTimeout, isForHead: true) }
                            return used
                        case .head(let head, let consumed):
                            used += consumed
                            try begin(head)
                        }
                    case .body(let decoder): used = try takeBody(decoder, buffer, from: used)
                    case .tunnel:
                        let rest = UnsafeBufferPointer(rebasing: buffer[used...])
                        used += exchange?.receiveTunnelled(UnsafeRawBufferPointer(rest)) ?? rest.count
                        if used < buffer.count { pauseReading() }
                    case .answering, .lingering, .closed: return used
                    }
                }
            } catch {
                refuse(error)
                return buffer.count
            }
            return used
        }
    }

    private func begin(_ head: RequestHead) throws(HTTPError) {
        cancelTimer()
        let exchange = Exchange(self, head)
        self.exchange = exchange
        let decoder = try BodyDecoder(head.framing, limit: worker.settings.maxBodyBytes)
        phase = decoder.isDone ? .answering : .body(decoder)
        if !decoder.isDone {
            bodyDeadline = worker.now + worker.settings.bodyTimeout
            setTimer(bodyWait)
        }
        exchange.begin(hasBody: !decoder.isDone)
    }

    func bodyEnded() {
        guard case .body = phase else { return }
        phase = .answering
        if !isBlocked { cancelTimer() }
        exchange?.bodyEnded()
    }

    /// Malformed input: what follows cannot be trusted, so the connection ends with the answer.
    private func refuse(_ error: HTTPError) {
        // Nothing that follows is a request, nor a body.
        phase = .answering
        let problem = Problem(
            error.isExcess ? .requestTooLarge : .malformedRequest, status: error.status, error.explanation)
        if let exchange {
            exchange.fail(problem)
        } else {
            let exchange = Exchange(self, RequestHead())
            self.exchange = exchange
            exchange.refuseMalformed(problem)
        }
    }

    /// An answer is under way, or still being written.
    private var isBusy: Bool { if case .answering = phase { true } else { pendingOutput > 0 } }

    var bodyWait: UInt64 {
        min(worker.settings.idleTimeout, bodyDeadline > worker.now ? bodyDeadline - worker.now : 0)
    }

    func pauseReading() {
        if !isReadingPaused { pausedAt = worker.now }
        isReadingPaused = true
        // It is not the caller who is late now.
        if case .body = phase, !isBlocked { cancelTimer() }
        updateInterest()
    }

    /// What was read of the body so far fills the transfer's buffer.
    func pauseForUpload() { pauseReading() }

    /// The exchange has room for more of the body.
    func resumeReading() {
        guard isReadingPaused, !isClosed else { return }
        isReadingPaused = false
        bodyDeadline += worker.now - pausedAt
        if case .body = phase, !isBlocked { setTimer(bodyWait) }
        mayContinue = true
        mark()
        updateInterest()
    }

    // MARK: Writing

    /// Has `flush` run at the end of the turn.
    func mark() {
        guard !isMarked else { return }
        isMarked = true
        worker.marked.append(self)
    }

    func endOfTurn() {
        isMarked = false
        if isClosed { return }
        flush()
        goOn()
    }

    /// Takes up input that had to wait, once what was to go down has gone.
    private func goOn() {
        guard mayContinue, !isClosed else { return }
        if case .head = phase {
            if pendingOutput > 0 { return }
            if isReadingPaused {
                isReadingPaused = false
                updateInterest()
            }
        }
        if isQueued { return }
        mayContinue = false
        if unread > 0 { processInput() }
        if case .head = phase, isInputEnded, !mayContinue, !isQueued { closeWhenWritten() }
    }

    func flush() {
        guard !isHeld, !isClosed else { return }
        while sent < output.count {
            let outcome = output.withUnsafeBytes { SocketIO.write(fd, UnsafeRawBufferPointer(rebasing: $0[sent...])) }
            switch outcome {
            case .bytes(let count): sent += count
            case .failed: return callerLeft()
            case .wouldBlock:
                if sent > Self.highWater {
                    output.removeFirst(sent)
                    sent = 0
                }
                // A reader that has stopped for good must not keep its upstream for ever.
                setTimer(worker.settings.writeTimeout)
                setBlocked(true)
                if pendingOutput < highWater { exchange?.outputHasRoom() }
                return
            }
        }
        if sent > 0 {
            worker.recycle(&output)
            sent = 0
            if isBlocked { setBlocked(false) }
            switch phase {
            case .answering, .tunnel: cancelTimer()
            default: break
            }
            exchange?.outputHasRoom()
        }
        if closesAfterOutput { finishClosing() }
    }

    func setBlocked(_ blocked: Bool) {
        if blocked != isBlocked { worker.blocked += blocked ? 1 : -1 }
        isBlocked = blocked
        updateInterest()
    }

    func updateInterest() {
        var interest: Readiness = []
        if !isInputEnded, !isReadingPaused, !isInputFull { interest.insert(.readable) }
        if isBlocked { interest.insert(.writable) }
        worker.reactor.want(fd, interest)
    }
}
