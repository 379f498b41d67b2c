// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import MenshenUpstream
internal import Reactor

/// One request with its answer. It moves between phases and knows connection and worker; what a phase works with is a value
/// of its own. From top to bottom this file is a request's life up to the first byte to the provider; how a provider is asked
/// and answers is an `Attempt`, what follows a failed one is in Exchange+Next, and the end of every request in Exchange+End.
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

    var phase = Phase.reading
    var access: Access
    var intake = Intake()
    var recall = Recall()
    var walk: RouteWalk
    /// The present attempt, or the last one.
    private(set) var attempt: Attempt?
    /// How it has failed, until the end of the turn, when another follows.
    @Boxed var failed: (outcome: AttemptOutcome, problem: Problem)?
    var writer: AnswerWriter
    var ledger = Ledger()
    /// Set for a request that asks for a WebSocket.
    var upgrade: WebSocketUpgrade?
    lazy var timer = Timer(self)
    /// The timer runs; the phase says what for.
    var isTimed = false
    var stall = StallWatch()

    init(_ connection: Connection, _ head: RequestHead) {
        let worker = connection.worker
        self.connection = connection
        self.worker = worker
        self.head = head
        let runtime = worker.runtime
        self.runtime = runtime
        id = worker.nextRequestID()
        // Not the turn's time: a quick answer comes within the same turn.
        startedAt = Clock.monotonic()
        resolved = runtime.resolve(head)
        access = Access(connection.caller)
        walk = RouteWalk(runtime)
        writer = AnswerWriter(head)
    }

    // MARK: Authorise

    /// The head is there. `hasBody`: its body is still to come, by `receiveBody` and `bodyEnded`.
    func begin(hasBody: Bool) {
        if !hasBody { intake.complete() }
        orFail { () throws(Problem) in
            guard let resolved else { return try answerUnresolved() }
            try authorise(resolved)
            if phase.isOver { return }
            if let page = resolved.page { return try serve(page) }
            if head.method == .head, hasBody {
                throw .headWithBody
            }
            if let fault = runtime.snapshot.fault { throw .broken(fault, isTCP: connection.listener.isTCP) }
            understandHead(resolved)
            // Which of them gets it may depend on the model; that there is none at all need not wait for that.
            try fit(resolved)
            if intake.isComplete { return try proceed() }
            inviteBody()
        }
    }

    /// A caller may wait for that before it sends its body.
    func inviteBody() {
        guard head.expectsContinue else { return }
        connection.output.append(ascii: "HTTP/1.1 100 Continue\r\n\r\n")
        connection.flush()
    }

    private func fit(_ resolved: ResolvedTarget) throws(Problem) {
        walk.fit(try resolved.fitting(runtime.snapshot, model: intake.facts.model))
        intake.limitWhole(walk.fitting, runtime.snapshot)
    }

    private func answerUnresolved() throws(Problem) {
        // It is about the server, not about one of its resources (RFC 9110 §9.3.7), and menshen is the server.
        if head.method == .options, head.target.count == 1 {
            return answer(LocalAnswer(status: 204, fields: [("Allow", LocalAnswer.methods)]))
        }
        throw .unsafePath
    }

    private func authorise(_ resolved: ResolvedTarget) throws(Problem) {
        if connection.listener.isTCP, runtime.snapshot.tcpFault != nil, resolved.page?.access != .everybody {
            throw .tcpRefused
        }
        if let preflight = try access.preflight(head, connection, runtime.snapshot) { return answer(preflight) }
        try access.judge(head, resolved, connection, runtime.snapshot)
        if access.grant != nil, connection.isNewcomer { worker.becomesKnown(connection) }
    }

    // MARK: Understand

    private func understandHead(_ resolved: ResolvedTarget) {
        let logging = runtime.snapshot.configuration.logging
        intake.begin(head, resolved.facts, captureLimit: logging.logRequestBody ? logging.maxBodyBytes : nil)
        if logging.logResponseBody { writer.keepBody(limit: logging.maxBodyBytes) }
        upgrade = WebSocketUpgrade(head)
        if upgrade == nil { return }
        intake.takeModel(of: resolved.target)
        // What a broken handshake leaves cannot be told from frames.
        writer.closeAfter()
    }

    /// A piece of the body; false asks for a pause.
    func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        intake.count(bytes.count)
        stall.moved(at: worker.now)
        if phase.isOver { return true }
        var hasRoom = true
        orFail { () throws(Problem) in
            if case .composing(let request) = phase { return try request.receive(bytes) }
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
            if case .composing(let request) = phase { return try request.bodyEnded(self) }
            try proceed()
        }
    }

    /// The request is there as far as it has to be understood: understands it, and goes on to cache and providers.
    func proceed() throws(Problem) {
        guard let resolved, case .reading = phase, !isTimed else { return }
        let isRead = try intake.understand(
            head, resolved.operation, replacesModels: runtime.snapshot.routes.replacesModels, whole: &worker.scan)
        // The rest of a compressed body in the next turn.
        guard isRead else { return enter(.reading, until: worker.now) }
        intake.mask(secrets)
        try intake.refuseGuess(head, resolved, walk.fitting, runtime.snapshot)
        // Without a model that the body alone tells, `begin` has found them.
        if intake.facts.model != resolved.facts.model {
            try fit(resolved)
        }
        if !asksCache(resolved) { try plan() }
    }

    // MARK: Recall

    /// True: the cache's word is awaited.
    private func asksCache(_ resolved: ResolvedTarget) -> Bool {
        guard runtime.snapshot.cache != nil,
            let age = recall.begin(
                head, intake, resolved, walk.fitting, access.principal, runtime.snapshot, isUpgrade: upgrade != nil)
        else { return false }
        guard recall.ask(runtime.snapshot, maxAge: age, id, worker.context.mailbox) else { return false }
        enter(.recalling)
        worker.awaitRecall(self)
        return true
    }

    /// The cache has answered, or a request for the same.
    func recalled(_ lookup: CacheLookup) {
        if phase.isOver { return }
        switch lookup {
        case .hit(let answer) where intake.keep(answer, in: &worker.bodies, of: access.principal.payer):
            let replay = Replay(answer, self)
            enter(.replaying)
            recall.hit(replay)
            recordIntent(nil)
            intake.dropBody()
            replay.start()
        // The provider can be made to wait for its caller, which leaves too many stored answers unread.
        case .hit:
            recall.bypass()
            orFail { () throws(Problem) in try plan() }
        case .miss:
            if let key = recall.key, runtime.snapshot.configuration.cache.coalesce, worker.joinFlight(self, to: key) {
                return
            }
            orFail { () throws(Problem) in try plan() }
        }
    }

    // MARK: Plan

    /// Draws the order of the providers and turns to the first that may be asked.
    func plan() throws(Problem) {
        let first = walk.begin(
            model: intake.facts.model, blamed: access.principal.blamed, now: worker.now,
            draw: { worker.random.draw() })
        guard let first else { throw paused }
        try turn(to: first)
    }

    /// Takes up an attempt: asks, or waits for a place at its provider.
    func turn(to next: RoutePlan.Try) throws(Problem) {
        walk.turn(to: next)?.placeGiven()
        if walk.takePlace() { return try ask() }
        let state = runtime.states[next.provider]
        switch state.slots.wait(self, of: access.principal.queue) {
        case .admitted(let displaced): displaced?.isDisplaced()
        case .full:
            // Another's queue may have room.
            if let other = walk.next(after: .noKey, now: worker.now) { return try turn(to: other) }
            throw .queueFull(providerName)
        }
        enter(.queued, until: walk.placeDeadline(now: worker.now))
    }

    /// The queue is full, and a caller with fewer requests in it has come.
    private func isDisplaced() {
        goOnLater(after: .noKey, .queueFull(providerName))
    }

    /// A place at the provider is this request's; called from wherever somebody left one.
    func placeGiven() {
        walk.receivePlace()
        worker.resume(self)
    }

    /// The end of the turn, outside of any transfer's calls: what was decided within them is done.
    func resume() {
        switch phase {
        // Not without a place: it may have turned to another queue since it was given one.
        case .queued where walk.hasPlace:
            guard walk.refreshKey(now: worker.now) else { return goOn(after: .failed, paused) }
            orGiveUp { () throws(Problem) in try ask() }
        case .changing:
            guard let failed else { return }
            self.failed = nil
            goOn(after: failed.outcome, failed.problem)
        case .recalling: orFail { () throws(Problem) in try plan() }
        default: break
        }
    }

    // MARK: Ask

    /// Asks the provider: finds its key, records the intent, and starts. The answer is held until the record is safe.
    func ask() throws(Problem) {
        guard let tried = walk.tried, let resolved else { return }
        enter(.asking)
        let provider = runtime.snapshot.routes.providers[tried.provider]
        let attempt = Attempt(self, tried, after: attempt)
        self.attempt = attempt
        // The signature is over the body's hash, and stands before it.
        if provider.signing != nil, !intake.isComplete { throw .unsignable(provider.name) }
        guard try findKey(for: attempt, tried, provider) else { return }
        if ledger.intent == nil {
            recordIntent(provider.name)
            if ledger.isAwaited, worker.hasNoDevice { return enter(.awaitingReceipt) }
        }
        walk.enter(now: worker.now)
        // Before dialling: a refusal, or an answer over a connection that is there, may come before `start` returns.
        if let deadline = walk.deadline { enter(.asking, until: deadline) }
        do {
            try attempt.start(provider, resolved)
        } catch let problem as Problem {
            throw problem
        } catch {
            attempt.cut()
            attemptFailed(UpstreamFailure(.unavailable, "\(error)"))
        }
    }

    /// False: the provider's key comes later, or the request goes on elsewhere.
    private func findKey(for attempt: Attempt, _ tried: RoutePlan.Try, _ provider: Provider) throws(Problem) -> Bool {
        switch runtime.keys.key(tried, provider, refused: attempt.refused, now: worker.now) {
        case .ready(let key): attempt.use(key)
        case .stale(let key, let reason):
            worker.events.tell(.keyStale(provider.name, reason, seconds: KeyRing.grace / 1_000_000))
            attempt.use(key)
        case .pending:
            // A reload came in between: the answer of the old configuration's command is heard by nobody.
            guard runtime === worker.runtime else { throw .keySourceChanged }
            enter(.awaitingKey)
            worker.awaitKey(self, of: tried.provider)
            return false
        case .failed(let reason):
            worker.events.tell(.keyUnavailable(provider.name, reason))
            attempt.record(nil, status: nil, reason: AttemptOutcome.noKey.reason)
            goOn(after: .noKey, .noKey(provider.name, reason))
            return false
        }
        // Its source has no other key than the one that was refused.
        if tried.rereads, attempt.secret?.digest == attempt.refused?.digest {
            goOn(after: .answered(status: 401), .refusedKey)
            return false
        }
        return true
    }

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

    /// The body to send. It stays here as well while another attempt may need it; of a streamed one there is no other.
    /// `isNeededAgain`: however long it is, for its caller must not hear of a field that it did not send.
    func takeBody(isNeededAgain: Bool) -> [UInt8] {
        let isSmall = intake.body.count <= runtime.snapshot.configuration.failover.maxBodyBytes
        if intake.isComplete, isNeededAgain || isSmall && walk.mayAskAnother() {
            return intake.takeBody(isKept: true)
        }
        walk.close()
        // There is one attempt, and no deadline of several.
        enter(.asking)
        return intake.takeBody(isKept: false)
    }

    /// The provider takes the body as it comes. `hasRoom`: for more than has come.
    func uploadBegins(hasRoom: Bool) {
        if hasRoom { connection.resumeReading() } else { connection.pauseForUpload() }
        watchCaller()
    }
}
