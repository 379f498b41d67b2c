// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore
internal import MenshenUpstream

/// One request's way through the providers that fit it: the plan, the place it has or waits for at one of them, what is known
/// of their health, and a record of each attempt. Time is an argument, in monotonic microseconds. What changes nothing is
/// `mutating` all the same: it is read in place then, and not copied out of the object that holds it.
struct RouteWalk {
    private let runtime: Runtime
    private let id: RequestID
    /// Who answers for what this request does to a provider.
    private var blamed = ""
    /// The caller's.
    private var model: String?
    /// The providers that fit, as indices into `routes.providers`.
    private(set) var fitting: [Int] = []
    private var plan: RoutePlan?
    private(set) var tried: RoutePlan.Try?
    /// Index of the provider of the present attempt, or of the answer that is passed on.
    private(set) var provider: Int?
    /// There is an attempt of which the provider's health has not heard how it went.
    private var isOpen = false
    /// A place at the provider is this request's.
    private(set) var hasPlace = false
    /// It stands in the queue of the provider's places, or there is news of it.
    private(set) var isQueued = false
    private var turnedAt: UInt64 = 0
    /// Since when it waits for a place, and for how long it has waited before.
    private var queuedAt: UInt64?
    private var queuedFor: UInt64 = 0
    private(set) var attempts: [AttemptRecord] = []
    /// The last provider's answer that was not passed on.
    @Boxed private var kept: KeptAnswer?

    init(_ runtime: Runtime, _ id: RequestID) {
        self.runtime = runtime
        self.id = id
    }

    // MARK: The plan

    mutating func fit(_ indices: [Int]) { fitting = indices }

    /// While the body comes, a connection is made to the provider that is sure to get it: no other fits, it has a place and is
    /// not left alone after failures, and no cache may answer.
    mutating func connectEarly(_ engine: TransferEngine, blamed: String, now: UInt64) {
        guard fitting.count == 1, runtime.snapshot.configuration.cache.maxAge == nil else { return }
        let state = runtime.states[fitting[0]]
        if state.places.isFull || state.health.wait(nil, now, of: blamed) > 0 { return }
        engine.connectEarly(to: runtime.endpoint(fitting[0]))
    }

    /// Once the model is known: draws the order. nil: each provider that fits has asked for a pause.
    mutating func begin(
        model: String?, blamed: String, now: UInt64, draw: () -> Double
    ) -> RoutePlan.Try? {
        self.model = model
        self.blamed = blamed
        let failover = runtime.snapshot.configuration.failover
        var order = fitting
        if fitting.count > 1 {
            let available = fitting.filter { index in
                let state = runtime.states[index]
                return !state.places.isFull && state.health.wait(self.model(at: index), now, of: blamed) == 0
            }
            order = runtime.snapshot.routes.order(fitting, available: available, draw: draw())
            if !failover.enable { order = [order[0]] }
        }
        let fresh = RoutePlan(
            order: order, rereadable: runtime.snapshot.routes.rereadable, deadline: now + failover.deadline.microseconds
        )
        var plan = fresh
        var first = plan.first { key($0, now, tried: $1) }
        if first == nil {
            plan = fresh
            first = plan.first { provider, _ in unlimitedKey(provider, now) }
        }
        if first != nil { self.plan = plan }
        return first
    }

    /// The model a provider is asked for.
    func model(at index: Int) -> String? {
        replacement(at: index) ?? model
    }

    /// What a provider is asked for, if that is not the caller's model.
    func replacement(at index: Int) -> String? {
        guard runtime.snapshot.routes.replacesModels else { return nil }
        return runtime.snapshot.routes.providers[index].replacement(for: model)
    }

    private func key(_ provider: Int, _ now: UInt64, tried: [Int] = []) -> Int? {
        runtime.states[provider].health.usableKey(model(at: provider), now, of: blamed, tried: tried)
    }

    /// For a first attempt when every provider that fits goes on failing: an open breaker then helps nobody.
    private func unlimitedKey(_ provider: Int, _ now: UInt64) -> Int? {
        runtime.states[provider].health.unlimitedKey(model(at: provider), now)
    }

    mutating func hasNext(after outcome: AttemptOutcome, now: UInt64) -> Bool {
        if outcome == .tooLong { return mayTakeMore(now: now) }
        return plan?.hasNext(after: outcome, now: now) { key($0, now, tried: $1) } ?? false
    }

    /// Whether a provider is still to be asked that takes longer requests than the present one.
    private mutating func mayTakeMore(now: UInt64) -> Bool {
        guard runtime.snapshot.routes.providers.contains(where: { $0.turn.contextWindow != nil }) else { return false }
        return planOfLarger?.hasNext(after: .tooLong, now: now) { key($0, now, tried: $1) } ?? false
    }

    /// The plan without those that take no longer requests than the present one.
    private var planOfLarger: RoutePlan? {
        guard let tried, var plan else { return nil }
        let providers = runtime.snapshot.routes.providers
        plan.drop { !providers[$0].turn.takesMore(than: providers[tried.provider].turn) }
        return plan
    }

