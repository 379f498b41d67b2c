// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What is known of a provider: which of its keys may be used when, and what went wrong last. Times are monotonic
/// microseconds.
package struct ProviderHealth: Sendable {
    private struct Key: Sendable {
        /// For rate limits that come without a time.
        var breaker = FairBreaker()
        /// Until when a model is not to be asked for: providers limit each by itself.
        var cooling: [String: UInt64] = [:]

        mutating func forgetPast(_ now: UInt64) {
            if !cooling.isEmpty, cooling.values.allSatisfy({ $0 <= now }) { cooling.removeAll() }
        }
    }

    package struct Limits: Sendable {
        let failures: Int
        /// Microseconds.
        let longestPause: UInt64

        package init(failures: Int, longestPause: UInt64) {
            self.failures = failures
            self.longestPause = longestPause
        }
    }

    package struct Failure: Sendable {
        package let reason: String
        package let status: Int?
        package let at: UInt64
    }

    /// Models whose limits are remembered; a caller may invent as many names as it likes.
    private static let maxCooling = 256

    private var keys: [Key]
    /// For what is no key's fault.
    private var breaker = FairBreaker()
    /// Requests stay with one key, whose prompt cache they may find, until it is limited.
    package private(set) var preferred = 0
    package private(set) var lastFailure: Failure?

    package init(keys: Int) { self.keys = Array(repeating: Key(), count: max(1, keys)) }

    /// The operator has looked: what failed before may be mended. What a provider asked for stays.
    package mutating func forgiveFailures() {
        breaker = FairBreaker()
        for index in keys.indices { keys[index].breaker = FairBreaker() }
    }

    /// Nothing is wrong: every key may be used by everybody for everything, and a request that goes well changes nothing.
    package var isCalm: Bool { breaker.isCalm && keys.allSatisfy { $0.cooling.isEmpty && $0.breaker.isCalm } }

    /// A key that may be used now for a request of that caller, other than those.
    package func usableKey(_ model: String?, _ now: UInt64, of caller: String, tried: [Int] = []) -> Int? {
        for step in keys.indices {
            let index = (preferred + step) % keys.count
            if !tried.contains(index), wait(index, model, now, of: caller) == 0 { return index }
        }
        return nil
    }

    /// A key that the provider has not asked to leave alone, whatever failed before: for when nobody else may be asked,
    /// since a breaker only ever sends requests elsewhere.
    package func unlimitedKey(_ model: String?, _ now: UInt64) -> Int? {
        keys.indices.lazy.map { (preferred + $0) % keys.count }.first { cooling($0, model, now) == 0 }
    }

    /// Microseconds until the first of its keys may be used.
    package func wait(_ model: String?, _ now: UInt64, of caller: String) -> UInt64 {
        keys.indices.map { wait($0, model, now, of: caller) }.min() ?? 0
    }

    /// Microseconds that the provider has asked for, with every key.
    package func askedWait(_ model: String?, _ now: UInt64) -> UInt64 {
        keys.indices.map { cooling($0, model, now) }.min() ?? 0
    }

    private func wait(_ key: Int, _ model: String?, _ now: UInt64, of caller: String) -> UInt64 {
        max(breaker.wait(now, of: caller), keys[key].breaker.wait(now, of: caller), cooling(key, model, now))
    }

    private func cooling(_ key: Int, _ model: String?, _ now: UInt64) -> UInt64 {
        let until = keys[key].cooling.isEmpty ? 0 : keys[key].cooling[model ?? ""] ?? 0
        return until > now ? until - now : 0
    }

    /// A request of that caller goes out with that key.
    package mutating func enter(_ key: Int, _ now: UInt64, of caller: String) {
        breaker.enter(now, of: caller)
        keys[key].breaker.enter(now, of: caller)
        for index in keys.indices { keys[index].forgetPast(now) }
    }

    /// `retryAfter`: microseconds that the provider asks for. `blame`: of a failure.
    package mutating func report(
        _ outcome: AttemptOutcome, key: Int, model: String?, of caller: String, blame: FairBreaker.Blame,
        retryAfter: UInt64?, reason: String, now: UInt64, _ limits: Limits
    ) {
        switch outcome.isGood {
        case true?: answered(key, of: caller)
        case nil:
            left(key, of: caller)
            note(outcome, reason, now)
        case false?:
            note(outcome, reason, now)
            let isOfKey = outcome.remedy == .otherKeyOrProvider
            if isOfKey { preferred = (key + 1) % keys.count }
            if let retryAfter, retryAfter > 0 {
                left(key, of: caller)
                for index in keys.indices where !isOfKey || index == key {
                    cool(index, model ?? "", until: now + retryAfter, now)
                }
            } else if isOfKey {
                breaker.left(caller)
                keys[key].breaker.failed(
                    now, of: caller, blame, limit: limits.failures, longest: limits.longestPause)
            } else {
                keys[key].breaker.left(caller)
                breaker.failed(now, of: caller, blame, limit: limits.failures, longest: limits.longestPause)
            }
        }
    }

    /// A good answer has begun.
    package mutating func answered(_ key: Int, of caller: String) {
        breaker.answered(caller)
        keys[key].breaker.answered(caller)
    }

    /// It has ended as a whole one.
    package mutating func succeeded(_ key: Int, of caller: String) {
        breaker.succeeded(caller)
        keys[key].breaker.succeeded(caller)
    }

    /// The request ended without saying anything of the provider: its caller left.
    package mutating func left(_ key: Int, of caller: String) {
        breaker.left(caller)
        keys[key].breaker.left(caller)
    }

    private mutating func note(_ outcome: AttemptOutcome, _ reason: String, _ now: UInt64) {
        let status: Int? = if case .answered(let status) = outcome { status } else { nil }
        lastFailure = Failure(reason: reason, status: status, at: now)
    }

    private mutating func cool(_ key: Int, _ model: String, until: UInt64, _ now: UInt64) {
        if keys[key].cooling.count >= Self.maxCooling {
            keys[key].cooling = keys[key].cooling.filter { $0.value > now }
        }
        if keys[key].cooling.count < Self.maxCooling { keys[key].cooling[model] = until }
    }

    // MARK: For people

    package struct KeyState: Sendable {
        package let breaker: Breaker.State
        /// Microseconds until it may be used for every model.
        package let wait: UInt64
        /// Models that are not to be asked for yet; "" stands for requests without one.
        package let cooling: [String]
        /// Callers whose own requests fail, and who alone are kept away.
        package let callers: Int
    }

    package func states(_ now: UInt64) -> [KeyState] {
        keys.map { key in
            let cooling = key.cooling.filter { $0.value > now }
            let longest = cooling.values.max().map { $0 - now } ?? 0
            return KeyState(
                breaker: breaker.state == .closed ? key.breaker.state : breaker.state,
                wait: max(breaker.wait(now), key.breaker.wait(now), longest),
                cooling: cooling.keys.sorted(), callers: breaker.openCallers + key.breaker.openCallers)
        }
    }
}
