// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Compression
internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenUpstream

/// One attempt at one provider: what it is asked, and the answer as it comes, which may turn out to be none to pass on. It
/// belongs to its exchange, which goes on when the attempt has failed and ends when the answer has.
final class Attempt {
    unowned let exchange: Exchange
    /// Whoever has a transfer keeps its endpoint, if only to the end of the call in which the exchange goes.
    let runtime: Runtime
    /// Index into `routes.providers`.
    let provider: Int
    /// Place of its key in the provider's pool.
    private let key: Int
    /// What the provider is asked for, if that is not the caller's model.
    let model: String?
    /// The key of the attempt before, which the provider refused if this one reads its source anew.
    let refused: Secret?
    /// It asks once more what another was refused for the field that menshen had added.
    private let isRepeated: Bool
    /// The key that the provider is asked with.
    private(set) var secret: Secret?
    /// Monotonic microseconds.
    private(set) var startedAt: UInt64
    private(set) var contentLimit = ContentLimit()
    private(set) var addedUsage: AddedUsage
    private(set) var transfer: (any Transfer)?
    /// In place of a transfer, for a request that asks for a WebSocket.
    private(set) var webSocket: WebSocketRelay?
    var reader = AnswerReader()
    /// What was read of an answer that is not passed on.
    @Boxed var discarded: KeptAnswer?
    /// Set while the answer's beginning is held back.
    @Boxed var held: HeldAnswer?

    init(_ exchange: Exchange, _ tried: RoutePlan.Try, after previous: Attempt?) {
        self.exchange = exchange
        runtime = exchange.runtime
        provider = tried.provider
        key = tried.key
        model = exchange.walk.replacement(at: tried.provider)
        isRepeated = previous.map { $0.addedUsage == .withdrawn && !$0.isRepeated } ?? false
        // The key was not what that one was refused for.
        refused = isRepeated ? previous?.refused : previous?.secret ?? previous?.refused
        startedAt = Clock.monotonic()
        addedUsage = previous?.provider == tried.provider ? previous?.addedUsage ?? .notAdded : .notAdded
    }

    /// Something is under way to the provider.
    var isUp: Bool { transfer != nil || webSocket?.isUp == true }
    /// What is to be masked: the key it was asked with, or an earlier one.
    var maskedKey: Secret? { secret ?? refused }

    func use(_ secret: Secret?) { self.secret = secret }

    func expectContent() {
        contentLimit.begin(runtime.snapshot.configuration.failover.firstEventTimeout, now: exchange.worker.now)
    }
    var isLate: Bool { contentLimit.isOver(exchange.worker.now) }
    private var askedModel: String? { model ?? exchange.intake.facts.model }
    func withdrawUsage() { addedUsage = .withdrawn }

    /// Gives up what is under way. A WebSocket's counts stay.
    func cut() {
        transfer?.cancel()
        transfer = nil
        webSocket?.cancel()
    }

    // MARK: Asking

    func begin(_ provider: Provider, _ resolved: ResolvedTarget) throws(Problem) {
        do {
            try start(provider, resolved)
        } catch let problem as Problem {
            throw problem
        } catch {
            cut()
            exchange.attemptFailed(UpstreamFailure(of: error))
        }
    }

    private func start(_ provider: Provider, _ resolved: ResolvedTarget) throws {
        let exchange = exchange
        startedAt = Clock.monotonic()
        let upgrade = exchange.intake.upgrade
        let (target, isInTarget) = resolved.line(for: provider, self.provider, model: model, inQuery: upgrade != nil)
        let replaced = runtime.replacedHeaders[self.provider]
        if let upgrade { return try open(upgrade, provider, replaced, target) }
        let splices = try splices(provider, resolved, isInTarget: isInTarget)
        let transfer = try exchange.worker.engine.transfer(to: runtime.endpoint(self.provider))
        var body = takeBody()
        if !splices.isEmpty { Splice.apply(splices, to: &body) }
        let head = exchange.head
        let mode = UpstreamRequest.mode(
            head, body, isComplete: exchange.intake.isComplete, growth: splices.reduce(0) { $0 + $1.growth })
        UpstreamRequest.write(
            head, to: transfer.headers, provider, replaced, secret, hasBody: mode.isThere, isFiltered: reader.filters)
        if let signing = provider.signing, let secret {
            UpstreamRequest.sign(
                head, target, body, provider, replaced, signing, secret, at: Clock.wall() / 1_000_000,
                to: transfer.headers)
        }
        self.transfer = transfer
        try transfer.start(method: head.method, target: target, body: mode, receiver: self)
        guard case .streamed = mode else { return }
        let connection = exchange.connection
        let hasRoom = body.withUnsafeBytes { transfer.send($0) }
        if hasRoom { connection.resumeReading() } else { connection.pauseReading() }
        exchange.watchCaller()
    }

    private func open(
        _ upgrade: WebSocketUpgrade, _ provider: Provider, _ replaced: Set<String>, _ target: [UInt8]
    ) throws {
        let exchange = exchange
        let relay = WebSocketRelay(self)
        let tunnel = Tunnel(
            exchange.worker.engine, to: runtime.endpoint(self.provider), target: target.dropLast(),
            receiver: relay)
        UpstreamRequest.write(upgrade, of: exchange.head, to: tunnel.headers)
        UpstreamRequest.write(
            exchange.head, to: tunnel.headers, provider, replaced, secret, hasBody: false, isFiltered: false)
        webSocket = relay
        try relay.start(tunnel)
    }

