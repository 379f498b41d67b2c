// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import MenshenUpstream

extension Exchange {
    /// Dials the provider: key, record of intent, rewritten request. The answer is held until the record is safe.
    func attempt() throws(Problem) {
        guard let index = providerIndex, let resolved, isReadyToDial else { return }
        let provider = runtime.snapshot.routes.providers[index]
        // The signature is over the body's hash, and stands before it.
        if provider.signing != nil, !isBodyComplete { throw Self.unsignableProblem(provider.name) }
        let secret: Secret?
        switch runtime.keys.key(index, provider.key, now: worker.now) {
        case .ready(let key): secret = key
        case .pending:
            // A reload came in between: the answer of the old configuration's command is heard by nobody.
            guard runtime === worker.runtime else { throw Self.keySourceChangedProblem }
            isAwaitingKey = true
            worker.awaitKey(self, of: index)
            return
        case .failed(let reason):
            worker.events.keyUnavailable(provider.name, reason)
            throw Problem(.keyUnavailable, status: 503, "Provider '\(provider.name)' has no key. \(reason)")
        }
        understandBody(provider)
        facts.mask(runtime.keys.known(runtime.snapshot.routes.providers))
        recordIntent(provider.name)
        do {
            try dial(index, provider, secret, resolved)
        } catch {
            let failure = UpstreamFailure(.unavailable, "\(error)")
            finishAttempt(failure, status: nil)
            fail(failure)
        }
    }

    /// Reads the body's facts, and has a chat stream report its usage. A body that is streamed goes on being read as it
    /// passes, and stays as it is: its length is announced before its end is known.
    private func understandBody(_ provider: Provider) {
        guard !body.isEmpty else { return }
        guard isJSON else { return understandForm() }
        guard isBodyComplete else {
            var scan = RequestScan()
            body.withUnsafeBufferPointer { scan.feed($0.span) }
            facts.add(scan.facts)
            self.scan = scan
            return
        }
        worker.scan.reset()
        body.withUnsafeBufferPointer { worker.scan.feed($0.span) }
        facts.add(worker.scan.facts)
        guard provider.includeUsage, operation == .chat, let splice = worker.scan.usageSplice(in: body) else { return }
        splice.apply(to: &body)
        if provider.stripAddedUsage { filter = UsageChunkFilter() }
    }

    private func understandForm() {
        guard let type = head.first(.contentType), var form = FormScan(contentType: head.text(type)) else { return }
        body.withUnsafeBufferPointer { form.feed($0.span) }
        facts.add(form.facts)
        if !isBodyComplete { self.form = form }
    }

    private func dial(_ index: Int, _ provider: Provider, _ secret: Secret?, _ resolved: ResolvedTarget) throws {
        attemptStartedAt = Clock.monotonic()
        if let upgrade { return try tunnel(upgrade, index, provider, secret, resolved) }
        let transfer = try worker.engine.transfer(to: runtime.endpoint(index))
        let mode: Transfer.Body
        switch head.framing {
        case .none:
            // A POST without a body still says so upstream.
            switch head.method {
            case .post, .put, .patch: mode = .whole([])
            default: mode = .none
            }
        case .fixed(let length) where !isBodyComplete: mode = .streamed(length: length)
        case .chunked where !isBodyComplete: mode = .streamed(length: nil)
        default: mode = .whole(body)
        }
        writeHeaders(transfer, provider, secret, runtime.replacedHeaders[index], mode)
        let target = resolved.line(for: provider, index)
        if let signing = provider.signing, let secret { sign(transfer, provider, signing, secret, target) }
        self.transfer = transfer
        try transfer.start(method: head.method, target: target, body: mode, receiver: self)
        if case .streamed = mode {
            let prefix = body
            body = []
            let hasRoom = prefix.withUnsafeBytes { transfer.send($0) }
            if hasRoom { connection.resumeReading() } else { connection.pauseForUpload() }
        } else {
            body = []
        }
    }

    /// The caller's header fields as they go upstream, and those that are added.
    func writeHeaders(
        _ request: some HeaderSink, _ provider: Provider, _ secret: Secret?, _ replaced: Set<String>,
        _ mode: Transfer.Body
    ) {
        let options = HeaderRules.connectionOptions(of: head)
        var hasAccept = false
        var hasContentType = false
        var hasVersion = false
        head.bytes.withUnsafeBytes { bytes in
            for field in head.fields
            where HeaderRules.forwards(field, of: head, connectionOptions: options, replaced: replaced) {
                switch field.known {
                case .accept: hasAccept = true
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
    func finishAttempt(_ failure: UpstreamFailure?, status: Int?) {
        guard let index = providerIndex else { return }
        attempts.append(
            AttemptRecord(
                provider: runtime.snapshot.routes.providers[index].name, status: status,
                reason: failure?.reason.rawValue ?? "ok",
                startedMicroseconds: Int64(attemptStartedAt - startedAt),
                endedMicroseconds: Int64(Clock.monotonic() - startedAt)))
    }
}

extension Exchange {
    /// Nothing has gone out yet, nothing is awaited, and no answer has been given.
    private var isReadyToDial: Bool {
        !isSettled && ending == nil && transfer == nil && record == .none && !isAwaitingKey
    }

    /// The command that gives the provider's key has ended, well or not.
    func keyArrived() {
        isAwaitingKey = false
        do throws(Problem) { try attempt() } catch { fail(error) }
    }

    /// A reload came while the key was awaited.
    func keySourceChanged() {
        isAwaitingKey = false
        fail(Self.keySourceChangedProblem)
    }

    private static let keySourceChangedProblem = Problem(
        .keyUnavailable, status: 503, "The configuration changed while this request waited for its key.",
        isRetryable: true)
}
