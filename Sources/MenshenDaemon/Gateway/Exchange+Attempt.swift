// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import MenshenUpstream

extension Exchange {
    /// The request is understood as far as it has to be: plans, and dials the first provider.
    func attempt() throws(Problem) {
        guard let resolved, isReadyToDial else { return }
        guard try understandBody() else { return }
        facts.mask(secrets)
        try refuseGuess(resolved)
        // Without a model that the body alone tells, `begin` has found them.
        if facts.model != resolved.facts.model {
            fitting = try runtime.snapshot.routes.fitting(resolved.target, resolved.dialect, model: facts.model)
        }
        if recall(resolved) { return }
        try makePlan()
    }

    /// Dials for the present try: key, record of intent, rewritten request. The answer is held until the record is safe.
    func dialTry() throws(Problem) {
        guard let tried, let resolved else { return }
        let provider = runtime.snapshot.routes.providers[tried.provider]
        askedModel = provider.replacement(for: facts.model)
        // The signature is over the body's hash, and stands before it.
        if provider.signing != nil, !isBodyComplete { throw Self.unsignableProblem(provider.name) }
        let secret: Secret?
        let lookup =
            tried.rereads
            ? runtime.keys.keyAnew(
                tried.provider, provider.key, place: tried.key, refused: usedKey, now: worker.now)
            : runtime.keys.key(tried.provider, provider.key, place: tried.key, now: worker.now)
        switch lookup {
        case .ready(let key): secret = key
        case .stale(let key, let reason):
            worker.events.keyStale(provider.name, reason)
            secret = key
        case .pending:
            // A reload came in between: the answer of the old configuration's command is heard by nobody.
            guard runtime === worker.runtime else { throw Self.keySourceChangedProblem }
            isAwaitingKey = true
            worker.awaitKey(self, of: tried.provider)
            return
        case .failed(let reason):
            worker.events.keyUnavailable(provider.name, reason)
            attemptStartedAt = Clock.monotonic()
            finishAttempt(nil, status: nil, reason: AttemptOutcome.noKey.reason)
            return goOn(
                after: .noKey,
                Problem(.keyUnavailable, status: 503, "Provider '\(provider.name)' has no key. \(reason)"))
        }
        // Its source has no other key than the one that was refused.
        if tried.rereads, secret?.digest == usedKey?.digest {
            return goOn(after: .answered(status: 401), Self.refusedKeyProblem)
        }
        usedKey = secret
        if intent == nil {
            recordIntent(provider.name)
            if record == .waiting, worker.hasNoDevice {
                awaitsReceipt = true
                return
            }
        }
        runtime.states[tried.provider].health.enter(tried.key, worker.now, of: blamedCaller)
        isTryOpen = true
        // Before dialling: a refusal, or an answer over a connection that is there, may come before `dial` returns.
        if let plan, plan.order.count > 1 { wait(.answer, until: plan.deadline) }
        do {
            try dial(tried.provider, provider, secret, resolved)
        } catch let problem as Problem {
            throw problem
        } catch {
            cancelTry()
            tryFailed(UpstreamFailure(.unavailable, "\(error)"))
        }
    }

    /// Nothing of an answer went down, and none is to be had any more.
    func tryFailed(_ failure: UpstreamFailure) {
        tryEnded(.failed, failure, status: nil)
        goOn(after: .failed, Self.problem(failure, provider: providerName))
    }

    /// What changes in the body for this provider: the model's name, and that a chat stream reports its usage. Of a
    /// streamed body, whose length is announced before its end is known, only what was read so far can change.
    private func splices(
        for index: Int, _ provider: Provider, _ model: String?, isInPath: Bool
    ) throws(Problem) -> [Splice] {
        var splices: [Splice] = []
        // An earlier try may have asked for it.
        filter = nil
        if let model, !isInPath, operation != .models, !body.isEmpty {
            splices = modelPlaces?.splices(model) ?? []
            if splices.isEmpty {
                if let problem = changeProblem(provider.name) { throw problem }
                throw Problem(
                    .malformedRequest, status: isBodyComplete ? 400 : 413,
                    isBodyComplete
                        ? "Provider '\(provider.name)' is to be asked for the model '\(model)', but the body is neither a JSON object nor a form that names one. See its Content-Type."
                        : "Provider '\(provider.name)' is to be asked for another model, which has to stand in the first 64 KiB of a body of this size."
                )
            }
        }
        if addsUsage(index, provider), let usageSplice {
            splices.append(usageSplice)
            addedUsage = .added
            if provider.stripAddedUsage { filter = UsageChunkFilter() }
        } else if addedUsage == .added {
            addedUsage = .notAdded
        }
        return splices
    }

