// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenUpstream
internal import Reactor

/// *plan*: which providers and keys, in which order, and what comes after a try that failed. Everything that dials runs
/// outside of a transfer's calls: directly when a transfer has ended, else at the end of the turn (`worker.resume`).
extension Exchange: TimerHandler {
    /// What the exchange waits for, and what its timer means.
    enum RouteWait {
        case nothing
        /// The next turn, to read on in a compressed body.
        case reading
        /// What the cache has, or another request's answer.
        case recall
        /// A place at the provider.
        case queue
        /// Its answer's first byte; the timer is the deadline of all tries.
        case answer
        /// The rest of an answer that is not passed on.
        case rest
        /// Whether a stream begins with an error.
        case hold
        /// The caller, who takes nothing of its answer or sends nothing of its body; the timer looks whether others wait.
        case caller
        /// That the transport ends, as the stream did.
        case close
        /// The end of the turn, to go on after that.
        case turn(AttemptOutcome, Problem)
    }

    /// Once the model is known: draws the order and takes the first that may be asked.
    func makePlan() throws(Problem) {
        let routes = runtime.snapshot.routes
        let failover = runtime.snapshot.configuration.failover
        var order = fitting
        if fitting.count > 1 {
            let now = worker.now
            let available = fitting.filter { index in
                let state = runtime.states[index]
                return !state.slots.isFull && state.health.wait(model(at: index), now, of: blamedCaller) == 0
            }
            order = routes.order(fitting, available: available, draw: worker.random.draw())
            if !failover.enable { order = [order[0]] }
        }
        let fresh = RoutePlan(
            order: order, rereadable: routes.rereadable, deadline: worker.now + failover.deadline.microseconds)
        var plan = fresh
        var first = plan.first(findKey)
        if first == nil {
            plan = fresh
            first = plan.first(findUnlimitedKey)
        }
        guard let first else { throw pausedProblem() }
        self.plan = plan
        try take(first)
    }

    /// The model a provider is asked for.
    private func model(at index: Int) -> String? {
        runtime.snapshot.routes.providers[index].replacement(for: facts.model) ?? facts.model
    }

    private func findKey(_ provider: Int, _ tried: [Int]) -> Int? {
        runtime.states[provider].health.usableKey(model(at: provider), worker.now, of: blamedCaller, tried: tried)
    }

    /// For a first attempt when every provider that fits goes on failing: an open breaker then helps nobody.
    private func findUnlimitedKey(_ provider: Int, _ tried: [Int]) -> Int? {
        runtime.states[provider].health.unlimitedKey(model(at: provider), worker.now)
    }

    /// Who answers for what this request does to a provider: a token, else a program, however many processes it has.
    var blamedCaller: String { tokenName ?? connection.caller.program }

    func hasNext(after outcome: AttemptOutcome) -> Bool {
        plan?.hasNext(after: outcome, now: worker.now, findKey) ?? false
    }

    /// Whether a second try, at whatever, may come to be: then the body is kept.
    var mayTryAgain: Bool {
        guard let plan, let index = providerIndex else { return false }
        // Its caller must not hear of a field that it did not send, however long the body is.
        if addsUsage(index, runtime.snapshot.routes.providers[index]) { return true }
        if body.count > runtime.snapshot.configuration.failover.maxBodyBytes { return false }
        let key = runtime.snapshot.routes.providers[index].key
        return plan.order.count > 1 || key.mayBeReread || key.count > 1
    }

    /// Each provider that fits has asked to be left alone.
    private func pausedProblem() -> Problem {
        let waits = fitting.map { runtime.states[$0].health.askedWait(model(at: $0), worker.now) }
        let seconds = max(1, ((waits.min() ?? 0) + 999_999) / 1_000_000)
        let names = fitting.map { "'\(runtime.snapshot.routes.providers[$0].name)'" }.joined(separator: ", ")
        let who = fitting.count == 1 ? "Provider \(names)" : "Each of the providers \(names)"
        return Problem(
            .providerPaused, status: 429, "\(who) has asked for no requests for another \(seconds) s.",
            isRetryable: true, retryAfter: seconds)
    }

    // MARK: Places