    /// The body to send. The exchange keeps it as well while another attempt may need it; of a streamed one there is no other.
    private func takeBody() -> [UInt8] {
        let exchange = exchange
        // However long it is, for its caller must not hear of a field that it did not send.
        let isNeededAgain = addedUsage == .added
        let isSmall = exchange.intake.body.count <= runtime.snapshot.configuration.failover.maxBodyBytes
        if exchange.intake.isComplete, isNeededAgain || isSmall && exchange.walk.mayAskAnother() {
            return exchange.intake.takeBody(isKept: true)
        }
        exchange.walk.close()
        // There is one attempt, and no deadline of several.
        exchange.enter(.asking, until: contentLimit.end)
        return exchange.intake.takeBody(isKept: false)
    }

    /// What changes in the body for this provider.
    private func splices(
        _ provider: Provider, _ resolved: ResolvedTarget, isInTarget: Bool
    ) throws(Problem) -> [Splice] {
        let exchange = exchange
        let changesModel =
            model != nil && !isInTarget && resolved.operation != .models && !exchange.intake.body.isEmpty
        let addsUsage = addedUsage.decide(
            provider, runtime.states[self.provider], askedModel, hasPlace: exchange.intake.usageSplice != nil)
        guard changesModel || addsUsage else { return [] }
        if addsUsage, provider.addedUsage.isTakenOut { reader.expectAddedUsage() }
        return try UpstreamRequest.splices(
            exchange.intake, resolved, exchange.head, provider, model: changesModel ? model : nil,
            addsUsage: addsUsage)
    }

    func rememberRefusedUsage(_ status: Int) {
        if addedUsage.wasRefused(status) { runtime.states[provider].refuseUsage(of: askedModel) }
    }

    /// What an answer says of the limits of the key that it was asked with.
    func noteHeadroom(_ head: ResponseHead) {
        runtime.states[provider].headroom.note(head, key: key, now: exchange.worker.now)
    }

    // MARK: How it ends

    /// Tells how it has ended, to the record and to the provider's health.
    func ended(_ outcome: AttemptOutcome, _ failure: UpstreamFailure?, status: Int?, head: ResponseHead? = nil) {
        record(failure, status: status, reason: outcome.reason)
        report(outcome, failure, head: head)
    }

    func deadlinePassed() {
        cut()
        record(UpstreamFailure(.deadline), status: nil)
        // The provider may have been asked a moment ago.
        exchange.walk.report(nil, now: exchange.worker.now)
    }

    /// A provider that is at work is given up, because the request ends with `problem`. What it was sent so far it may have
    /// worked on.
    func giveUp(for problem: Problem) {
        if transfer != nil { record(nil, status: exchange.writer.status, reason: problem.code.rawValue) }
        cut()
    }

    /// The request ends before its answer, and nobody hears of it.
    func stop(_ state: EndState) {
        guard isUp else { return }
        cut()
        record(nil, status: exchange.writer.status)
        if state != .complete, state != .streamError { exchange.walk.relabelLast(state.rawValue) }
    }

    /// Its answer as the cache keeps it; nil for one that is not to be kept.
    func storedAnswer() -> CachedAnswer? {
        reader.storedAnswer(exchange.id, at: Clock.wall(), masking: exchange.secrets)
    }

    /// Once an attempt: what it says of the provider's health.
    func report(_ outcome: AttemptOutcome, _ failure: UpstreamFailure? = nil, head: ResponseHead? = nil) {
        let exchange = exchange
        var pause: UInt64?
        if let head, outcome.isGood != true, runtime.snapshot.configuration.failover.obeyRetryAfter {
            pause = RetryAfter.microseconds(
                milliseconds: head.first(.retryAfterMilliseconds), head.first(.retryAfter),
                wallSeconds: Int64(Clock.wall() / 1_000_000))
        }
        let wait = exchange.walk.report(
            outcome, failure, pause: pause, isUploaded: exchange.intake.isComplete, now: exchange.worker.now)
        guard let wait else { return }
        exchange.worker.events.tell(
            .providerPaused(
                exchange.providerName, failure?.reason.rawValue ?? outcome.reason,
                seconds: (wait + 999_999) / 1_000_000))
    }

    /// Tells the record how it ended, as far as it has a reason of its own.
    func record(_ failure: UpstreamFailure?, status: Int?, reason: String? = nil) {
        let exchange = exchange
        exchange.walk.record(
            status: status,
            reason: failure?.reason.rawValue ?? reason ?? AttemptOutcome.answered(status: status ?? 200).reason,
            model: model, Int64(startedAt - exchange.startedAt)..<Int64(Clock.monotonic() - exchange.startedAt))
    }

    func restart() { startedAt = Clock.monotonic() }
    func transferEnded() { transfer = nil }
}

/// A provider's answer that is not passed on while another may give a better one: the last of them is what the caller
/// gets if none does.
struct KeptAnswer {
    /// Error bodies have a few hundred bytes.
    static let limit = 256 << 10
    /// How long the rest of one is waited for. Microseconds.
    static let patience: UInt64 = 1_000_000

    let head: ResponseHead
    let provider: Int
    var body: [UInt8] = []

    /// The request is too long for the provider's model.
    var saysTooLong: Bool {
        guard ContextLength.mayBeSaid(by: head.status) else { return false }
        let coding = head.first(.contentEncoding).map { ContentCoding(fieldValue: $0.utf8) } ?? .identity
        guard let coding, let decoder = Decoder(coding, limit: Self.limit) else { return false }
        var text: [UInt8] = []
        _ = body.withUnsafeBytes { decoder.decode($0) { text.append(contentsOf: $0) } }
        return ContextLength.isExceeded(text)
    }
}

/// An answer whose bytes are in the connection's output and may still be taken out of it.
struct HeldAnswer {
    /// Where it begins in the output.
    let outputMark: Int
    /// As it was before the answer.
    let writer: AnswerWriter
}