    /// Microseconds within which an answer says that nothing was worked on for long.
    private static let quick: Int64 = 1_000_000

    /// The same provider once more, where all others that could be asked are worse by what the configuration says.
    private mutating func again(after outcome: AttemptOutcome, now: UInt64) -> RoutePlan.Try? {
        guard outcome.isPassing, var plan, let tried, runtime.snapshot.configuration.failover.quickRetry,
            let last = attempts.last, last.endedMicroseconds - last.startedMicroseconds < Self.quick
        else { return nil }
        let providers = runtime.snapshot.routes.providers
        guard let next = plan.upcoming({ key($0, now, tried: $1) }),
            providers[next].turn.priority > providers[tried.provider].turn.priority
        else { return nil }
        defer { self.plan = plan }
        return plan.again(now: now) { key($0, now, tried: $1) }
    }

    mutating func next(after outcome: AttemptOutcome, now: UInt64) -> RoutePlan.Try? {
        guard var plan else { return nil }
        defer { self.plan = plan }
        return plan.next(after: outcome, now: now) { key($0, now, tried: $1) }
    }

    /// The same, after a failure: providers that are full come last.
    mutating func nextWithRoom(after outcome: AttemptOutcome, now: UInt64) -> RoutePlan.Try? {
        if let again = again(after: outcome, now: now) { return again }
        let states = runtime.states
        if outcome == .tooLong { plan = planOfLarger ?? plan }
        plan?.postpone { states[$0].places.isFull }
        return next(after: outcome, now: now)
    }

    /// The place has come, and the provider may have begun to fail meanwhile. False: it is to be left alone.
    mutating func refreshKey(now: UInt64) -> Bool {
        guard let tried else { return false }
        let hasOther = hasNext(after: .failed, now: now)
        guard let key = key(tried.provider, now) ?? (hasOther ? nil : unlimitedKey(tried.provider, now)) else {
            return false
        }
        self.tried = plan?.take(key: key) ?? tried
        return true
    }

    /// Several providers, or keys, may be tried.
    mutating func mayAskAnother() -> Bool {
        guard let plan, let provider else { return false }
        if plan.order.count > 1 { return true }
        let key = runtime.snapshot.routes.providers[provider].key
        return key.mayBeReread || key.count > 1
    }

    /// When all attempts have to have an answer; nil with one provider, which its own limits bound.
    var deadline: UInt64? {
        mutating get { plan.flatMap { $0.order.count > 1 ? $0.deadline : nil } }
    }

    /// Until when a place is waited for.
    mutating func placeDeadline(now: UInt64) -> UInt64 {
        min(now + (queueTimeout ?? 0), plan?.deadline ?? .max)
    }

    /// Gives up every further attempt: the request's body is gone.
    mutating func close() { plan?.close() }

    // MARK: Places

    /// Turns to a provider. Returns who gets the place at the one that was left.
    mutating func turn(to next: RoutePlan.Try, now: UInt64) -> Ticket? {
        let heir = provider == next.provider ? nil : leavePlace(now: now)
        provider = next.provider
        tried = next
        turnedAt = now
        return heir
    }

    /// True if it has a place at its provider now.
    mutating func takePlace() -> Bool {
        guard !hasPlace, let provider else { return hasPlace }
        hasPlace = runtime.states[provider].places.enter()
        return hasPlace
    }

    /// The same, or it waits for one. `ticket`: this request's. `caller`: whose turn it is in the queue.
    mutating func takePlace(
        orWait ticket: @autoclosure () -> Ticket, of caller: @autoclosure () -> String
    ) -> Places.Entry {
        if takePlace() { return .entered }
        guard let provider else { return .full }
        let entry = runtime.states[provider].places.enter(orWait: ticket(), of: caller())
        switch entry {
        case .entered: hasPlace = true
        case .waits:
            isQueued = true
            queuedAt = turnedAt
        case .full: break
        }
        return entry
    }

    /// Microseconds that it has waited for places.
    func queued(now: UInt64) -> UInt64 { queuedFor + (queuedAt.map { now > $0 ? now - $0 : 0 } ?? 0) }

    /// How long others may wait for a place at its provider, in microseconds.
    var queueTimeout: UInt64? {
        mutating get { provider.map { runtime.snapshot.routes.providers[$0].queueTimeout.microseconds } }
    }

    /// What has become of its waiting; nil: nothing yet.
    mutating func hearOfPlace(now: UInt64) -> Places.News? {
        guard isQueued, let provider, let news = runtime.states[provider].places.takeNews(of: id) else { return nil }
        isQueued = false
        endQueue(now)
        hasPlace = news == .place
        return news
    }

    /// Gives up its place, or waiting for one. Returns who gets the place.
    mutating func leavePlace(now: UInt64) -> Ticket? {
        guard hasPlace || isQueued, let provider else { return nil }
        endQueue(now)
        let places = runtime.states[provider].places
        let heir = hasPlace ? places.leave() : places.withdraw(id)
        hasPlace = false
        isQueued = false
        return heir
    }