    /// Takes up a try: waits for a place at its provider, or dials.
    private func take(_ next: RoutePlan.Try) throws(Problem) {
        if providerIndex != next.provider {
            leaveSlot()
            addedUsage = .notAdded
        }
        providerIndex = next.provider
        tried = next
        if hasSlot { return try dialTry() }
        let state = runtime.states[next.provider]
        if !state.slots.isFull {
            state.slots.enter()
            hasSlot = true
            return try dialTry()
        }
        switch state.slots.wait(self, of: queueName) {
        case .admitted(let displaced): displaced?.isDisplaced()
        case .full:
            // Another's queue may have room.
            if let other = plan?.next(after: .noKey, now: worker.now, findKey) { return try take(other) }
            throw queueFullProblem
        }
        let timeout = runtime.snapshot.routes.providers[next.provider].queueTimeout.microseconds
        wait(.queue, until: min(worker.now + timeout, plan?.deadline ?? .max))
    }

    private var queueFullProblem: Problem {
        Problem(
            .concurrencyLimited, status: 429,
            "Too many requests wait for provider '\(providerName)'. See its max_concurrent and max_queued.",
            isRetryable: true, retryAfter: 1)
    }

    /// The queue is full, and a caller with fewer requests in it has come.
    private func isDisplaced() {
        wait(.turn(.noKey, queueFullProblem))
        worker.resume(self)
    }

    /// Whose turn it is in a queue: a token's, else a process's.
    private var queueName: String {
        tokenName ?? connection.caller.pid.map { "pid \($0)" } ?? connection.caller.address
    }

    /// A place at the provider is ours; called from wherever somebody left one.
    func slotGiven() {
        hasSlot = true
        worker.resume(self)
    }

    private func leaveSlot() {
        guard hasSlot, let index = providerIndex else { return }
        hasSlot = false
        runtime.states[index].slots.leave()?.slotGiven()
    }

    // MARK: After a try

    /// Goes on after a try that failed before anything of it went down. `problem`: what the caller hears if that was the last.
    func goOn(after outcome: AttemptOutcome, _ problem: Problem) {
        if isSettled || ending != nil { return }
        wait(.nothing)
        plan?.postpone { runtime.states[$0].slots.isFull }
        do throws(Problem) {
            if let next = plan?.next(after: outcome, now: worker.now, findKey) { return try take(next) }
            giveUp(problem)
        } catch {
            giveUp(error)
        }
    }

    func giveUp(_ problem: Problem) {
        leaveSlot()
        if let kept { return relay(kept) }
        fail(problem, problem.endState)
    }

    /// The end of the turn: no transfer is on the stack.
    func resumeRoute() {
        if isSettled || ending != nil { return }
        switch routeWait {
        case .queue:
            wait(.nothing)
            guard let tried else { return }
            // It may have begun to fail while we waited.
            let hasOther = hasNext(after: .failed)
            guard let key = findKey(tried.provider, []) ?? (hasOther ? nil : findUnlimitedKey(tried.provider, []))
            else { return goOn(after: .failed, pausedProblem()) }
            self.tried = plan?.take(key: key) ?? tried
            do throws(Problem) { try dialTry() } catch { giveUp(error) }
        case .turn(let outcome, let problem): goOn(after: outcome, problem)
        case .recall: recallEnded()
        case .nothing, .reading, .answer, .rest, .hold, .caller, .close: break
        }
    }

    /// Tells how the present try has ended, to the record and to the provider's health.
    func tryEnded(_ outcome: AttemptOutcome, _ failure: UpstreamFailure?, status: Int?, head: ResponseHead? = nil) {
        finishAttempt(failure, status: status, reason: failure?.reason.rawValue ?? outcome.reason)
        report(outcome, failure, head: head)
    }

