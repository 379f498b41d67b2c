// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A request of before, as far as limits go by its record.
package struct PastRequest: Sendable {
    package enum Usage: Sendable {
        /// Both numbers are the provider's.
        case reported
        /// The answer broke off: they are what was said by then.
        case partial
        /// Something was used, and nobody knows how much.
        case unknown
        /// Nothing was used.
        case none
        /// The process died before the end of the request was known.
        case lost
    }

    package let time: Int64
    package let token: String?
    package let rule: String?
    /// Of one that showed a token on the Unix socket, which falls under a rule without it, too.
    package let caller: CallerRecord?
    package let provider: String?
    /// As the caller named it, as the provider was asked for it, and as the answer named it.
    package let model: String?
    package let askedModel: String?
    package let answerModel: String?
    package let isReplayed: Bool
    package let usage: Usage
    package let input: Int64
    package let output: Int64
    package let bytesIn: Int64
    package let bytesOut: Int64
    /// nil: not known.
    package let cost: Money?

    package init(
        time: Int64, token: String?, rule: String?, caller: CallerRecord? = nil, provider: String?, model: String?,
        askedModel: String? = nil,
        answerModel: String?, isReplayed: Bool, usage: Usage, input: Int64, output: Int64, bytesIn: Int64,
        bytesOut: Int64, cost: Money?
    ) {
        self.time = time
        self.token = token
        self.rule = rule
        self.caller = caller
        self.provider = provider
        self.model = model
        self.askedModel = askedModel ?? model
        self.answerModel = answerModel
        self.isReplayed = isReplayed
        self.usage = usage
        self.input = input
        self.output = output
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
        self.cost = cost
    }
}