    private func dial(_ index: Int, _ provider: Provider, _ secret: Secret?, _ resolved: ResolvedTarget) throws {
        attemptStartedAt = Clock.monotonic()
        let (target, isInPath) = resolved.line(for: provider, index, model: askedModel, inQuery: upgrade != nil)
        if let upgrade { return try tunnel(upgrade, index, provider, secret, target) }
        let splices = try splices(for: index, provider, askedModel, isInPath: isInPath)
        let transfer = try worker.engine.transfer(to: runtime.endpoint(index))
        var body = takeBody()
        if !splices.isEmpty { Splice.apply(splices, to: &body) }
        let mode: Transfer.Body
        switch head.framing {
        case .none:
            // A POST without a body still says so upstream.
            switch head.method {
            case .post, .put, .patch: mode = .whole([])
            default: mode = .none
            }
        case .fixed(let length) where !isBodyComplete:
            mode = .streamed(length: splices.reduce(length) { $0 + $1.growth })
        case .chunked where !isBodyComplete: mode = .streamed(length: nil)
        default: mode = .whole(body)
        }
        writeHeaders(transfer.headers, provider, secret, runtime.replacedHeaders[index], mode)
        if let signing = provider.signing, let secret { sign(transfer, provider, signing, secret, target, body) }
        self.transfer = transfer
        try transfer.start(method: head.method, target: target, body: mode, receiver: self)
        if case .streamed = mode {
            let hasRoom = body.withUnsafeBytes { transfer.send($0) }
            if hasRoom { connection.resumeReading() } else { connection.pauseForUpload() }
            watchCaller()
        }
    }

    /// The body to send. It stays here as well while another try may need it; of a streamed one there is no other try.
    private func takeBody() -> [UInt8] {
        if isBodyComplete, mayTryAgain { return body }
        plan?.close()
        // There is one try, and no deadline of several.
        wait(.nothing)
        let taken = body
        body = []
        return taken
    }

    /// The caller's header fields as they go upstream, and those that are added.
    func writeHeaders(
        _ request: some HeaderSink, _ provider: Provider, _ secret: Secret?, _ replaced: Set<String>,
        _ mode: Transfer.Body
    ) {
        let rules = HeaderRules(for: head, replaced: replaced)
        var hasAccept = false
        var hasContentType = false
        var hasVersion = false
        head.bytes.withUnsafeBytes { bytes in
            for field in head.fields where rules.forwards(field, of: head) {
                switch field.known {
                case .accept: hasAccept = true
                // A coded stream could not be filtered.
                case .acceptEncoding where filter != nil: continue
                case .contentType: hasContentType = true
                case .anthropicVersion: hasVersion = true
                default: break
                }
                if field.value.isEmpty {
                    request.addHeader(empty: UnsafeRawBufferPointer(rebasing: bytes[field.name]))
                } else {
                    // The line as it came, name to value, in one move.
                    request.addHeader(
                        line: UnsafeRawBufferPointer(rebasing: bytes[field.name.lowerBound..<field.value.upperBound]))
                }
            }
        }
        if !hasAccept { request.suppressHeader("Accept:") }
        switch mode {
        case .none: break
        case .whole, .streamed:
            request.suppressHeader("Expect:")
            if !hasContentType { request.suppressHeader("Content-Type:") }
        }
        if provider.kind == .anthropic, !hasVersion { request.addHeader("anthropic-version: ", "2023-06-01") }
        for header in provider.headers { request.addHeader(name: header.name, header.value) }
        if let secret, provider.signing == nil { CredentialInjection.add(secret, as: provider.kind, to: request) }
    }

    /// Tells how the try ended, for the record.
    func finishAttempt(_ failure: UpstreamFailure?, status: Int?, reason: String? = nil) {
        guard let index = providerIndex, let tried else { return }
        let provider = runtime.snapshot.routes.providers[index]
        attempts.append(
            AttemptRecord(
                provider: provider.name, key: provider.key.count > 1 ? tried.key + 1 : nil, model: askedModel,
                status: status,
                reason: failure?.reason.rawValue ?? reason
                    ?? AttemptOutcome.answered(status: status ?? 200).reason,
                startedMicroseconds: Int64(attemptStartedAt - startedAt),
                endedMicroseconds: Int64(Clock.monotonic() - startedAt)))
    }
}

extension Exchange {
    /// Nothing has gone out yet, nothing is awaited, and no answer has been given.
    private var isReadyToDial: Bool {
        if case .reading = routeWait { return false }
        return !isSettled && ending == nil && plan == nil && record == .none && cacheRecord == nil
    }

    /// The command that gives the provider's key has ended, well or not.
    func keyArrived() {
        isAwaitingKey = false
        // It was refused meanwhile because nobody can record it.
        if isSettled || ending != nil { return }
        do throws(Problem) { try dialTry() } catch { giveUp(error) }
    }

    /// A reload came while the key was awaited.
    func keySourceChanged() {
        isAwaitingKey = false
        giveUp(Self.keySourceChangedProblem)
    }

    private static let refusedKeyProblem = Problem(
        .keyUnavailable, status: 502, "The provider refuses its key, and its source has no other.")

    private static let keySourceChangedProblem = Problem(
        .keyUnavailable, status: 503, "The configuration changed while this request waited for its key.",
        isRetryable: true)
}