    /// Once a try: what it says of the provider's health. nil: nothing, its caller left.
    func report(_ outcome: AttemptOutcome?, _ failure: UpstreamFailure? = nil, head: ResponseHead? = nil) {
        guard let tried, isTryOpen else { return }
        isTryOpen = false
        let state = runtime.states[tried.provider]
        guard let outcome else { return state.health.left(tried.key, of: blamedCaller) }
        if outcome.isGood == true { return state.health.answered(tried.key, of: blamedCaller) }
        let reason = failure?.reason.rawValue ?? outcome.reason
        let failover = runtime.snapshot.configuration.failover
        let pause = (failover.obeyRetryAfter ? head : nil).flatMap { head in
            RetryAfter.microseconds(
                milliseconds: head.first(.retryAfterMilliseconds), head.first(.retryAfter),
                wallSeconds: Int64(Clock.wall() / 1_000_000))
        }
        let wasUsable = findKey(tried.provider, []) != nil
        state.health.report(
            outcome, key: tried.key, model: model(at: tried.provider), of: blamedCaller,
            blame: blame(for: outcome, failure), retryAfter: pause, reason: reason, now: worker.now,
            ProviderHealth.Limits(failover))
        guard wasUsable, outcome.isGood == false, findKey(tried.provider, []) == nil else { return }
        let wait = state.health.wait(model(at: tried.provider), worker.now, of: blamedCaller)
        worker.events.providerPaused(providerName, reason, seconds: (wait + 999_999) / 1_000_000)
    }

    /// Who may be the cause of an attempt's failure.
    private func blame(for outcome: AttemptOutcome, _ failure: UpstreamFailure?) -> FairBreaker.Blame {
        switch failure?.reason {
        // What menshen itself is short of.
        case .unavailable: return .nobody
        case let reason? where reason.isBeforeRequest: return .provider
        default:
            // A provider that waits in vain for the rest of a body says 408, or closes.
            let isOfUpload = failure != nil || outcome == .answered(status: 408)
            return !isBodyComplete && isOfUpload ? .nobody : .request
        }
    }

    /// An answer that had begun well has ended so.
    func reportWhole() {
        guard let tried, let status, AttemptOutcome.answered(status: status).isGood == true else { return }
        if case .failed = observer?.ending { return }
        runtime.states[tried.provider].health.succeeded(tried.key, of: blamedCaller)
    }

    /// An answer that had begun well broke off.
    func reportBreak(_ failure: UpstreamFailure) {
        isTryOpen = true
        report(.failed, failure)
    }

    /// The exchange ends, however: its place goes to the next, and nothing more is waited for.
    func leaveRoute() {
        if case .queue = routeWait, let index = providerIndex, !hasSlot {
            runtime.states[index].slots.removeWaiting { $0 === self }
        }
        wait(.nothing)
        report(nil)
        leaveSlot()
        plan = nil
        kept = nil
        diverted = nil
    }

    // MARK: Waiting

    func wait(_ what: RouteWait, until time: UInt64? = nil) {
        routeWait = what
        if let time {
            worker.reactor.timers.set(routeTimer, at: time)
            hasRouteTimer = true
        } else if hasRouteTimer {
            worker.reactor.timers.cancel(routeTimer)
            hasRouteTimer = false
        }
    }

    func timerFired(_ timer: Timer) {
        hasRouteTimer = false
        switch routeWait {
        case .nothing, .turn, .recall: break
        case .reading:
            wait(.nothing)
            do throws(Problem) { try attempt() } catch { fail(error) }
        case .queue:
            if let index = providerIndex { runtime.states[index].slots.removeWaiting { $0 === self } }
            goOn(
                after: .noKey,
                Problem(
                    .concurrencyLimited, status: 429,
                    "No place at provider '\(providerName)' became free within its queue_timeout.", isRetryable: true,
                    retryAfter: 1))
        case .answer:
            cancelTry()
            finishAttempt(UpstreamFailure(.firstByteTimeout, "failover.deadline"), status: nil)
            // It may have been asked a moment ago.
            report(nil)
            goOn(after: .failed, Self.deadlineProblem)
        case .caller: lookAtCaller()
        case .rest: restIsLate()
        case .hold: release()
        case .close: closeIsLate()
        }
    }

    func cancelTry() {
        transfer?.cancel()
        transfer = nil
        webSocket?.cancel()
        webSocket = nil
    }

    private static let deadlineProblem = Problem(
        .upstreamTimeout, status: 504, "No provider began to answer within failover.deadline.", isRetryable: true)
}

extension Problem {
    /// How a request ends that is answered with it.
    var endState: EndState {
        switch code {
        case .upstreamTimeout: .timeout
        case .upstreamUnreachable, .upstreamBroken: .upstreamError
        default: .refused
        }
    }
}
