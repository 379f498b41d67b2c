// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import MenshenUpstream
internal import Reactor

/// What comes from outside while a request is in one of its phases: time, the store's word, a key, the caller's leaving, a
/// reload, the end of menshen. Everything that dials runs outside of a transfer's calls: directly when a transfer has ended,
/// else at the end of the turn (`worker.resume`).
extension Exchange: TimerHandler {
    /// Runs a step whose problem ends the request.
    func orFail(_ step: () throws(Problem) -> Void) {
        do throws(Problem) { try step() } catch { fail(error) }
    }

    /// Runs an attempt whose problem is the caller's, unless an earlier answer was kept.
    func orGiveUp(_ step: () throws(Problem) -> Void) {
        do throws(Problem) { try step() } catch { giveUp(error) }
    }

    // MARK: Time

    func timerFired(_ timer: Timer) {
        self.timer.ran()
        switch phase {
        case .awaitingProject(let wait): wait.look(self)
        case .reading: orFail { () throws(Problem) in try proceed() }
        case .queued:
            // Word of its place may be under way. With one, or displaced, it goes on at the end of this turn.
            hearOfPlace()
            guard walk.isQueued else { break }
            leavePlace()
            goOn(after: .noKey, .queueTimeout(providerName))
        case .awaitingSpending: orGiveUp { () throws(Problem) in try walk.provider == nil ? plan() : ask() }
        case .asking where attempt?.isLate == true, .judging where attempt?.isLate == true: attempt?.contentIsLate()
        case .asking where walk.deadline != nil:
            attempt?.deadlinePassed()
            goOn(after: .failed, .deadlinePassed)
        case .asking, .relaying:
            if let attempt { watch?.look(attempt) }
        case .discarding: attempt?.discardedIsLate()
        case .judging: attempt?.release()
        case .closing: attempt?.closeIsLate()
        case .following(let stream): stream.look()
        case .visiting, .recalling, .awaitingKey, .awaitingReceipt, .changing, .replaying, .ending, .over: break
        }
    }

    /// The end of the turn, outside of any transfer's calls: what was decided within them is done.
    func resume() {
        switch phase {
        // Not without a place: it may have turned to another queue since it was given one.
        case .queued where walk.hasPlace:
            guard walk.refreshKey(now: worker.now) else { return goOn(after: .failed, walk.paused(now: worker.now)) }
            orGiveUp { () throws(Problem) in try ask() }
        case .changing(let outcome, let problem): goOn(after: outcome, problem)
        case .recalling: orFail { () throws(Problem) in try plan() }
        default: break
        }
    }

    // MARK: Places

    /// There may be news of its waiting for a place, from wherever one was left, on any worker.
    func hearOfPlace() {
        guard let news = walk.hearOfPlace(now: worker.now) else { return }
        worker.endWaiting(self)
        switch news {
        case .place: worker.resume(self)
        case .displaced: goOnLater(after: .noKey, .queueFull(providerName))
        }
    }

    // MARK: Keys

    /// The command that gives the provider's key has ended, well or not.
    func keyArrived() {
        // It was refused meanwhile because nobody can record it.
        guard case .awaitingKey = phase else { return }
        orGiveUp { () throws(Problem) in try ask() }
    }

    /// A reload came while the key was awaited.
    func keySourceChanged() {
        guard case .awaitingKey = phase else { return }
        giveUp(.keySourceChanged)
    }

    // MARK: Records

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

    /// What the provider said so far is thrown away.
    private func refuseUnrecorded(_ problem: Problem) {
        attempt?.giveUp(for: problem)
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

    // MARK: The caller

    /// The provider's bytes, or the body's, now wait for the caller: others must not wait for it without end.
    func watchCaller() {
        guard !timer.isSet, walk.hasPlace || recall.key != nil, let timeout = walk.queueTimeout else { return }
        switch phase {
        case .asking, .relaying: break
        default: return
        }
        let watch = watch ?? CallerWatch(self)
        self.watch = watch
        watch.begin(queueTimeout: timeout)
    }

    /// The caller took what was waiting.
    func outputHasRoom() {
        watch?.callerMoved()
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

    /// The caller is gone; so is, at once, the provider's work for it. SDKs close a connection as soon as they have read the
    /// end of a stream, before the body's own end can reach them: such a caller has had its whole answer, as one after
    /// either side's close frame.
    func callerLeft() {
        let hasAll =
            attempt?.webSocket?.hasClosed ?? recall.replay?.isOver ?? attempt?.reader.ending.map { $0 != .open }
            ?? false
        stop(hasAll ? EndState(ofWhole: self) : .clientGone)
    }

    // MARK: menshen itself

    /// menshen stops before the answer ends.
    func abort(_ goodbye: WebSocketRelay.Goodbye = .goingAway) {
        if let close = attempt?.webSocket?.sayGoodbye(goodbye) { connection.writeLast(close) }
        stop(attempt?.hasLastWord == true ? EndState(ofWhole: self) : .aborted)
    }

    /// Ends what is under way if its token counts no more, a WebSocket with status 1008 ("policy violation"). A token that was
    /// given out ends it only if it is in `cut`, one of `[auth]` only over TCP.
    func endIfRevoked(_ tokens: TokenGate, cutting cut: Set<Digest>) {
        guard !phase.isOver, let token = access.principal.token else { return }
        let isConfigured = connection.listener.isTCP && !tokens.isIssued(token)
        guard isConfigured || cut.contains(token.digest), access.isRevoked(by: tokens) else { return }
        guard writer.hasBegun else { return fail(.revoked) }
        ledger.note(Problem.revoked)
        if attempt?.webSocket == nil, writer.needsReset { SocketIO.resetOnClose(connection.fd) }
        connection.abort(.policyViolation)
    }
}
