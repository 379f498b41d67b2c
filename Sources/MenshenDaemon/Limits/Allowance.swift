// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore

/// What one request may spend: its reservations, from its admission to its end. A request reserves twice: once for whoever
/// asks, when it is known what is asked, and for each attempt for the provider and the model. Without limits it does nothing.
struct Allowance {
    enum Verdict {
        case admitted
        /// What was spent before is still being read, and the exchange waits for that.
        case awaited
        case refused(Problem)
    }

    /// Microseconds between two looks whether it is known what was spent, and how long that is waited for.
    private static let look: UInt64 = 5000
    private static let patience: UInt64 = 10_000_000

    /// A reservation with what it was made of. A class: few requests have both of them.
    private final class Part {
        let demands: [Demand]
        var estimate: Amounts
        var hold: Hold

        init(_ demands: [Demand], _ estimate: Amounts, _ hold: Hold) {
            self.demands = demands
            self.estimate = estimate
            self.hold = hold
        }
    }

    private var admission: Part?
    private var attempt: Part?
    /// Provider of `attempt`, and how many attempts were over when it was reserved.
    private var provider = -1
    private var before = 0
    private var waitsUntil: UInt64?
    /// Output tokens of its stream at which its limits are looked at again.
    private var mark = Int64.max

    /// Some limit of its cuts a stream.
    var watches: Bool { mark != .max }

    // MARK: Admission

    /// The request is to be answered: by a provider, or with a stored answer. false: what was spent before is still being read,
    /// and the exchange waits for that.
    mutating func admit(_ exchange: Exchange, _ tried: RoutePlan.Try?) throws(Problem) -> Bool {
        if admission != nil { return true }
        let limits = exchange.runtime.snapshot.limits
        let demands = limits.admission(
            exchange.access.principal.token, exchange.access.grant?.permit?.demands ?? [])
        if demands.isEmpty { return true }
        let estimate = try tried.map { tried throws(Problem) in try Self.estimate(exchange, tried.provider, demands) }
        switch reserve(exchange, demands, estimate ?? Amounts(requests: 1)) {
        case .success(let part):
            admission = part
            waitsUntil = nil
            watch(part, exchange)
        case .failure(let problem): throw problem
        case nil:
            try wait(exchange)
            return false
        }
        return true
    }

    /// A provider is to be asked.
    mutating func enter(_ exchange: Exchange, _ tried: RoutePlan.Try) throws(Problem) -> Verdict {
        let limits = exchange.runtime.snapshot.limits
        if let admission, !exchange.walk.attempts.isEmpty {
            // Whoever asks has limits of money, and the next provider may have no price.
            do throws(Problem) {
                _ = try Self.estimate(exchange, tried.provider, admission.demands)
            } catch {
                return .refused(error)
            }
        }
        if limits.hasNoneOfAttempts { return .admitted }
        if limits.hasModels, Self.isBlind(exchange) {
            throw .noModelForLimit
        }
        if attempt != nil {
            if provider == tried.provider, before == exchange.walk.attempts.count { return .admitted }
            leaveAttempt(exchange)
        }
        let demands = limits.attempt(tried.provider, model: exchange.walk.model(at: tried.provider))
        if demands.isEmpty { return .admitted }
        do throws(Problem) {
            switch reserve(exchange, demands, try Self.estimate(exchange, tried.provider, demands)) {
            case .success(let part):
                attempt = part
                waitsUntil = nil
                watch(part, exchange)
            case .failure(let problem): return .refused(problem)
            case nil:
                try wait(exchange)
                return .awaited
            }
        } catch {
            if error.code == .unpricedModel { return .refused(error) }
            throw error
        }
        provider = tried.provider
        before = exchange.walk.attempts.count
        return .admitted
    }

    /// nil: it is not known what was spent.
    private func reserve(_ exchange: Exchange, _ demands: [Demand], _ estimate: Amounts) -> Result<Part, Problem>? {
        let snapshot = exchange.runtime.snapshot
        switch exchange.worker.context.pots.reserve(demands, estimate, snapshot) {
        case .admitted(let hold): return .success(Part(demands, estimate, hold))
        case .refused(let refusal, let notice):
            if let notice { exchange.worker.tell(notice, snapshot.limits) }
            return .failure(Problem(refusal, exchange.dialect, snapshot.limits.zone))
        case .unknown: return nil
        }
    }

    /// Throws when it was waited long enough.
    private mutating func wait(_ exchange: Exchange) throws(Problem) {
        let now = exchange.worker.now
        let end = waitsUntil ?? now + Self.patience
        waitsUntil = end
        if now >= end { throw .spendingUnknown }
        exchange.enter(.awaitingSpending, until: now + Self.look)
    }

