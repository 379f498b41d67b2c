// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import MenshenUpstream

extension Exchange {
    // MARK: Records

    /// What is masked in whatever is kept of this request.
    var secrets: [Secret] {
        let known = runtime.keys.known(runtime.snapshot.configuration)
        // Its key may be an earlier one by now.
        guard let usedKey, !known.contains(where: { $0 === usedKey }) else { return known }
        return known + [usedKey]
    }

    private func masked(_ text: String) -> String { secrets.reduce(text) { $1.masked($0) } }

    /// Has the intent recorded. Where that is not done at once, the answer waits for the store's receipt.
    func recordIntent(_ provider: String?) {
        let intent = makeIntent(provider: provider)
        self.intent = intent
        if worker.note(intent) {
            record = .safe
        } else {
            worker.record(.intent(intent), for: self)
            record = .waiting
            connection.isHeld = true
        }
    }

    private func makeIntent(provider: String?) -> AuditIntent {
        AuditIntent(
            id: id, caller: connection.caller, tokenName: tokenName, method: head.method.rawValue,
            path: masked(resolved?.target.path ?? "-"), dialect: dialect, operation: operation, provider: provider,
            model: facts.model,
            isStream: facts.isStream)
    }

    /// The store's word about this request; nil: its backlog is full.
    func receive(_ device: AuditDevice?) {
        guard record == .waiting else { return }
        record = .safe
        if intent != nil || isAuthenticated {
            guard let device else {
                return refuseUnrecorded(
                    Problem(
                        .overloaded, status: 503,
                        "The audit backlog is full: requests come faster than they can be recorded.",
                        isRetryable: true))
            }
            if device == .none {
                return refuseUnrecorded(
                    Problem(
                        .auditUnavailable, status: 503,
                        "No record of this request can be kept: neither the audit database nor the journal takes it.",
                        isRetryable: true))
            }
        }
        connection.isHeld = held != nil
        connection.mark()
        if let ending { return finish(ending) }
        if awaitsReceipt {
            awaitsReceipt = false
            do throws(Problem) { try dialTry() } catch { giveUp(error) }
        }
    }

    /// A provider that is at work is given up for that. What it was sent so far it may have worked on.
    private func cutAttempt(_ problem: Problem) {
        if transfer != nil { finishAttempt(nil, status: status, reason: problem.code.rawValue) }
    }

    /// What the provider said so far is thrown away.
    private func refuseUnrecorded(_ problem: Problem) {
        awaitsReceipt = false
        cutAttempt(problem)
        cancelTry()
        held = nil
        connection.output.removeAll(keepingCapacity: true)
        connection.isHeld = false
        framing = nil
        keepAlive = false
        problemCode = problem.code.rawValue
        status = problem.status
        let answer = LocalAnswer(problem, dialect, id)
        bytesOut = Int64(answer.body.count)
        answer.append(to: &connection.output, for: self)
        // The provider may have ended first; its settlement is on its way to the store, and this one replaces it.
        if intent != nil { isSettled = false }
        settle(.refused)
        finish(.keepAlive(false))
    }

    // MARK: Answers of our own

    /// Answers with a problem, or breaks off if the provider's head went down already.
    func fail(_ problem: Problem, _ state: EndState = .refused) {
        if isSettled || ending != nil { return }
        problemCode = problem.code.rawValue
        cutAttempt(problem)
        transfer?.cancel()
        transfer = nil
        webSocket?.cancel()
        release()
        if framing != nil { return end(state, .breakOff(needsReset: framing == .untilClose)) }
        keepAlive = keepAlive && isBodyComplete
        answer(resolved?.surface == nil ? LocalAnswer(problem, dialect, id) : pageAnswer(problem), state)
    }

    /// A head that could not be read: nothing is known but who sent it.
    func refuseMalformed(_ problem: Problem) {
        keepAlive = false
        if !connection.listener.isTCP { isAuthenticated = true }
        fail(problem)
    }

    func answer(_ answer: LocalAnswer, _ state: EndState = .complete) {
        if worker.isDraining { keepAlive = false }
        status = answer.status
        firstByteAt = Clock.monotonic()
        answer.append(to: &connection.output, for: self)
        bytesOut = Int64(answer.body.count)
        end(state, .keepAlive(keepAlive))
    }

    // MARK: The end

    /// The answer, whole or broken, is in the connection's output. Settles, and lets the connection go on once the record
    /// is safe.
    func end(_ state: EndState, _ ending: Ending) {
        guard self.ending == nil else { return }
        self.ending = ending
        if isAwaitingKey { worker.forget(self) }
        settle(state)
        if record == .waiting { return }
        finish(ending)
    }

    private func finish(_ ending: Ending) {
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
        let hasAll = webSocket?.hasClosed ?? replay?.isOver ?? observer.map { $0.ending != .open } ?? false
        stop(hasAll ? answerState : .clientGone)
    }

    /// menshen stops before the answer ends.
    func abort(_ goodbye: WebSocketRelay.Goodbye = .goingAway) {
        if let close = webSocket?.sayGoodbye(goodbye) { connection.writeLast(close) }
        stop(hasLastWord ? answerState : .aborted)
    }