    private mutating func endQueue(_ now: UInt64) {
        queuedFor = queued(now: now)
        queuedAt = nil
    }

    /// It has a place that others wait for.
    var keepsOthersWaiting: Bool {
        mutating get { provider.map { hasPlace && runtime.states[$0].places.hasWaiting } ?? false }
    }

    // MARK: The answer

    mutating func keep(_ answer: KeptAnswer) { kept = answer }
    mutating func forgetKept() { kept = nil }

    /// What the last provider that answered had to say.
    mutating func takeKept() -> KeptAnswer? {
        guard let answer = kept else { return nil }
        kept = nil
        provider = answer.provider
        return answer
    }

    // MARK: Health

    /// The provider is about to be asked.
    mutating func enter(now: UInt64) {
        guard let tried else { return }
        runtime.states[tried.provider].health.enter(tried.key, now, of: blamed)
        isOpen = true
    }

    /// Once an attempt: what it says of the provider's health. nil: nothing, its caller left. Returns for how many
    /// microseconds the provider is left alone from now on, if it was not before.
    @discardableResult
    mutating func report(
        _ outcome: AttemptOutcome?, _ failure: UpstreamFailure? = nil, pause: UInt64? = nil, isUploaded: Bool = true,
        now: UInt64
    ) -> UInt64? {
        guard let tried, isOpen else { return nil }
        isOpen = false
        let state = runtime.states[tried.provider]
        guard let outcome else {
            state.health.left(tried.key, of: blamed)
            return nil
        }
        if outcome.isGood == true {
            state.health.answered(tried.key, of: blamed)
            return nil
        }
        let model = model(at: tried.provider)
        let limits = ProviderHealth.Limits(runtime.snapshot.configuration.failover)
        return state.health.change { [blamed] health in
            let wasUsable = health.usableKey(model, now, of: blamed) != nil
            health.report(
                outcome, key: tried.key, model: model, of: blamed,
                blame: Self.blame(outcome, failure, isUploaded), retryAfter: pause,
                reason: failure?.reason.rawValue ?? outcome.reason, now: now, limits)
            guard wasUsable, outcome.isGood == false, health.usableKey(model, now, of: blamed) == nil else {
                return nil
            }
            return health.wait(model, now, of: blamed)
        }
    }

    /// Who may be the cause of an attempt's failure.
    private static func blame(
        _ outcome: AttemptOutcome, _ failure: UpstreamFailure?, _ isUploaded: Bool
    ) -> FairBreaker.Blame {
        switch failure?.reason {
        // What menshen itself is short of.
        case .unavailable: return .nobody
        case let reason? where reason.isBeforeRequest: return .provider
        default:
            // A provider that waits in vain for the rest of a body says 408, or closes.
            let isOfUpload = failure != nil || outcome == .answered(status: 408)
            return !isUploaded && isOfUpload ? .nobody : .request
        }
    }

    /// An answer that had begun well has ended so.
    mutating func reportWhole() {
        if let tried { runtime.states[tried.provider].health.succeeded(tried.key, of: blamed) }
    }

    /// An answer that had begun well broke off.
    mutating func reopen() { isOpen = true }

    /// How long the providers that fit want to be left alone, in microseconds.
    mutating func shortestPause(now: UInt64) -> UInt64 {
        fitting.map { runtime.states[$0].health.askedWait(model(at: $0), now) }.min() ?? 0
    }

    /// Each of them has asked to be left alone.
    mutating func paused(now: UInt64) -> Problem {
        let providers = runtime.snapshot.routes.providers
        return .paused(fitting.map { providers[$0].name }, for: shortestPause(now: now))
    }

    // MARK: Records

    /// `times`: microseconds since the request began.
    mutating func record(status: Int?, reason: String, model: String?, _ times: Range<Int64>) {
        guard let provider, let tried else { return }
        let hasSeveralKeys = runtime.snapshot.routes.providers[provider].key.count > 1
        attempts.append(
            AttemptRecord(
                provider: runtime.snapshot.routes.providers[provider].name, key: hasSeveralKeys ? tried.key + 1 : nil,
                model: model, status: status, reason: reason, startedMicroseconds: times.lowerBound,
                endedMicroseconds: times.upperBound))
    }

    /// The last attempt's reason is that the request itself was broken off.
    mutating func relabelLast(_ reason: String) { attempts[attempts.count - 1].reason = reason }

    /// Whether any provider was asked, in any attempt but the first `before`.
    mutating func wasAsked(since before: Int = 0) -> Bool {
        attempts.dropFirst(before).contains { $0.wasAsked }
    }

    /// Whether any provider may have worked for this request.
    mutating func wasSent(since before: Int = 0) -> Bool {
        attempts.dropFirst(before).contains { ($0.status ?? 0) < 400 && !AttemptRecord.unasked.contains($0.reason) }
    }

    /// The request is over.
    mutating func end(now: UInt64) {
        report(nil, now: now)
        plan = nil
        kept = nil
    }
}
