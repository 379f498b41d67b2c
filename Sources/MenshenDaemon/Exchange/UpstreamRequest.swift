// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenUpstream

/// What a caller's request becomes for one provider. It knows no connection, and changes nothing but what it is given.
/// `replaced`: lower-case names of the fields that the provider's configuration sets.
enum UpstreamRequest {
    /// Bodies to be signed are read whole up to this size. InvokeModel takes 25,000,000 bytes.
    static let signedBodyLimit = 32 << 20

    // MARK: Body

    /// What changes in the body: the model's name, `model`, and that a chat stream reports its usage. Of a streamed body,
    /// whose length is announced before its end is known, only what was read so far can change.
    static func splices(
        _ intake: Intake, _ resolved: ResolvedTarget, _ head: RequestHead, _ provider: Provider, model: String?,
        addsUsage: Bool
    ) throws(Problem) -> [Splice] {
        var splices: [Splice] = []
        if let model {
            splices = intake.modelPlaces?.splices(model) ?? []
            if splices.isEmpty { throw unchangeable(intake, resolved, head, provider, model) }
        }
        if addsUsage, let usage = intake.usageSplice { splices.append(usage) }
        return splices
    }

    /// Why the model's name cannot be changed.
    private static func unchangeable(
        _ intake: Intake, _ resolved: ResolvedTarget, _ head: RequestHead, _ provider: Provider, _ model: String
    ) -> Problem {
        if resolved.facts.model != nil {
            return Problem(
                .malformedRequest, status: 400,
                "Provider '\(provider.name)' is to be asked for another model, but the path that names it is percent-encoded where it need not be."
            )
        }
        if BodyKind.coding(head) != nil {
            return Problem(
                .forbiddenContentType, status: 415,
                "Provider '\(provider.name)' is to be asked for another model, and menshen changes nothing within a compressed body. Send it without Content-Encoding."
            )
        }
        return Problem(
            .malformedRequest, status: intake.isComplete ? 400 : 413,
            intake.isComplete
                ? "Provider '\(provider.name)' is to be asked for the model '\(model)', but the body is neither a JSON object nor a form that names one. See its Content-Type."
                : "Provider '\(provider.name)' is to be asked for another model, which has to stand in the first 64 KiB of a body of this size."
        )
    }

    /// How the body goes out. `growth`: bytes that it becomes longer by.
    static func mode(_ head: RequestHead, _ body: [UInt8], isComplete: Bool, growth: Int) -> TransferBody {
        switch head.framing {
        case .none:
            // A POST without a body still says so upstream.
            switch head.method {
            case .post, .put, .patch: .whole([])
            default: .none
            }
        case .fixed(let length) where !isComplete: .streamed(length: length + growth)
        case .chunked where !isComplete: .streamed(length: nil)
        default: .whole(body)
        }
    }

    // MARK: Fields

    /// The caller's fields as they go upstream, and those that are added. `hasBody`: a body follows, if only an empty one.
    /// `isFiltered`: menshen will take something out of the answer, which therefore has to come uncoded.
    static func write(
        _ head: RequestHead, to sink: some HeaderSink, _ provider: Provider, _ replaced: Set<String>, _ secret: Secret?,
        hasBody: Bool, isFiltered: Bool
    ) {
        let rules = HeaderRules(for: head, replaced: replaced)
        var hasAccept = false
        var hasContentType = false
        let ownField = provider.kind.api.addedField
        var hasOwnField = false
        head.bytes.withUnsafeBytes { bytes in
            for field in head.fields where rules.forwards(field, of: head) {
                switch field.known {
                case .accept: hasAccept = true
                // A coded stream could not be filtered.
                case .acceptEncoding where isFiltered: continue
                case .contentType: hasContentType = true
                case let name? where name == ownField?.name: hasOwnField = true
                default: break
                }
                if field.value.isEmpty {
                    sink.addHeader(empty: UnsafeRawBufferPointer(rebasing: bytes[field.name]))
                } else {
                    // The line as it came, name to value, in one move.
                    sink.addHeader(
                        line: UnsafeRawBufferPointer(rebasing: bytes[field.name.lowerBound..<field.value.upperBound]))
                }
            }
        }
        if !hasAccept { sink.suppressHeader("Accept:") }
        if hasBody {
            sink.suppressHeader("Expect:")
            if !hasContentType { sink.suppressHeader("Content-Type:") }
        }
        if let ownField, !hasOwnField { sink.addHeader(ownField.start, ownField.value) }
        for header in provider.headers { sink.addHeader(name: header.name, header.value) }
        if let secret, provider.signing == nil { sink.addHeader(provider.kind.api.keyField(for: secret), secret) }
    }

    /// The fields of a change to WebSocket.
    static func write(_ upgrade: WebSocketUpgrade, of head: RequestHead, to sink: some HeaderSink) {
        head.bytes.withUnsafeBytes { bytes in
            sink.addHeader("Sec-WebSocket-Key: ", UnsafeRawBufferPointer(rebasing: bytes[upgrade.key]))
        }
        sink.addHeader("Upgrade: ", "websocket")
        sink.addHeader("Sec-WebSocket-Version: ", "13")
        if !upgrade.protocols.isEmpty {
            upgrade.protocols.withUnsafeBytes { sink.addHeader("Sec-WebSocket-Protocol: ", $0) }
        }
    }

    /// Adds the fields of AWS's signature. The others have been added; `target` ends with a zero byte. `wall`: seconds.
    static func sign(
        _ head: RequestHead, _ target: [UInt8], _ body: [UInt8], _ provider: Provider, _ replaced: Set<String>,
        _ signing: SigV4, _ secret: Secret, at wall: UInt64, to sink: some HeaderSink
    ) {
        var request = SigV4.Request(
            method: head.method.rawValue, target: target.dropLast(), host: provider.baseURL.hostField, body: body)
        let rules = HeaderRules(for: head, replaced: replaced)
        for field in head.fields where rules.forwards(field, of: head) {
            let name = head.text(field.name).lowercased()
            if SigV4.covers(name) { request.add(name, head.bytes[field.value]) }
        }
        for header in provider.headers where SigV4.covers(header.name.lowercased()) {
            var value: [UInt8] = []
            header.value.append(to: &value)
            request.add(header.name.lowercased(), value)
        }
        let signature = signing.sign(request, with: secret, at: wall)
        signature.date.withUnsafeBytes { sink.addHeader("X-Amz-Date: ", $0) }
        if let token = signing.sessionToken { sink.addHeader("X-Amz-Security-Token: ", token) }
        signature.authorization.withUnsafeBytes { sink.addHeader("Authorization: ", $0) }
    }
}

extension TransferBody {
    /// A body follows, if only an empty one.
    var isThere: Bool { if case .none = self { false } else { true } }
}