    // MARK: The estimate

    /// A WebSocket whose messages will name the model, too late for a limit that depends on it; its client can go on without.
    private static func isBlind(_ exchange: Exchange) -> Bool {
        exchange.intake.upgrade != nil && exchange.intake.facts.model == nil && exchange.operation.hasPlainForm
    }

    private static func estimate(
        _ exchange: Exchange, _ provider: Int, _ demands: [Demand]
    ) throws(Problem) -> Amounts {
        var amounts = Amounts(requests: 1)
        // A WebSocket is asked for by GET.
        let isLookUp = exchange.intake.upgrade == nil && exchange.head.isLookUp
        guard exchange.operation.hasUsage(isLookUp: isLookUp) else { return amounts }
        let snapshot = exchange.runtime.snapshot
        let name = snapshot.routes.providers[provider].name
        let model = exchange.walk.model(at: provider)
        amounts.inputTokens = SpendingEstimate.tokens(ofBytes: bytes(exchange))
        amounts.outputTokens = SpendingEstimate.output(
            exchange.operation, asked: exchange.intake.facts.maxOutput,
            usual: exchange.worker.context.pots.usualOutput(name, exchange.intake.facts.model ?? ""))
        guard let demand = demands.first(where: { $0.limits.contains { $0.measure == .money } }) else { return amounts }
        let prices = snapshot.routes.providers[provider].prices
        if let price = exchange.runtime.prices.estimate(prices, model, amounts.inputTokens, amounts.outputTokens) {
            amounts.money = price
            return amounts
        }
        switch snapshot.limits.settings.unpriced {
        case .allow: return amounts
        case .ceiling:
            if let prices,
                let price = exchange.runtime.prices.ceiling(
                    provider: prices, input: amounts.inputTokens, output: amounts.outputTokens)
            {
                amounts.money = price
                return amounts
            }
        case .refuse: break
        }
        if Self.isBlind(exchange) { throw .noModelForLimit }
        throw .unpriced(model, name, demand.holder)
    }

    /// Of the body, as far as is known. Compressed JSON becomes about four times as long.
    private static func bytes(_ exchange: Exchange) -> Int64 {
        let came = exchange.intake.bytesIn
        let length = if case .fixed(let length) = exchange.head.framing { max(came, Int64(length)) } else { came }
        return BodyKind.coding(exchange.head) == nil ? length : length * 4
    }

    // MARK: A stream

    private mutating func watch(_ part: Part, _ exchange: Exchange) {
        guard exchange.runtime.snapshot.limits.settings.cut || part.demands.contains(where: \.cuts) else { return }
        mark = min(mark, part.estimate.outputTokens)
    }

    /// The stream has so many output tokens by now. Reserves what it may still need beyond its estimate, a piece at a time;
    /// returns why it has to end.
    mutating func passed(by output: Int64, _ exchange: Exchange) -> Problem? {
        guard output > mark else { return nil }
        let snapshot = exchange.runtime.snapshot
        let next = output + max(Self.leastPiece, output / 8)
        for part in [admission, attempt].compactMap({ $0 }) {
            let more = Self.missing(next, part, exchange)
            let refusal = exchange.worker.context.pots.extend(&part.hold, more, snapshot.limits)
            // What came was used, whether or not there was room for it.
            part.estimate.add(refusal == nil ? more : Self.missing(output, part, exchange))
            if let refusal { return Problem(refusal, exchange.dialect, snapshot.limits.zone) }
        }
        mark = next
        return nil
    }

    /// Output tokens that are reserved at a time.
    private static let leastPiece: Int64 = 32

    /// What `output` is more than the estimate.
    private static func missing(_ output: Int64, _ part: Part, _ exchange: Exchange) -> Amounts {
        let count = max(0, output - part.estimate.outputTokens)
        return Amounts(outputTokens: count, money: price(count, exchange))
    }

    private static func price(_ output: Int64, _ exchange: Exchange) -> Money {
        guard let provider = exchange.walk.provider else { return .zero }
        let prices = exchange.runtime.snapshot.routes.providers[provider].prices
        return exchange.runtime.prices.estimate(prices, exchange.walk.model(at: provider), 0, output) ?? .zero
    }

    // MARK: The end

    /// The attempt has failed, and another follows.
    private mutating func leaveAttempt(_ exchange: Exchange) {
        guard let attempt else { return }
        self.attempt = nil
        close(attempt, exchange, Self.spentByFailed(attempt, exchange, since: before))
    }

