// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What one worker knows of a provider: which of its keys may be used when, and what went wrong last. Times are monotonic
/// microseconds.
package struct ProviderHealth: Sendable {
    private struct Key: Sendable {
        /// For rate limits that come without a time.
        var breaker = Breaker()
        /// Until when a model is not to be asked for: providers limit each by itself.
        var cooling: [String: UInt64] = [:]
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
    private var breaker = Breaker()
    /// Requests stay with one key, whose prompt cache they may find, until it is limited.
    package private(set) var preferred = 0
    package private(set) var lastFailure: Failure?

    package init(keys: Int) { self.keys = Array(repeating: Key(), count: max(1, keys)) }

    /// The operator has looked: what failed before may be mended. What a provider asked for stays.
    package mutating func forgiveFailures() {
        breaker = Breaker()
        for index in keys.indices { keys[index].breaker = Breaker() }
    }

    /// A key that may be used now, other than those.
    package func usableKey(_ model: String?, _ now: UInt64, tried: [Int] = []) -> Int? {
        for step in keys.indices {
            let index = (preferred + step) % keys.count
            if !tried.contains(index), wait(index, model, now) == 0 { return index }
        }
        return nil
    }

    /// Microseconds until the first of its keys may be used.
    package func wait(_ model: String?, _ now: UInt64) -> UInt64 {
        keys.indices.map { wait($0, model, now) }.min() ?? 0
    }

    /// Whether the wait is one the provider asked for.
    package func isLimited(_ model: String?, _ now: UInt64) -> Bool {
        keys.contains { ($0.cooling[model ?? ""] ?? 0) > now }
    }

    private func wait(_ key: Int, _ model: String?, _ now: UInt64) -> UInt64 {
        let until = keys[key].cooling.isEmpty ? 0 : keys[key].cooling[model ?? ""] ?? 0
        return max(breaker.wait(now), keys[key].breaker.wait(now), until > now ? until - now : 0)
    }

    /// A request goes out with that key.
    package mutating func enter(_ key: Int, _ now: UInt64) {
        breaker.enter(now)
        keys[key].breaker.enter(now)
    }

    /// `retryAfter`: microseconds that the provider asks for.
    package mutating func report(
        _ outcome: AttemptOutcome, key: Int, model: String?, retryAfter: UInt64?, reason: String, now: UInt64,
        _ limits: Limits
    ) {
        let isOfKey = outcome.remedy == .otherKeyOrProvider
        switch outcome.isGood {
        case true?: answered(key)
        case nil:
            left(key)
            note(outcome, reason, now)
        case false?:
            note(outcome, reason, now)
            if isOfKey { preferred = (key + 1) % keys.count }
            if let retryAfter, retryAfter > 0 {
                left(key)
                for index in keys.indices where !isOfKey || index == key {
                    cool(index, model ?? "", until: now + retryAfter, now)
                }
            } else if isOfKey {
                breaker.left()
                keys[key].breaker.failed(now, limit: limits.failures, longest: limits.longestPause)
            } else {
                keys[key].breaker.left()
                breaker.failed(now, limit: limits.failures, longest: limits.longestPause)
            }
        }
    }

    /// What `report` does for a good outcome, of which nothing else need be known.
    /// A good answer has begun.
    package mutating func answered(_ key: Int) {
        breaker.answered()
        keys[key].breaker.answered()
    }

    /// It has ended as a whole one.
    package mutating func succeeded(_ key: Int) {
        breaker.succeeded()
        keys[key].breaker.succeeded()
    }

    /// The request ended without saying anything of the provider: its caller left.
    package mutating func left(_ key: Int) {
        breaker.left()
        keys[key].breaker.left()
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
    }

    package func states(_ now: UInt64) -> [KeyState] {
        keys.map { key in
            let cooling = key.cooling.filter { $0.value > now }
            let longest = cooling.values.max().map { $0 - now } ?? 0
            return KeyState(
                breaker: breaker.state == .closed ? key.breaker.state : breaker.state,
                wait: max(breaker.wait(now), key.breaker.wait(now), longest),
                cooling: cooling.keys.sorted())
        }
    }
}
