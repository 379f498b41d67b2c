// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import Reactor

/// One accepted socket: reads requests one after the other, hands each to an exchange, and writes what the exchange
/// produces. Bytes of an answer stay here until its record is safe (`Exchange.holdsOutput`).
final class Connection: ReadinessHandler, TimerHandler, Admitted {
    /// Unread input kept while an answer is under way (pipelined requests).
    private static let inputLimit = 64 << 10

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
    /// Lets go of the connection when it is closed.
    let worker: Worker
    let timer = Timer()

    var phase = Phase.head
    private var parser = RequestParser()
    var exchange: Exchange?
    var input = ConnectionInput()
    var stops: ReadStops = []
    var times: ConnectionTimes
    var place = TurnPlace()
    /// On TCP, a caller that no request has made known yet.
    var isNewcomer: Bool
    /// Its last request was for what goes on.
    var isOnlooker = false
    private var outgoing = ConnectionOutput()
    /// While the socket takes no more, until it is reported writable: unsent bytes that count as its caller's, and who that is.
    private var charged: (count: Int, payer: String)?
    var closing = Closing.none
    var hostMemo = HostMemo()
    var credentialMemo = CredentialMemo()
    var permitMemo = PermitMemo()

    init(_ fd: Int32, _ listener: Listener, _ caller: CallerRecord, _ worker: Worker) {
        self.fd = fd
        self.listener = listener
        self.caller = caller
        self.worker = worker
        times = ConnectionTimes(waitingSince: worker.now)
        isNewcomer = listener.isTCP
        timer.handler = self
    }