    /// What a provider that gave no answer may have spent; nil: it was not asked.
    private static func spentByFailed(_ part: Part, _ exchange: Exchange, since before: Int) -> Amounts? {
        if exchange.walk.wasSent(since: before) { return part.estimate }
        return exchange.walk.wasAsked(since: before) ? Amounts(requests: 1) : nil
    }

    /// The request has ended.
    mutating func settle(_ exchange: Exchange, _ settlement: AuditSettlement) {
        if admission == nil, attempt == nil { return }
        let pots = exchange.worker.context.pots
        let isHit = settlement.cache?.outcome == .hit
        let wasAsked = isHit || exchange.walk.wasAsked()
        if let admission {
            self.admission = nil
            close(admission, exchange, wasAsked ? Self.spent(exchange, settlement, admission.estimate) : nil)
            if admission.demands.contains(where: { $0.maxErrors != nil }), let isError = Self.isError(exchange, isHit) {
                pots.answered(admission.demands, isError: isError, exchange.runtime.snapshot.limits)
            }
        }
        if let attempt {
            self.attempt = nil
            let isItsAnswer = exchange.walk.provider == provider && exchange.walk.wasAsked(since: before)
            close(
                attempt, exchange,
                isItsAnswer
                    ? Self.spent(exchange, settlement, attempt.estimate)
                    : Self.spentByFailed(attempt, exchange, since: before))
        }
        if settlement.usageState == .reported, let output = settlement.answer?.usage?.outputTotal,
            let provider = settlement.answeringProvider
        {
            pots.learn(provider, exchange.intake.facts.model ?? "", output: output)
        }
    }

    /// What it spent, by its record; what is not known is as it was estimated.
    private static func spent(
        _ exchange: Exchange, _ settlement: AuditSettlement, _ estimate: Amounts
    ) -> Amounts {
        if settlement.cache?.outcome == .hit { return Amounts(requests: 1) }
        let usage = settlement.answer?.usage
        let cost = settlement.cost?.amount
        switch settlement.usageState {
        case .none: return Amounts(requests: 1, money: cost ?? .zero)
        case .unknown, .estimated:
            var spent = estimate
            if let cost { spent.money = cost }
            return spent
        case .partial:
            let output = SpendingEstimate.partialOutput(
                usage?.outputTotal ?? 0, bytesOut: settlement.bytesOut, most: estimate.outputTokens)
            var money = cost ?? estimate.money
            let missing = output - (usage?.outputTotal ?? 0)
            if cost != nil, missing > 0 {
                money = money + price(missing, exchange)
            }
            return Amounts(
                requests: 1, inputTokens: usage?.inputTotal ?? estimate.inputTokens, outputTokens: output, money: money)
        case .reported:
            return Amounts(
                requests: 1, inputTokens: usage?.inputTotal ?? 0, outputTokens: usage?.outputTotal ?? 0,
                money: cost ?? estimate.money)
        }
    }

    /// Whether the last answer says that the request itself is at fault; nil: it says nothing about that.
    private static func isError(_ exchange: Exchange, _ isHit: Bool) -> Bool? {
        guard !isHit, let status = exchange.walk.attempts.last?.status else { return nil }
        switch status {
        case 100..<400: return false
        // Too early, too often, too slow: of these a repetition is the cure.
        case 408, 409, 425, 429: return nil
        case 400..<500: return true
        default: return nil
        }
    }

    /// It has ended without a record, and nobody was asked.
    mutating func release(_ exchange: Exchange) {
        for part in [admission, attempt].compactMap({ $0 }) { exchange.worker.context.pots.release(part.hold) }
        (admission, attempt) = (nil, nil)
    }

    private func close(_ part: Part, _ exchange: Exchange, _ spent: Amounts?) {
        let pots = exchange.worker.context.pots
        guard let spent else { return pots.release(part.hold) }
        let limits = exchange.runtime.snapshot.limits
        for notice in pots.settle(part.hold, spent, limits) { exchange.worker.tell(notice, limits) }
    }

    // MARK: Looking

    /// For a header: what is left of the limits that it has part in.
    func remainder(_ exchange: Exchange) -> String? {
        let parts = [admission, attempt].compactMap { $0 }
        if parts.isEmpty { return nil }
        let states = exchange.worker.context.pots.look(
            parts.flatMap(\.demands), exchange.runtime.snapshot)
        return states.map { "\($0.limit.measure.text($0.remaining)) of \($0.limit) (\($0.holder.kind))" }
            .joined(separator: ", ")
    }
}
