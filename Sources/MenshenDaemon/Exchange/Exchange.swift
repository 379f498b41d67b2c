// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import MenshenUpstream

/// One request with its answer. It moves between phases and knows connection and worker; what a phase works with is a value
/// of its own. From top to bottom this file is a request's life. How a provider is asked and answers is an `Attempt`; how
/// bytes and menshen's own answers go down is in Exchange+Answer, and what may come between in Exchange+Interruptions.
/// Belongs to its connection and the worker's thread.
final class Exchange {
    unowned let connection: Connection
    let worker: Worker
    let runtime: Runtime
    let head: RequestHead
    let id: RequestID
    /// Monotonic microseconds.
    let startedAt: UInt64
    /// nil for a target that is not safe to forward, and for a head that could not be read.
    let resolved: ResolvedTarget?

    private(set) var phase = Phase.reading
    var timer = PhaseTimer()
    private(set) var access: Access
    var intake = Intake()
    private(set) var recall = Recall()
    var walk: RouteWalk
    /// The present attempt, or the last one.
    private(set) var attempt: Attempt?
    var writer: AnswerWriter
    var ledger = Ledger()
    var allowance = Allowance()
    var watch: CallerWatch?

    init(_ connection: Connection, _ head: RequestHead) {
        self.connection = connection
        worker = connection.worker
        runtime = worker.runtime
        self.head = head
        id = worker.nextRequestID()
        // Not the turn's time: a quick answer comes within the same turn.
        startedAt = Clock.monotonic()
        resolved = runtime.resolve(head)
        access = Access(connection.caller)
        walk = RouteWalk(runtime, id)
        writer = AnswerWriter(head)
    }

    /// Enters a phase; with `time`, monotonic microseconds, the timer ends it or looks after it.
    func enter(_ phase: Phase, until time: UInt64? = nil) {
        self.phase = phase
        timer.set(at: time, for: self)
    }

    // MARK: Authorise

    /// The head is there. `hasBody`: its body is still to come, by `receiveBody` and `bodyEnded`.
    func begin(hasBody: Bool) {
        if !hasBody { intake.complete() }
        if ProjectWait.begins(self, hasBody: hasBody) { return }
        orFail { () throws(Problem) in
            guard let resolved else { return answer(try .toServer(head)) }
            if let preflight = try access.authorise(head, resolved, connection, runtime) { return answer(preflight) }
            if access.grant != nil, connection.isNewcomer { worker.becomesKnown(connection) }
            if let page = resolved.page { return try PageVisit.begin(page, self) }
            if head.method == .head, hasBody { throw .headWithBody }
            if let fault = runtime.snapshot.fault { throw .broken(fault, isTCP: connection.listener.isTCP) }
            understandHead(resolved)
            try access.confine(head, resolved, hasBody: hasBody, isWebSocket: intake.upgrade != nil)
            // Which of them gets it may depend on the model; that there is none at all need not wait for that.
            try fit(resolved, intake.facts.model == nil ? .awaited : intake.modelWord)
            if intake.isComplete { return try proceed() }
            connection.inviteBody(of: head)
            walk.connectEarly(worker.engine, blamed: access.principal.blamed, now: worker.now)
        }
    }

    /// A head that could not be read: nothing is known but who sent it.
    func refuseMalformed(_ problem: Problem) {
        writer.closeAfter()
        access.acceptUnread(connection.listener)
        fail(problem)
    }

    // MARK: Understand

    private func understandHead(_ resolved: ResolvedTarget) {
        ledger.pulse.begin(worker.context.tally)
        let logging = runtime.snapshot.configuration.logging
        intake.begin(head, resolved.target, resolved.facts, logging)
        if logging.logResponseBody { writer.keepBody(limit: logging.maxBodyBytes) }
        // What a broken handshake leaves cannot be told from frames.
        if intake.upgrade != nil { writer.closeAfter() }
    }