    var isTCP: Bool { listener.isTCP }
    var isClosed: Bool { if case .closed = phase { true } else { false } }
    var isLingering: Bool { if case .lingering = phase { true } else { false } }
    /// No request has begun.
    var isIdle: Bool {
        if case .head = phase { exchange == nil && input.unread == 0 && outgoing.bytes.isEmpty } else { false }
    }
    /// Nothing of the output goes down yet.
    var isHeld: Bool { exchange?.holdsOutput == true }
    var isReadingPaused: Bool { stops.contains(.paused) }
    /// What is to go down.
    var output: [UInt8] {
        get { outgoing.bytes }
        _modify { yield &outgoing.bytes }
    }
    var pendingOutput: Int { outgoing.pending }
    var isBlocked: Bool { charged != nil }
    /// Unsent bytes from which on the upstream is paused.
    var highWater: Int {
        let worker = worker
        return worker.answers.isAmple ? AnswerBudget.most : worker.answers.mark(for: payer)
    }
    /// How much more the upstream may bring now.
    var room: Int { AnswerBudget.room(of: highWater, beside: pendingOutput) }
    private var payer: String {
        charged?.payer ?? exchange?.access.principal.payer ?? Principal(caller).payer
    }

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
        if readiness.contains(.hangup), stops.contains(.ended) || exchange != nil, !mayRead { return callerLeft() }
        if readiness.contains(.readable) || readiness.contains(.hangup) { read() }
    }

    /// What a WebSocket's caller said before it left still goes to the provider.
    private var mayRead: Bool { if case .tunnel = phase { stops.isDisjoint(with: [.paused, .ended]) } else { false } }

    func read() {
        let scratch = worker.buffers.scratch
        switch SocketIO.read(fd, into: scratch) {
        case .wouldBlock: return
        case .failed: callerLeft()
        case .bytes(0): inputEnded()
        case .bytes(let count):
            if case .lingering(let end) = phase { return linger(until: end) }
            let fresh = UnsafeRawBufferPointer(rebasing: scratch[..<count])
            if input.isEmpty {
                let used = process(fresh)
                if used < count, !isLost { input.append(UnsafeRawBufferPointer(rebasing: fresh[used...])) }
            } else {
                input.append(fresh)
                if !place.isInNext { processInput() }
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
        let used = processUnread()
        if isLost { dropInput() } else { input.take(used) }
        checkInput()
    }

    /// A copy is read: the input may be dropped meanwhile.
    private func processUnread() -> Int {
        let pending = input
        return pending.withUnread { process($0) }
    }

    func dropInput() {
        input.drop()
        if isLost { stops.remove(.full) }
    }

    /// Stops reading where requests come faster than their answers, and goes on when half of them are done.
    private func checkInput() {
        let wasFull = stops.contains(.full)
        let isFull =
            input.unread > (wasFull ? Self.inputLimit / 2 : Self.inputLimit) && (isBusy || place.isInNext)
        guard isFull != wasFull, !isClosed else { return }
        if isFull { stops.insert(.full) } else { stops.remove(.full) }
        updateInterest()
    }

    /// Its turn has come again.
    func takeTurn() {
        place.isInNext = false
        if isClosed { return }
        place.mayGoOn = true
        goOn()
    }

    /// Whether another request may begin now; if not, in the next turn.
    private func mayBegin() -> Bool {
        let turns = worker.turns
        if place.mayBegin(in: turns.number) { return true }
        if !place.isInNext {
            place.isInNext = true
            turns.addToNext(self)
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
                            place.mayGoOn = true
                            return used
                        }
                        if !mayBegin() { return used }
                        let rest = UnsafeBufferPointer(rebasing: buffer[used...])
                        switch try parser.parse(rest.span, limit: worker.settings.maxHeaderBytes) {
                        case .needMore:
                            if !times.isHeadDue { setTimer(worker.settings.headerTimeout, isForHead: true) }
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
        let worker = worker
        if isOnlooker, exchange.resolved?.page?.isForOnlookers != true { worker.looksOn(self, false) }
        let decoder = try BodyDecoder(head.framing, limit: worker.settings.maxBodyBytes)
        let hasBody = !decoder.isDone
        if hasBody {
            phase = .body(decoder)
            times.bodyBegins(until: worker.now + worker.settings.bodyTimeout)
            awaitBody()
        } else {
            phase = .answering
        }
        exchange.begin(hasBody: hasBody)
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

    func pauseReading() {
        if !isReadingPaused { times.pause(at: worker.now) }
        stops.insert(.paused)
        // It is not the caller who is late now.
        if case .body = phase, !isBlocked { cancelTimer() }
        updateInterest()
    }

    /// The exchange has room for more of the body.
    func resumeReading() {
        guard isReadingPaused, !isClosed else { return }
        stops.remove(.paused)
        times.resume(at: worker.now)
        if case .body = phase, !isBlocked { awaitBody() }
        place.mayGoOn = true
        mark()
        updateInterest()
    }

    // MARK: Writing

    /// Has `flush` run at the end of the turn.
    func mark() {
        if place.isAtEnd { return }
        place.isAtEnd = true
        worker.turns.addToEnd(self)
    }

    func endOfTurn() {
        place.isAtEnd = false
        if isClosed { return }
        flush()
        goOn()
    }

    /// Takes up input that had to wait, once what was to go down has gone.
    private func goOn() {
        guard place.mayGoOn, !isClosed else { return }
        if case .head = phase {
            if pendingOutput > 0 { return }
            if isReadingPaused {
                stops.remove(.paused)
                updateInterest()
            }
        }
        if place.isInNext { return }
        place.mayGoOn = false
        if input.unread > 0 { processInput() }
        if case .head = phase, stops.contains(.ended), !place.mayGoOn, !place.isInNext { closeWhenWritten() }
    }

    func flush() {
        guard !isHeld, !isClosed else { return }
        switch outgoing.write(to: fd) {
        case .failed: return callerLeft()
        case .wouldBlock:
            // A reader that has stopped for good must not keep its upstream for ever.
            setTimer(worker.settings.writeTimeout)
            setBlocked(true)
            if pendingOutput < highWater { exchange?.outputHasRoom() }
            return
        case .written(let hasMoved):
            if hasMoved {
                outgoing.clear(into: worker.buffers)
                if isBlocked { setBlocked(false) }
                switch phase {
                case .answering, .tunnel: cancelTimer()
                default: break
                }
                exchange?.outputHasRoom()
            }
        }
        if closing != .none { finishClosing() }
    }

    func setBlocked(_ blocked: Bool) {
        charge(blocked ? pendingOutput : 0)
        updateInterest()
    }

    private func charge(_ count: Int) {
        let before = charged?.count ?? 0
        if count == before { return }
        let payer = payer
        worker.charge(count - before, to: payer)
        charged = count > 0 ? (count, payer) : nil
    }

    func updateInterest() {
        var interest: Readiness = []
        if stops.isEmpty { interest.insert(.readable) }
        if isBlocked { interest.insert(.writable) }
        worker.reactor.want(fd, interest)
    }
}