/// Fills pots from the records of what was spent before. What a record does not know is put on the safe side: a lost request
/// counts as the largest one of its model that there is a record of.
package struct PastSpending: Sendable {
    private struct Largest {
        var input: Int64
        var output: Int64
        var cost: Money?
    }

    /// What one request has added to one pot.
    struct Charge {
        let key: PotKey
        let amount: Int64
        let time: Int64
    }

    package private(set) var pots: [PotKey: Pot]
    /// For pots in use, which change meanwhile; nil where they are replaced.
    private(set) var charges: [Charge]?
    package private(set) var usualOutput: [ProvidersModel: Int64] = [:]
    private var largest: [ProvidersModel: Largest] = [:]
    private var lost: [PastRequest] = []
    private var byHolder: [Holder: [PotKey]] = [:]
    private let patterns: [(pattern: ModelPattern, keys: [PotKey])]
    private var byModel: [String: [PotKey]] = [:]
    private let price: SpendingPrice
    private let ownRule: OwnRule

    package init(
        _ pots: [PotKey: Pot], keepsCharges: Bool = false, ownRule: @escaping OwnRule = { _ in nil },
        price: @escaping SpendingPrice
    ) {
        self.pots = pots
        charges = keepsCharges ? [] : nil
        self.price = price
        self.ownRule = ownRule
        for key in pots.keys { byHolder[key.holder, default: []].append(key) }
        patterns = byHolder.filter { $0.key.kind == .model }.map { (ModelPattern($0.key.name), $0.value) }
    }

    /// What is older counts in none of the pots. Seconds since 1970.
    package var begin: Int64 { max(0, pots.values.map(\.begin).min() ?? .max) }

    package mutating func add(_ request: PastRequest) {
        func price(_ input: Int64, _ output: Int64) -> Money? {
            self.price(request.provider ?? "", request.answerModel ?? request.askedModel, input, output)
        }
        let model = ProvidersModel(provider: request.provider ?? "", model: request.model ?? "")
        switch request.usage {
        case .lost: lost.append(request)
        case .none: count(request, Amounts(requests: 1))
        case .unknown:
            let output = usualOutput[model] ?? SpendingEstimate.unknownOutput
            estimate(request, SpendingEstimate.tokens(ofBytes: request.bytesIn), output)
        case .partial:
            let known = SpendingEstimate.partialOutput(
                request.output, bytesOut: request.bytesOut, most: usualOutput[model] ?? SpendingEstimate.unknownOutput)
            let money =
                request.cost.map { $0 + (price(0, known - request.output) ?? .zero) } ?? price(request.input, known)
            count(
                request,
                Amounts(requests: 1, inputTokens: request.input, outputTokens: known, money: money ?? .zero))
        case .reported:
            PotTable.learn(&usualOutput[model], request.output)
            let before = largest[model]
            largest[model] = Largest(
                input: max(before?.input ?? 0, request.input), output: max(before?.output ?? 0, request.output),
                cost: [before?.cost, request.cost].compactMap { $0 }.max())
            count(
                request,
                Amounts(
                    requests: 1, inputTokens: request.input, outputTokens: request.output,
                    money: request.cost ?? price(request.input, request.output) ?? .zero))
        }
    }

    /// All records were read.
    package mutating func finish() {
        for request in lost {
            let known = largest[ProvidersModel(provider: request.provider ?? "", model: request.model ?? "")]
            let unknown = SpendingEstimate.unknownOutput
            estimate(request, known?.input ?? unknown, known?.output ?? unknown, known?.cost)
        }
        lost = []
    }

    private mutating func estimate(_ request: PastRequest, _ input: Int64, _ output: Int64, _ cost: Money? = nil) {
        let money =
            cost ?? request.cost
            ?? price(request.provider ?? "", request.answerModel ?? request.askedModel, input, output)
        count(request, Amounts(requests: 1, inputTokens: input, outputTokens: output, money: money ?? .zero))
    }

    private mutating func count(_ request: PastRequest, _ amounts: Amounts) {
        // A stored answer was given by nobody, and cost nothing.
        let amounts = request.isReplayed ? Amounts(requests: 1) : amounts
        add(amounts, Holder.instance, request.time)
        if let token = request.token { add(amounts, Holder(.token, token), request.time) }
        if let rule = request.rule { add(amounts, Holder(.caller, rule), request.time) }
        if let caller = request.caller, let own = ownRule(caller), own != request.rule {
            add(amounts, Holder(.caller, own), request.time)
        }
        if request.isReplayed { return }
        if let provider = request.provider { add(amounts, Holder(.provider, provider), request.time) }
        if patterns.isEmpty { return }
        for key in request.askedModel.map({ keys(of: $0) }) ?? [] {
            add(amounts, key, request.time)
        }
    }

    private mutating func add(_ amounts: Amounts, _ holder: Holder, _ time: Int64) {
        for key in byHolder[holder] ?? [] { add(amounts, key, time) }
    }

    private mutating func add(_ amounts: Amounts, _ key: PotKey, _ time: Int64) {
        let amount = amounts[key.measure]
        pots[key]?.addPast(amount, at: time)
        charges?.append(Charge(key: key, amount: amount, time: time))
    }

    private mutating func keys(of model: String) -> [PotKey] {
        if let known = byModel[model] { return known }
        let keys = patterns.filter { $0.pattern.matches(model) }.flatMap(\.keys)
        byModel[model] = keys
        return keys
    }
}

/// The rule that a caller falls under without its token; nil for none.
package typealias OwnRule = @Sendable (_ caller: CallerRecord) -> String?

/// What so many tokens cost at a provider of the configuration, by its name; nil: there is no price.
package typealias SpendingPrice =
    @Sendable (_ provider: String, _ model: String?, _ input: Int64, _ output: Int64) -> Money?

/// Guesses of what a request uses, before it is known.
package enum SpendingEstimate {
    /// Text has three to five bytes a token, and JSON around it has more: the guess is rather too high.
    private static let bytesPerToken: Int64 = 3
    /// Of an answer whose request does not say, and whose model has not answered yet.
    package static let unknownOutput: Int64 = 1000

    package static func tokens(ofBytes bytes: Int64) -> Int64 { (bytes + bytesPerToken - 1) / bytesPerToken }

    /// Output of an answer that broke off: what it said, or what its bytes may be, but no more than was expected of it.
    package static func partialOutput(_ reported: Int64, bytesOut: Int64, most: Int64) -> Int64 {
        max(reported, min(most, tokens(ofBytes: bytesOut)))
    }

    /// Output tokens of a request that is about to be sent.
    package static func output(_ operation: Operation, asked: Int64?, usual: Int64?) -> Int64 {
        switch operation {
        case .embeddings, .embed, .moderations, .countTokens, .files, .batches, .models: 0
        // Far above any answer, and far below what money or a pot could not hold.
        default: min(asked ?? usual ?? unknownOutput, 1 << 32)
        }
    }
}