    private func fit(_ resolved: ResolvedTarget, _ word: Confines.ModelWord) throws(Problem) {
        walk.fit(try access.fitting(self, resolved, word))
        intake.limitWhole(walk.fitting, runtime.snapshot)
    }

    /// A piece of the body; false asks for a pause.
    func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        intake.count(bytes.count)
        watch?.callerMoved()
        if phase.isOver { return true }
        var hasRoom = true
        orFail { () throws(Problem) in
            if case .visiting(let visit) = phase { return try visit.receive(bytes) }
            // Once its beginning was read, whether or not the provider has been dialled by now.
            try intake.pass(bytes)
            if let transfer = attempt?.transfer { return hasRoom = transfer.send(bytes) }
            try intake.keep(bytes, in: &worker.bodies, of: access.principal.payer)
            if case .reading = phase {
                if intake.isStreamed(head) { try proceed() }
                if case .reading = phase { intake.readAhead(head) }
            }
            // Without a provider that takes it (a key command still runs) no more is kept than is read whole.
            hasRoom = attempt?.transfer != nil || intake.hasRoom
        }
        return hasRoom
    }

    func bodyEnded() {
        intake.complete()
        if phase.isOver { return }
        if let transfer = attempt?.transfer { return transfer.endBody() }
        orFail { () throws(Problem) in
            if case .visiting(let visit) = phase { return try visit.bodyEnded() }
            try proceed()
        }
    }

    /// The request is there as far as it has to be understood: understands it, and goes on to cache and providers.
    func proceed() throws(Problem) {
        guard let resolved, case .reading = phase, !timer.isSet else { return }
        let isRead = try intake.understand(
            head, resolved.operation, replacesModels: runtime.snapshot.routes.replacesModels, whole: &worker.scan)
        // The rest of a compressed body in the next turn.
        guard isRead else { return enter(.reading, until: worker.now) }
        intake.mask(secrets)
        try intake.refuseGuess(head, resolved, walk.fitting, runtime.snapshot, access.confines?.reader)
        // Without a model that the body alone tells, `begin` has found them.
        if intake.facts.model != resolved.facts.model || access.confines?.reader != nil {
            try fit(resolved, intake.modelWord)
        }
        if recall.begins(for: self, resolved) { return }
        try plan()
    }

    // MARK: Recall

    /// The cache has answered, or a request for the same.
    func recalled(_ lookup: CacheLookup) {
        if phase.isOver { return }
        orFail { () throws(Problem) in
            switch recall.hear(lookup, for: self) {
            case .answer(let answer):
                // It costs nothing, so it does not wait until it is known what was spent before.
                _ = try allowance.admit(self, nil)
                recall.hit(Replay(answer, self)).start()
            case .awaited: break
            case .nothing: try plan()
            }
        }
    }

    // MARK: Plan

    /// Draws the order of the providers and turns to the first that may be asked.
    func plan() throws(Problem) {
        let first = walk.begin(
            model: intake.facts.model, blamed: access.principal.blamed, now: worker.now,
            draw: { worker.random.draw() })
        guard let first else { throw walk.paused(now: worker.now) }
        if try allowance.admit(self, first) { try turn(to: first) }
    }

    /// Takes up an attempt: asks, or waits for a place at its provider.
    private func turn(to next: RoutePlan.Try) throws(Problem) {
        worker.tell(walk.turn(to: next, now: worker.now))
        switch walk.takePlace(orWait: worker.ticket(for: self), of: access.principal.queue) {
        case .entered: try ask()
        case .waits(let displaced):
            worker.awaitPlace(self)
            enter(.queued, until: walk.placeDeadline(now: worker.now))
            worker.tell(displaced)
        case .full:
            // Another's queue may have room.
            guard let other = walk.next(after: .noKey, now: worker.now) else { throw .queueFull(providerName) }
            try turn(to: other)
        }
    }

    /// Gives up its place at the provider, or waiting for one.
    func leavePlace() {
        if walk.isQueued { worker.endWaiting(self) }
        worker.tell(walk.leavePlace(now: worker.now))
    }

    // MARK: Ask

    /// Asks the provider: finds its key, records the intent, and starts. The answer is held until the record is safe.
    func ask() throws(Problem) {
        guard let tried = walk.tried, let resolved else { return }
        enter(.asking)
        let provider = runtime.snapshot.routes.providers[tried.provider]
        try access.check(provider, intake.modelWord)
        switch try allowance.enter(self, tried) {
        case .admitted: break
        case .awaited: return
        case .refused(let problem): return goOn(after: .limited, problem)
        }
        let attempt = Attempt(self, tried, after: attempt)
        self.attempt = attempt
        // The signature is over the body's hash, and stands before it.
        if provider.signing != nil, !intake.isComplete { throw .unsignable(provider.name) }
        guard try KeySearch.succeeds(for: attempt, tried, provider) else { return }
        if ledger.intent == nil {
            recordIntent(provider.name)
            if ledger.isAwaited, worker.hasNoDevice { return enter(.awaitingReceipt) }
        }
        walk.enter(now: worker.now)
        // Before dialling: a refusal, or an answer over a connection that is there, may come before `start` returns.
        if intake.isComplete, intake.facts.isStream == true, intake.upgrade == nil { attempt.expectContent() }
        enter(.asking, until: attempt.contentLimit.before(walk.deadline))
        try attempt.begin(provider, resolved)
    }

    // MARK: Ask the next

    /// Nothing of an answer went down, and none is to be had any more.
    func attemptFailed(_ failure: UpstreamFailure) {
        attempt?.ended(.failed, failure, status: nil)
        goOn(after: .failed, Problem(failure, provider: providerName))
    }

    /// Goes on after an attempt that failed before anything of it went down. `problem`: what the caller hears if that was
    /// the last. Dials, and so runs outside of a transfer's calls.
    func goOn(after outcome: AttemptOutcome, _ problem: Problem) {
        if phase.isOver { return }
        enter(.asking)
        orGiveUp { () throws(Problem) in
            guard let next = walk.nextWithRoom(after: outcome, now: worker.now) else { throw problem }
            try turn(to: next)
        }
    }

    /// The same at the end of the turn: a transfer is on the stack, or another exchange.
    func goOnLater(after outcome: AttemptOutcome, _ problem: Problem) {
        enter(.changing(outcome, problem))
        worker.resume(self)
    }

    func giveUp(_ problem: Problem) {
        leavePlace()
        if let attempt, let answer = walk.takeKept() { return attempt.relay(answer) }
        fail(problem, problem.endState)
    }

    // MARK: Settle

    /// The answer, whole or broken, is in the connection's output. The connection goes on once the record is safe.
    func end(_ state: EndState, _ ending: Ending) {
        if phase.isOver { return }
        settle(state)
        phase = .ending(ending)
        if !ledger.isAwaited { finish(ending) }
    }

    func finish(_ ending: Ending) {
        phase = .over
        connection.exchangeEnded(ending)
    }

    /// Nobody is there to hear more: the caller has left, or menshen stops.
    func stop(_ state: EndState) {
        attempt?.stop(state)
        settle(state)
        phase = .over
        // The connection is gone: no receipt may come back to this exchange, that of its own end included.
        worker.forget(self)
    }

    /// The last phase of every request: completes its record.
    func settle(_ state: EndState) {
        guard ledger.settle() else { return }
        intake.giveBack(to: &worker.bodies, of: access.principal.payer)
        enter(phase)
        leavePlace()
        walk.end(now: worker.now)
        recall.end(self, state)
        guard let settlement = AuditSettlement.of(self, state) else { return allowance.release(self) }
        allowance.settle(self, settlement)
        worker.settled(settlement, of: self)
    }
}
