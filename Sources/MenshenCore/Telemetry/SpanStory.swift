// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What is told of one request: a span of the server for what its caller saw, one of a client for each attempt at a provider,
/// and a record of all. Tokens stand in the span of the attempt that was answered, and once only, so that sums over spans are true.
struct SpanStory {
    private enum Kind: Int32 {
        case server = 2, client = 3
    }

    private let end: AuditSettlement
    private let intent: AuditIntent
    private let parent: TraceContext?
    private let places: [String: ProviderPlace]
    private let operation: String?
    private let model: String?
    /// The attempt whose answer the caller has.
    private let answering: Int?

    init(_ request: SettledRequest, _ places: [String: ProviderPlace]) {
        let settlement = request.settlement
        end = settlement
        intent = settlement.intent
        parent = request.parent
        self.places = places
        operation = GenAINames.operation(settlement.intent.operation)
        model = settlement.model ?? settlement.intent.model
        let provider = settlement.answeringProvider
        answering = settlement.attempts.lastIndex { $0.provider == provider }
    }

    // MARK: The server's span

    func server(_ trace: [UInt8], _ id: [UInt8]) -> OTLPMessage {
        var attributes = requestAttributes
        attributes.add(outcomeAttributes)
        return span(
            trace, id, parent: parent?.spanID, name: "\(intent.method) \(intent.operation.rawValue)", .server,
            (0, end.totalMicroseconds), attributes, error: error)
    }

    /// nil: it went well, or it was the caller's fault.
    private var error: String? {
        switch end.endState {
        case .complete, .refused, .clientGone:
            (end.status ?? 0) >= 500 ? end.problem ?? end.status.map(String.init) : nil
        case .upstreamError, .truncated, .streamError, .timeout, .aborted, .lost: end.problem ?? end.endState.rawValue
        }
    }

    private var requestAttributes: OTLPAttributes {
        var list = OTLPAttributes()
        list.add(MenshenNames.request, intent.id.description)
        list.add(GenAINames.method, intent.method)
        list.add(GenAINames.path, intent.path)
        list.add(GenAINames.scheme, "http")
        list.add(MenshenNames.operation, intent.operation.rawValue)
        let caller = intent.caller
        list.add(GenAINames.transport, caller.uid == nil ? "tcp" : "unix")
        list.add(GenAINames.clientAddress, caller.uid == nil ? caller.host : nil)
        list.add(MenshenNames.uid, caller.uid.map(Int64.init))
        list.add(MenshenNames.pid, caller.pid.map(Int64.init))
        list.add(MenshenNames.executable, caller.executable)
        list.add(MenshenNames.unit, caller.unit)
        list.add(MenshenNames.job, caller.job)
        list.add(MenshenNames.project, caller.project?.text)
        list.add(MenshenNames.token, intent.tokenName)
        list.add(MenshenNames.rule, intent.rule)
        list.add(MenshenNames.client, intent.client.client)
        list.add(MenshenNames.agent, intent.client.agent)
        list.add(GenAINames.conversation, intent.client.session)
        list.add(MenshenNames.endUser, end.answer?.endUser)
        return list
    }

    private var outcomeAttributes: OTLPAttributes {
        var list = OTLPAttributes()
        list.add(GenAINames.status, end.status.map(Int64.init))
        list.add(MenshenNames.endState, end.endState.rawValue)
        list.add(MenshenNames.problem, end.problem)
        list.add(GenAINames.errorType, error)
        list.add(MenshenNames.provider, end.answeringProvider)
        list.add(MenshenNames.attempts, Int64(end.attempts.count))
        list.add(MenshenNames.firstByte, end.firstByteMicroseconds)
        list.add(MenshenNames.total, end.totalMicroseconds)
        list.add(MenshenNames.bytesIn, end.bytesIn)
        list.add(MenshenNames.bytesOut, end.bytesOut)
        list.add(MenshenNames.cache, end.cache?.outcome.rawValue)
        list.add(MenshenNames.usageState, end.usageState.rawValue)
        list.add(MenshenNames.cost, end.cost?.amount?.picodollars)
        list.add(MenshenNames.costState, end.cost?.state.rawValue)
        list.add(MenshenNames.priceVersion, end.cost?.priceVersion)
        return list
    }

    // MARK: An attempt's span

    func client(_ index: Int, _ trace: [UInt8], _ id: [UInt8], parent: [UInt8]) -> OTLPMessage {
        let attempt = end.attempts[index]
        let isAnswering = index == answering
        let model = attempt.model ?? model
        var list = modelAttributes(model)
        list.add(MenshenNames.request, intent.id.description)
        list.add(MenshenNames.provider, attempt.provider)
        list.add(MenshenNames.attempt, Int64(index + 1))
        list.add(MenshenNames.key, attempt.key.map(Int64.init))
        list.add(MenshenNames.reason, attempt.reason)
        list.add(GenAINames.resends, index > 0 ? Int64(index) : nil)
        list.add(GenAINames.conversation, intent.client.session)
        list.add(GenAINames.status, attempt.status.map(Int64.init))
        if let place = places[attempt.provider] {
            list.add(GenAINames.provider, place.name)
            list.add(GenAINames.serverAddress, place.address)
            list.add(GenAINames.serverPort, place.isSocket ? nil : place.port)
        }
        if isAnswering { list.add(answerAttributes) }
        let error = error(of: attempt, isAnswering: isAnswering)
        list.add(GenAINames.errorType, error)
        return span(
            trace, id, parent: parent,
            name: [operation ?? intent.operation.rawValue, model].compactMap { $0 }.joined(separator: " "), .client,
            (attempt.startedMicroseconds, attempt.endedMicroseconds), list, error: error)
    }