    private func stop(_ state: EndState) {
        if transfer != nil || webSocket?.isUp == true {
            transfer?.cancel()
            transfer = nil
            webSocket?.cancel()
            finishAttempt(nil, status: status)
            if state != .complete, state != .streamError { attempts[attempts.count - 1].reason = state.rawValue }
        }
        settle(state)
        // The connection is gone: no receipt may come back to this exchange, that of its own end included.
        worker.forget(self)
    }

    /// What the answer says of itself and of its cost.
    private func describeAnswer(_ settlement: inout AuditSettlement) {
        let keys = secrets
        if let streamed = scan?.facts ?? form?.facts {
            facts.add(streamed)
            facts.mask(keys)
        }
        settlement.model = facts.model.map(AuditText.name)
        settlement.isStream = facts.isStream
        let usage = webSocket?.observer.usage ?? observer?.usage
        let serviceTier = webSocket?.observer.serviceTier ?? observer?.serviceTier ?? facts.serviceTier
        let model = webSocket?.observer.model ?? observer?.model
        if usage != nil || observer != nil || serviceTier != nil || facts.endUser != nil || model != nil {
            settlement.answer = AnswerRecord(
                usage: usage, model: model, finishReason: observer?.finishReason,
                serviceTier: serviceTier, endUser: facts.endUser,
                masking: keys)
        }
        settlement.usageState = usageState(usage, settlement.endState)
    }

    private func usageState(_ usage: Usage?, _ state: EndState) -> UsageState {
        if let messages = webSocket?.observer, webSocket?.isOpen == true, operation != .live {
            // Each response was reported for itself; one that was cut off was not.
            if messages.hasOpenResponse { return usage == nil ? .unknown : .partial }
            return usage != nil ? .reported : messages.hasWorked ? .unknown : .none
        }
        if usage != nil { return state == .complete ? .reported : .partial }
        let isLookUp = head.method == .get || head.method == .head || head.method == .delete
        guard intent != nil, operation.hasUsage(isLookUp: isLookUp) else { return .none }
        // A provider that refuses charges nothing; one that never answered may have worked.
        let wasSent = attempts.contains {
            ($0.status ?? 0) < 400 && UpstreamFailure.Reason(rawValue: $0.reason)?.isBeforeRequest != true
                && $0.reason != AttemptOutcome.noKey.reason
        }
        return wasSent ? .unknown : .none
    }

    /// A page of menshen's own or a browser's pre-flight that was answered, and a page that nobody has signed in to yet.
    private var isUnrecorded: Bool {
        guard intent == nil else { return false }
        if resolved?.surface != nil {
            return problemCode == nil || status == 401 && head.first(.authorization) == nil
        }
        return problemCode == nil && allowedOrigin != nil && head.method == .options
    }

    /// The last phase of every request: completes its record.
    private func settle(_ state: EndState) {
        if isSettled { return }
        isSettled = true
        giveBack()
        leaveRoute()
        leaveCache(state)
        // These spend nothing and say nothing of anybody; a probe every second would only bury the rest.
        if isUnrecorded { return }
        let now = Clock.monotonic()
        let intent = intent ?? makeIntent(provider: nil)
        var settlement = AuditSettlement(
            intent: intent, endState: state, totalMicroseconds: Int64(now - startedAt), bytesIn: bytesIn,
            bytesOut: bytesOut)
        settlement.status = status
        // The provider's own word for what went wrong, which may repeat what it was sent.
        settlement.problem = problemCode.map(masked)
        if providerIndex != nil { settlement.provider = providerName }
        settlement.attempts = attempts
        describeAnswer(&settlement)
        settlement.cache = cacheRecord
        if let replay { replay.describe(&settlement) }
        settlement.firstByteMicroseconds = firstByteAt.map { Int64($0 - startedAt) }
        settlement.messagesIn = webSocket?.messagesIn
        settlement.messagesOut = webSocket?.messagesOut
        if requestCapture != nil || responseCapture != nil {
            let keys = secrets
            settlement.requestBody = requestCapture?.masked(keys)
            settlement.responseBody = responseCapture?.masked(keys)
        }
        worker.events.debug(Self.line(settlement))
        if self.intent != nil {
            worker.record(settlement)
        } else {
            worker.record(.refused(settlement, authenticated: isAuthenticated), for: self)
            record = .waiting
            connection.isHeld = !connection.isClosed
        }
    }

    /// A request in one line for `verbose`; what its row says, and no more.
    private static func line(_ end: AuditSettlement) -> String {
        let tries = end.attempts.map { "\($0.provider) \($0.status.map { String($0) } ?? "-") \($0.reason)" }
        return "Request \(end.intent.id) \(end.intent.method) \(end.intent.path): \(end.endState.rawValue), "
            + "status \(end.status.map { String($0) } ?? "-"), \(end.totalMicroseconds) µs"
            + (tries.isEmpty ? "" : ", tried \(tries.joined(separator: ", "))")
            + (end.problem.map { ", problem \($0)" } ?? "") + "."
    }
}
