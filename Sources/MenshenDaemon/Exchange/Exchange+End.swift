// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import MenshenUpstream

/// The record of a request, answers of menshen's own, and the end that every request comes to.
extension Exchange {
    /// What every head of an answer gets.
    var additions: ResponseHead.Additions {
        ResponseHead.Additions(
            requestID: id.ascii, allowedOrigin: access.allowedOrigin, xCache: recall.record?.outcome.header)
    }

    /// Without a target, and for paths of no dialect, errors have OpenAI's shape.
    var dialect: Dialect { resolved?.dialect ?? .common }
    var operation: Operation { resolved?.operation ?? .other }
    var providerName: String { walk.provider.map { runtime.snapshot.routes.providers[$0].name } ?? "-" }

    /// Bytes of the answer stay in the connection: its record is not safe, or it may be another's turn to answer.
    var holdsOutput: Bool {
        if case .judging = phase { return true }
        return ledger.isAwaited
    }

    /// How an answer that came whole has ended.
    var answerState: EndState {
        guard writer.status == 200, let code = attempt?.reader.failureCode else { return .complete }
        ledger.note(code)
        return .streamError
    }

    // MARK: Records

    /// What is masked in whatever is kept of this request.
    var secrets: [Secret] { runtime.secrets(and: attempt?.maskedKey) }

    func masked(_ text: String) -> String { secrets.reduce(text) { $1.masked($0) } }

    /// Has the intent recorded. Where that is not done at once, the answer waits for the store's receipt.
    func recordIntent(_ provider: String?) {
        let intent = AuditIntent(of: self, provider: provider)
        let isSafe = worker.note(intent)
        if !isSafe { worker.record(.intent(intent), for: self) }
        ledger.record(intent, isSafe: isSafe)
    }

    /// The store's word about this request; nil: its backlog is full.
    func receive(_ device: AuditDevice?) {
        guard ledger.receive() else { return }
        if ledger.intent != nil || access.grant != nil {
            guard let device else { return refuseUnrecorded(.backlogFull) }
            if device == .none { return refuseUnrecorded(.notRecorded) }
        }
        connection.mark()
        switch phase {
        case .ending(let ending): finish(ending)
        case .awaitingReceipt: orGiveUp { () throws(Problem) in try ask() }
        default: break
        }
    }

    /// A provider that is at work is given up for that. What it was sent so far it may have worked on.
    private func cutAttempt(_ problem: Problem) {
        guard let attempt else { return }
        if attempt.transfer != nil { attempt.record(nil, status: writer.status, reason: problem.code.rawValue) }
        attempt.cut()
    }

    /// What the provider said so far is thrown away.
    private func refuseUnrecorded(_ problem: Problem) {
        cutAttempt(problem)
        connection.output.removeAll(keepingCapacity: true)
        writer = AnswerWriter(head)
        writer.closeAfter()
        ledger.note(problem)
        write(LocalAnswer(problem, dialect, id))
        // The provider may have ended first; its settlement is on its way to the store, and this one replaces it.
        ledger.reopen()
        settle(.refused)
        finish(.keepAlive(false))
    }

    // MARK: Answers

    /// A head is about to be written.
    func prepareAnswer() {
        if intake.body.isEmpty, recall.replay == nil {
            intake.giveBack(to: &worker.bodies, of: access.principal.payer)
        }
        // What is left of the request body would be taken for the next request.
        if !intake.isComplete || worker.isDraining { writer.closeAfter() }
        worker.prepare(&connection.output)
    }

    /// A piece of the answer's body. Returns what of it goes down.
    func write(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let connection = connection
        let written = writer.write(bytes, to: &connection.output)
        if !written.isEmpty { connection.mark() }
        return written
    }

    /// The caller took what was waiting.
    func outputHasRoom() {
        stall.moved(at: worker.now)
        if let replay = recall.replay { return replay.goOn() }
        attempt?.transfer?.resume()
        attempt?.webSocket?.resume()
    }

    /// Bytes of the caller's side of the WebSocket; returns how many were taken.
    func receiveTunnelled(_ bytes: UnsafeRawBufferPointer) -> Int {
        let taken = attempt?.webSocket?.send(bytes) ?? bytes.count
        intake.count(taken)
        return taken
    }

    /// Answers with a problem, or breaks off if the provider's head went down already.
    func fail(_ problem: Problem, _ state: EndState = .refused) {
        if phase.isOver { return }
        ledger.note(problem)
        cutAttempt(problem)
        attempt?.release()
        if writer.hasBegun { return end(state, .breakOff(needsReset: writer.needsReset)) }
        if !intake.isComplete { writer.closeAfter() }
        answer(resolved?.page == nil ? LocalAnswer(problem, dialect, id) : pageAnswer(problem), state)
    }