    private func error(of attempt: AttemptRecord, isAnswering: Bool) -> String? {
        if let status = attempt.status, status >= 400 { return "\(status)" }
        if isAnswering, end.endState != .complete, end.endState != .clientGone { return end.problem ?? attempt.reason }
        let isFailed = attempt.reason != "ok" && attempt.reason != EndState.clientGone.rawValue
        return isFailed ? attempt.reason : nil
    }

    private func modelAttributes(_ model: String?) -> OTLPAttributes {
        var list = OTLPAttributes()
        list.add(GenAINames.operation, operation)
        list.add(GenAINames.requestModel, model)
        list.add(GenAINames.requestStream, (end.isStream ?? intent.isStream).map { .boolean($0) })
        return list
    }

    private var answerAttributes: OTLPAttributes {
        var list = OTLPAttributes()
        list.add(GenAINames.answerModel, end.answer?.model)
        list.add(GenAINames.finishReasons, end.answer?.finishReason.map { .list([.text($0)]) })
        list.add(MenshenNames.serviceTier, end.answer?.serviceTier)
        if let first = end.firstByteMicroseconds, let answering {
            let started = end.attempts[answering].startedMicroseconds
            if first >= started { list.add(GenAINames.timeToFirstChunk, .real(Double(first - started) / 1_000_000)) }
        }
        let usage = end.answer?.usage
        list.add(GenAINames.inputTokens, usage?.inputTotal)
        list.add(GenAINames.outputTokens, usage?.outputTotal)
        list.add(GenAINames.cacheRead, usage?.cacheRead)
        list.add(GenAINames.cacheWrite, usage?.cacheWrite)
        list.add(GenAINames.reasoning, usage?.reasoning)
        return list
    }

    // MARK: The record

    func record(_ trace: [UInt8], _ id: [UInt8], isSampled: Bool) -> OTLPMessage {
        var list = requestAttributes
        list.add(modelAttributes(model))
        if let place = end.answeringProvider.flatMap({ places[$0] }) {
            list.add(GenAINames.provider, place.name)
        }
        list.add(answerAttributes)
        list.add(outcomeAttributes)
        list.add(MenshenNames.requestBody, end.requestBody.map { String(decoding: $0, as: UTF8.self) })
        list.add(MenshenNames.responseBody, end.responseBody.map { String(decoding: $0, as: UTF8.self) })
        let isBad = error != nil
        let isRefused = end.endState != .complete || (end.status ?? 0) >= 400
        let (severity, word): (Int32, String) = isBad ? (17, "ERROR") : isRefused ? (13, "WARN") : (9, "INFO")
        let text =
            "\(intent.method) \(intent.path): \(end.endState.rawValue), status \(end.status.map { "\($0)" } ?? "none")"
        let time = OTLPMessage.Value.fixed64(nanoseconds(end.totalMicroseconds))
        var record = OTLPMessage()
            .adding(1, "timeUnixNano", time)
            .adding(2, "severityNumber", .number(severity))
            .adding(3, "severityText", .text(word))
            .adding(5, "body", .message(OTLPMessage.Value.text(text).any))
            .adding(6, "attributes", .list(list.list))
        if isSampled { record.add(8, "flags", .fixed32(1)) }
        record.add(9, "traceId", .id(trace))
        record.add(10, "spanId", .id(id))
        record.add(11, "observedTimeUnixNano", time)
        record.add(12, "eventName", .text("menshen.request"))
        return record
    }

    // MARK: Parts

    private func span(
        _ trace: [UInt8], _ id: [UInt8], parent parentID: [UInt8]?, name: String, _ kind: Kind,
        _ times: (Int64, Int64), _ attributes: OTLPAttributes, error: String?
    ) -> OTLPMessage {
        var span = OTLPMessage().adding(1, "traceId", .id(trace)).adding(2, "spanId", .id(id))
        if let state = parent?.state { span.add(3, "traceState", .text(state)) }
        if let parentID { span.add(4, "parentSpanId", .id(parentID)) }
        span.add(5, "name", .text(name))
        span.add(6, "kind", .number(kind.rawValue))
        span.add(7, "startTimeUnixNano", .fixed64(nanoseconds(times.0)))
        span.add(8, "endTimeUnixNano", .fixed64(nanoseconds(max(times.0, times.1))))
        span.add(9, "attributes", .list(attributes.list))
        if error != nil { span.add(15, "status", .message(OTLPMessage().adding(3, "code", .number(2)))) }
        // It is known whether the parent is another process's; the server's is, if there is one.
        let isRemote = kind == .server && parentID != nil
        span.add(16, "flags", .fixed32(0x101 | (isRemote ? 0x200 : 0)))
        return span
    }

    private func nanoseconds(_ offset: Int64) -> UInt64 {
        UInt64(max(0, intent.id.microseconds &+ offset)) &* 1000
    }
}
