// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Synchronization

/// Whose limit it is.
package struct Holder: Sendable, Hashable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        case token
        /// A rule of `[[callers]]`.
        case caller
        case provider
        /// A pattern of `[[limits.models]]`.
        case model
        /// Everybody together.
        case instance
    }

    package static let instance = Holder(.instance, "")

    package let kind: Kind
    package let name: String
    /// Holders are made of the configuration and looked up by each request.
    private let hash: Int

    package init(_ kind: Kind, _ name: String) {
        self.kind = kind
        self.name = name
        var hasher = Hasher()
        hasher.combine(kind)
        hasher.combine(name)
        hash = hasher.finalize()
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(hash) }

    /// In a sentence.
    package var description: String {
        switch kind {
        case .token: "token '\(name)'"
        case .caller: "the rule '\(name)' of [[callers]]"
        case .provider: "provider '\(name)'"
        case .model: "model '\(name)'"
        case .instance: "this menshen"
        }
    }
}

/// Names a pot. The amount of its limit is no part of that: a limit may change, and what was spent stays.
package struct PotKey: Sendable, Hashable {
    package let holder: Holder
    package let measure: Limit.Measure
    package let window: Limit.Window

    package init(_ holder: Holder, _ limit: Limit) {
        self.holder = holder
        measure = limit.measure
        window = limit.window
    }
}

/// A model as one provider has it.
package struct ProvidersModel: Sendable, Hashable {
    let provider: String
    let model: String
}

/// What a holder's limits are, as a request asks for them. A class, as each of its pots: made of the configuration, and handed
/// on by each request.
package final class Demand: Sendable {
    /// A limit, and the pot that it is about.
    final class Share: Sendable {
        let key: PotKey
        let limit: Limit
        /// Where a table has last found the pot. It may be elsewhere by now, and others have another place for it.
        var lastPlace: Int {
            get { place.load(ordering: .relaxed) }
            set { place.store(newValue, ordering: .relaxed) }
        }
        private let place = Atomic<Int>(0)

        init(_ holder: Holder, _ limit: Limit) {
            key = PotKey(holder, limit)
            self.limit = limit
        }
    }

    package let holder: Holder
    package let limits: [Limit]
    /// In the order of `limits`.
    let shares: [Share]
    /// Requests at the same time.
    package let concurrency: Int?
    /// It is refused after so many errors in a row.
    package let maxErrors: Int?

    package init(_ holder: Holder, _ limits: [Limit], concurrency: Int? = nil, maxErrors: Int? = nil) {
        self.holder = holder
        self.limits = Self.single(limits)
        shares = self.limits.map { Share(holder, $0) }
        self.concurrency = concurrency
        self.maxErrors = maxErrors
    }

    /// "5usd/day, 4 at a time".
    package var words: String {
        (limits.map(\.description)
            + [concurrency.map { "\($0) at a time" }, maxErrors.map { "\($0) errors in a row" }].compactMap { $0 })
            .joined(separator: ", ")
    }

    package var isEmpty: Bool { limits.isEmpty && concurrency == nil && maxErrors == nil }

    /// Of limits that share a pot the smallest one, which cuts if one of its size does.
    private static func single(_ limits: [Limit]) -> [Limit] {
        if limits.count < 2 { return limits }
        return limits.reduce(into: []) { all, limit in
            let same = all.firstIndex { $0.measure == limit.measure && $0.window == limit.window }
            guard let same else { return all.append(limit) }
            let isSmaller = limit.amount < all[same].amount || limit.amount == all[same].amount && limit.cuts
            if isSmaller { all[same] = limit }
        }
    }

    /// Some stream may have to end at one of its limits.
    package var cuts: Bool { limits.contains { $0.cuts } }
}

/// What one request costs in every measure: as it is estimated, or as it turned out.
package struct Amounts: Sendable, Equatable {
    package var requests: Int64
    package var inputTokens: Int64
    package var outputTokens: Int64
    package var money: Money

    package init(requests: Int64 = 0, inputTokens: Int64 = 0, outputTokens: Int64 = 0, money: Money = .zero) {
        self.requests = requests
        self.inputTokens = max(0, inputTokens)
        self.outputTokens = max(0, outputTokens)
        self.money = max(.zero, money)
    }

    package mutating func add(_ more: Amounts) {
        requests = requests.saturatingAdd(more.requests)
        inputTokens = inputTokens.saturatingAdd(more.inputTokens)
        outputTokens = outputTokens.saturatingAdd(more.outputTokens)
        money = money + more.money
    }

    package subscript(measure: Limit.Measure) -> Int64 {
        switch measure {
        case .money: money.picodollars
        case .requests: requests
        case .tokens: inputTokens.saturatingAdd(outputTokens)
        case .inputTokens: inputTokens
        case .outputTokens: outputTokens
        }
    }
}

/// What one request has reserved, until it is settled.
package struct Hold: Sendable {
    struct Entry {
        let share: Demand.Share
        /// Where the pot was when the request was admitted.
        let place: Int
        var slip: Pot.Slip

        var key: PotKey { share.key }
        var limit: Limit { share.limit }
    }

    var entries: [Entry]
    /// Each counts this request among those under way.
    let holders: [Holder]

    /// The pots that it has part in.
    package var keys: [PotKey] { entries.map(\.key) }
}

/// Somebody wants to hear that so much of a limit is used up.
package struct LimitNotice: Sendable, Equatable {
    package let key: PotKey
    package let limit: Limit
    package let percent: Int
    package let spent: Int64
    /// nil for ever.
    package let resetsAt: Int64?
}

/// Why a request is not admitted.
package struct LimitRefusal: Sendable, Equatable {
    package enum Reason: Sendable, Equatable {
        case pot(Limit, spent: Int64, reserved: Int64, wanted: Int64)
        /// An answer under way is larger than what is left.
        case passed(Limit)
        case concurrency(Int)
        case errors(Int)
    }

    package let holder: Holder
    package let reason: Reason
    /// Seconds since 1970; nil for never.
    package let resetsAt: Int64?
    /// Seconds until then.
    package let wait: Int64?
}
