// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore

extension AuditIntent {
    /// What the record says of a request that a provider, or nobody, is to be asked.
    convenience init(of exchange: Exchange, provider: String?) {
        let principal = exchange.access.principal
        let facts = exchange.intake.facts
        let keys = exchange.secrets
        var client = ClientFacts()
        if exchange.runtime.snapshot.configuration.logging.clientHeaders {
            client = ClientFacts(exchange.head)
            client.mask(keys)
        }
        let path = keys.masked(exchange.resolved?.target.path ?? "-")
        self.init(
            id: exchange.id, caller: principal.caller, tokenName: principal.tokenName ?? exchange.access.formerToken,
            method: exchange.head.method.rawValue, path: path, dialect: exchange.dialect,
            operation: exchange.operation, provider: provider, model: facts.model, isStream: facts.isStream,
            client: client, rule: exchange.access.grant?.recordedRule)
    }
}

extension EndState {
    /// How an answer that came whole has ended.
    init(ofWhole exchange: Exchange) {
        self = .complete
        guard exchange.writer.status == 200, let code = exchange.attempt?.reader.failureCode else { return }
        exchange.ledger.note(code)
        self = .streamError
    }
}

/// What the record says of a request that has ended.
extension AuditSettlement {
    /// nil where there is nothing to record.
    static func of(_ exchange: Exchange, _ state: EndState) -> AuditSettlement? {
        guard isDue(for: exchange) else { return nil }
        var settlement = AuditSettlement(
            intent: exchange.ledger.intent ?? AuditIntent(of: exchange, provider: nil), endState: state,
            totalMicroseconds: Int64(Clock.monotonic() - exchange.startedAt), bytesIn: exchange.intake.bytesIn,
            bytesOut: exchange.writer.bytesOut)
        settlement.describe(exchange)
        return settlement
    }

    private mutating func describe(_ exchange: Exchange) {
        let keys = exchange.secrets
        status = exchange.writer.status
        // The provider's own word for what went wrong, which may repeat what it was sent.
        problem = exchange.ledger.problem.map(exchange.masked)
        if exchange.walk.provider != nil { provider = exchange.providerName }
        attempts = exchange.walk.attempts
        exchange.intake.takeStreamed(masking: keys)
        let facts = exchange.intake.facts
        model = facts.model.map(AuditText.name)
        isStream = facts.isStream
        describeAnswer(exchange, facts, keys)
        exchange.recall.describe(&self)
        cost = cost(exchange)
        firstByteMicroseconds = exchange.writer.firstByteAt.map { Int64($0 - exchange.startedAt) }
        messagesIn = exchange.attempt?.webSocket?.messagesIn
        messagesOut = exchange.attempt?.webSocket?.messagesOut
        requestBody = exchange.intake.captured(keys)
        responseBody = exchange.writer.captured(keys)
    }

    /// False for a page of menshen's own and a browser's pre-flight that was answered, and a page that nobody has signed in
    /// to yet. These spend nothing and say nothing of anybody; a probe every second would only bury the rest.
    private static func isDue(for exchange: Exchange) -> Bool {
        if exchange.ledger.intent != nil { return true }
        let hasProblem = exchange.ledger.problem != nil
        let head = exchange.head
        if exchange.resolved?.page != nil {
            return hasProblem && (exchange.writer.status != 401 || head.first(.authorization) != nil)
        }
        return hasProblem || exchange.access.allowedOrigin == nil || head.method != .options
    }

    /// What the answer says of itself and of its cost.
    private mutating func describeAnswer(_ exchange: Exchange, _ facts: RequestFacts, _ keys: SecretSet) {
        let attempt = exchange.attempt
        let messages = attempt?.webSocket?.observer
        var usage = messages?.usage ?? attempt?.reader.usage
        usage?.assume(lifetime: facts.cacheTTL)
        let serviceTier = messages?.serviceTier ?? attempt?.reader.serviceTier
        let model = messages?.model ?? attempt?.reader.model
        let isUnderstood = attempt?.reader.understands == true
        usageState = Self.usageState(exchange, isKnown: usage != nil, endState)
        let isSaid = usage != nil || isUnderstood || serviceTier != nil || model != nil
        if isSaid || facts.serviceTier != nil || facts.speed != nil || facts.endUser != nil {
            answer = AnswerRecord(
                usage: consume usage, model: model, finishReason: attempt?.reader.finishReason,
                serviceTier: serviceTier,
                askedTier: facts.serviceTier, speed: facts.speed, endUser: facts.endUser, masking: keys)
        }
    }

    /// By the prices of the provider whose answer it is, at the time when the request began.
    private func cost(_ exchange: Exchange) -> Cost {
        if let replay = exchange.recall.replay { return Cost(.zero, .none, saved: saved(exchange, replay.answer)) }
        var prices: String?
        if let provider = exchange.walk.provider {
            prices = exchange.runtime.snapshot.routes.providers[provider].prices
        }
        var facts = PricedFacts(usage: answer?.usage, usageState: usageState)
        facts.answerTier = answer?.serviceTier
        facts.askedTier = answer?.askedTier
        facts.speed = answer?.speed
        facts.inferenceGeo = answer?.usage?.inferenceGeo
        facts.stated = answer?.usage?.statedCost
        facts.isSum = messagesIn != nil
        return exchange.runtime.prices.cost(
            provider: prices,
            answerModel: answer?.model, askedModel: attempts.last?.model ?? model ?? intent.model, facts: facts,
            at: intent.id.microseconds / 1_000_000)
    }

    /// What an answer of menshen's own cache would have cost now.
    private func saved(_ exchange: Exchange, _ answer: CachedAnswer) -> Money? {
        var facts = PricedFacts(usage: answer.usage, usageState: answer.usage == nil ? .unknown : .reported)
        facts.answerTier = answer.serviceTier
        facts.speed = answer.usage?.speed
        facts.inferenceGeo = answer.usage?.inferenceGeo
        facts.stated = answer.usage?.statedCost
        return exchange.runtime.prices.cost(
            provider: exchange.recall.prices, answerModel: answer.model, askedModel: model ?? intent.model,
            facts: facts, at: intent.id.microseconds / 1_000_000
        ).amount
    }

    private static func usageState(_ exchange: Exchange, isKnown: Bool, _ state: EndState) -> UsageState {
        if let webSocket = exchange.attempt?.webSocket, webSocket.isOpen, exchange.operation != .live {
            // Each response was reported for itself; one that was cut off was not.
            if webSocket.observer.hasOpenResponse { return isKnown ? .partial : .unknown }
            return isKnown ? .reported : webSocket.observer.hasWorked ? .unknown : .none
        }
        if isKnown { return state == .complete ? .reported : .partial }
        guard exchange.ledger.intent != nil, exchange.operation.hasUsage(isLookUp: exchange.head.isLookUp) else {
            return .none
        }
        // A provider that refuses charges nothing; one that never answered may have worked.
        return exchange.walk.wasSent() ? .unknown : .none
    }

    /// The request in one line for `verbose`; what its row says, and no more.
    var line: String {
        let tries = attempts.map { "\($0.provider) \($0.status.map { String($0) } ?? "-") \($0.reason)" }
        return "Request \(intent.id) \(intent.method) \(intent.path): \(endState.rawValue), "
            + "status \(status.map { String($0) } ?? "-"), \(totalMicroseconds) µs"
            + (tries.isEmpty ? "" : ", tried \(tries.joined(separator: ", "))")
            + (problem.map { ", problem \($0)" } ?? "") + "."
    }
}
