// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenUpstream
internal import Reactor

/// What comes after an attempt, and after a wait. Everything that dials runs outside of a transfer's calls: directly when a
/// transfer has ended, else at the end of the turn (`worker.resume`).
extension Exchange: TimerHandler {
    /// Enters a phase; with `time`, monotonic microseconds, the timer ends it or looks after it.
    func enter(_ phase: Phase, until time: UInt64? = nil) {
        self.phase = phase
        if let time {
            worker.reactor.timers.set(timer, at: time)
            isTimed = true
        } else if isTimed {
            worker.reactor.timers.cancel(timer)
            isTimed = false
        }
    }

    func timerFired(_ timer: Timer) {
        isTimed = false
        switch phase {
        case .reading: orFail { () throws(Problem) in try proceed() }
        // With a place it goes on at the end of this turn.
        case .queued where walk.hasPlace: break
        case .queued:
            leaveQueue()
            goOn(after: .noKey, .queueTimeout(providerName))
        case .asking where walk.deadline != nil: deadlinePassed()
        case .asking, .relaying: lookAtCaller()
        case .discarding: attempt?.discardedIsLate()
        case .judging: attempt?.release()
        case .closing: attempt?.closeIsLate()
        case .composing, .recalling, .awaitingKey, .awaitingReceipt, .changing, .replaying, .ending, .over: break
        }
    }

    private func deadlinePassed() {
        attempt?.cut()
        attempt?.record(UpstreamFailure(.firstByteTimeout, "failover.deadline"), status: nil)
        // It may have been asked a moment ago.
        walk.report(nil, now: worker.now)
        goOn(after: .failed, .deadlinePassed)
    }

    /// Runs a step whose problem ends the request.
    func orFail(_ step: () throws(Problem) -> Void) {
        do throws(Problem) { try step() } catch { fail(error) }
    }

    /// Runs an attempt whose problem is the caller's, unless an earlier answer was kept.
    func orGiveUp(_ step: () throws(Problem) -> Void) {
        do throws(Problem) { try step() } catch { giveUp(error) }
    }

    // MARK: After an attempt

    /// Nothing of an answer went down, and none is to be had any more.
    func attemptFailed(_ failure: UpstreamFailure) {
        attemptEnded(.failed, failure, status: nil)
        goOn(after: .failed, Problem(failure, provider: providerName))
    }

    /// Tells how the present attempt has ended, to the record and to the provider's health.
    func attemptEnded(_ outcome: AttemptOutcome, _ failure: UpstreamFailure?, status: Int?, head: ResponseHead? = nil) {
        attempt?.record(failure, status: status, reason: outcome.reason)
        report(outcome, failure, head: head)
    }

    /// Goes on after an attempt that failed before anything of it went down. `problem`: what the caller hears if that was
    /// the last.
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
        failed = (outcome, problem)
        enter(.changing)
        worker.resume(self)
    }

    func giveUp(_ problem: Problem) {
        walk.leavePlace()?.placeGiven()
        if let attempt, let answer = walk.takeKept() { return attempt.relay(answer) }
        fail(problem, problem.endState)
    }

    /// Once an attempt: what it says of the provider's health.
    func report(_ outcome: AttemptOutcome, _ failure: UpstreamFailure? = nil, head: ResponseHead? = nil) {
        var pause: UInt64?
        if let head, outcome.isGood != true, runtime.snapshot.configuration.failover.obeyRetryAfter {
            pause = RetryAfter.microseconds(
                milliseconds: head.first(.retryAfterMilliseconds), head.first(.retryAfter),
                wallSeconds: Int64(Clock.wall() / 1_000_000))
        }
        guard
            let wait = walk.report(
                outcome, failure, pause: pause, isUploaded: intake.isComplete, now: worker.now)
        else { return }
        worker.events.tell(
            .providerPaused(
                providerName, failure?.reason.rawValue ?? outcome.reason, seconds: (wait + 999_999) / 1_000_000))
    }

    /// Each provider that fits has asked to be left alone.
    var paused: Problem {
        let providers = runtime.snapshot.routes.providers
        return .paused(walk.fitting.map { providers[$0].name }, for: walk.shortestPause(now: worker.now))
    }

    // MARK: A caller that keeps others waiting

    /// The provider's bytes, or the body's, now wait for the caller.
    func watchCaller() {
        guard !isTimed, let index = walk.provider, walk.hasPlace || recall.key != nil else { return }
        switch phase {
        case .asking, .relaying: break
        default: return
        }
        stall.begin(
            queueTimeout: runtime.snapshot.routes.providers[index].queueTimeout.microseconds, at: worker.now)
        enter(phase, until: worker.now + stall.look)
    }

    /// From the timer that `watchCaller` has set.
    private func lookAtCaller() {
        let isUploading = !intake.isComplete
        guard let transfer = attempt?.transfer else { return }
        if !isUploading, connection.pendingOutput < connection.highWater {
            // It moves, or others have left and made room.
            return transfer.resume()
        }
        // It is the provider who does not take the body.
        if isUploading, connection.isReadingPaused { stall.moved(at: worker.now) }
        if stall.isSlow(at: worker.now), let key = recall.key { worker.handOverFlight(of: self, key) }
        if stall.isStalled(at: worker.now), walk.hasPlace, let index = walk.provider,
            runtime.states[index].slots.hasWaiting
        {
            return giveWay(isUploading)
        }
        enter(phase, until: worker.now + stall.look)
    }

    private func giveWay(_ isUploading: Bool) {
        if isUploading { return fail(.stalledUpload(providerName, milliseconds: stall.limit / 1000)) }
        // It does not read, so nothing that is said reaches it; a reset frees what waits for it.
        ledger.note(Problem.Code.requestTimeout.rawValue)
        SocketIO.resetOnClose(connection.fd)
        connection.callerLeft()
    }
}