    /// A head that could not be read: nothing is known but who sent it.
    func refuseMalformed(_ problem: Problem) {
        writer.closeAfter()
        access.acceptUnread(connection.listener)
        fail(problem)
    }

    func answer(_ answer: LocalAnswer, _ state: EndState = .complete) {
        if worker.isDraining { writer.closeAfter() }
        write(answer)
        end(state, .keepAlive(writer.keepAlive))
    }

    private func write(_ answer: LocalAnswer) {
        writer.write(
            answer, additions, date: worker.dateLine, at: Clock.monotonic(), to: &connection.output)
    }

    // MARK: The end

    /// The answer, whole or broken, is in the connection's output. Settles, and lets the connection go on once the record
    /// is safe.
    func end(_ state: EndState, _ ending: Ending) {
        if phase.isOver { return }
        settle(state)
        phase = .ending(ending)
        if !ledger.isAwaited { finish(ending) }
    }

    private func finish(_ ending: Ending) {
        phase = .over
        connection.mark()
        switch ending {
        case .keepAlive(let keepAlive): connection.exchangeEnded(keepAlive: keepAlive)
        case .breakOff(let needsReset): connection.breakOff(needsReset: needsReset)
        }
    }

    /// The caller is gone; so is, at once, the provider's work for it.
    /// SDKs close a connection as soon as they have read the end of a stream, before the body's own end can reach them:
    /// such a caller has had its whole answer.
    /// So has one after either side's close frame.
    func callerLeft() {
        let hasAll =
            attempt?.webSocket?.hasClosed ?? recall.replay?.isOver ?? attempt?.reader.ending.map { $0 != .open }
            ?? false
        stop(hasAll ? answerState : .clientGone)
    }

    /// menshen stops before the answer ends.
    func abort(_ goodbye: WebSocketRelay.Goodbye = .goingAway) {
        if let close = attempt?.webSocket?.sayGoodbye(goodbye) { connection.writeLast(close) }
        stop(attempt?.hasLastWord == true ? answerState : .aborted)
    }

    private func stop(_ state: EndState) {
        if let attempt, attempt.isUp {
            attempt.cut()
            attempt.record(nil, status: writer.status)
            if state != .complete, state != .streamError { walk.relabelLast(state.rawValue) }
        }
        settle(state)
        phase = .over
        // The connection is gone: no receipt may come back to this exchange, that of its own end included.
        worker.forget(self)
    }

    /// Its token is none any more: what is under way ends now, a WebSocket with status 1008 ("policy violation").
    func endIfRevoked(_ tokens: TokenGate) {
        guard connection.listener.isTCP, !phase.isOver, access.isRevoked(head, resolved, by: tokens) else { return }
        guard writer.hasBegun else { return fail(.revoked) }
        ledger.note(Problem.revoked)
        if attempt?.webSocket == nil, writer.needsReset { SocketIO.resetOnClose(connection.fd) }
        connection.abort(.policyViolation)
    }

    func leaveQueue() {
        guard let index = walk.provider else { return }
        runtime.states[index].slots.removeWaiting { $0 === self }
    }

    /// The last phase of every request: completes its record.
    private func settle(_ state: EndState) {
        guard ledger.settle() else { return }
        intake.giveBack(to: &worker.bodies, of: access.principal.payer)
        if case .queued = phase, !walk.hasPlace { leaveQueue() }
        enter(phase)
        walk.end(now: worker.now)?.placeGiven()
        leaveCache(state)
        // These spend nothing and say nothing of anybody; a probe every second would only bury the rest.
        if isUnrecorded { return }
        let settlement = AuditSettlement(of: self, ledger.intent ?? AuditIntent(of: self, provider: nil), state)
        worker.events.debug(settlement.line)
        if ledger.intent != nil {
            worker.record(settlement)
        } else {
            worker.record(.refused(settlement, authenticated: access.grant != nil), for: self)
            ledger.awaitReceipt()
        }
    }

    /// The request ends: a whole answer is stored, and those who waited for it go on.
    private func leaveCache(_ state: EndState) {
        guard let key = recall.key else { return }
        let answer = state == .complete ? attempt?.reader.storedAnswer(id, at: Clock.wall(), masking: secrets) : nil
        if let answer, let maxAge = runtime.snapshot.configuration.cache.maxAge {
            _ = runtime.snapshot.cache?.store(key, answer, maxAge: maxAge.microseconds)
        }
        worker.endFlight(of: self, key, answer, hasLeft: state == .clientGone)
    }

    /// A page of menshen's own or a browser's pre-flight that was answered, and a page that nobody has signed in to yet.
    private var isUnrecorded: Bool {
        guard ledger.intent == nil else { return false }
        if resolved?.page != nil {
            return ledger.problem == nil || writer.status == 401 && head.first(.authorization) == nil
        }
        return ledger.problem == nil && access.allowedOrigin != nil && head.method == .options
    }
}
