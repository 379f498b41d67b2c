// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What is known of one provider, for people.
struct ProviderReport: Sendable {
    struct Key: Sendable {
        var breaker: Breaker.State
        /// Microseconds until it is used again; 0: it is.
        var wait: UInt64
        /// Models that the provider has limited; "" for requests without one.
        var limited: [String]
        /// Callers who alone are kept away, because their own requests fail.
        var callers: Int
        var headroom: Headroom
    }

    struct Failure: Sendable {
        var reason: String
        var status: Int?
        /// Microseconds.
        var ago: UInt64
    }

    let name: String
    var keys: [Key]
    /// Requests at the provider, and waiting for a place at it.
    var active: Int
    var queued: Int
    var lastFailure: Failure?
    /// Why the key's source gives no key at present.
    var keyTrouble: String?

    init(_ provider: Provider, _ state: ProviderState, keyTrouble: String?, now: UInt64) {
        self.keyTrouble = keyTrouble
        name = provider.name
        let health = state.health.value
        keys = zip(health.states(now), state.headroom.value).map {
            Key(breaker: $0.breaker, wait: $0.wait, limited: $0.cooling, callers: $0.callers, headroom: $1)
        }
        (active, queued) = state.places.counts
        // Another worker may have seen it after this one's turn began.
        lastFailure = health.lastFailure.map {
            Failure(reason: $0.reason, status: $0.status, ago: now > $0.at ? now - $0.at : 0)
        }
    }

    /// Adds what another worker knows. All else is common to them, but each reads the files of keys for itself.
    mutating func add(_ other: ProviderReport) { keyTrouble = keyTrouble ?? other.keyTrouble }

    /// In a few words.
    var state: String {
        if keyTrouble != nil { return "its key cannot be read" }
        let open = keys.filter { $0.breaker != .closed }
        if !open.isEmpty, open.count == keys.count {
            return open.contains { $0.breaker == .halfOpen } ? "failing, one request tries" : "failing" + pause(open)
        }
        let limited = keys.filter { !$0.limited.isEmpty }
        if limited.isEmpty, open.isEmpty {
            let callers = keys.reduce(0) { $0 + $1.callers }
            return callers == 0 ? "ok" : "ok, but failing for \(callers == 1 ? "one caller" : "\(callers) callers")"
        }
        let models = Set(limited.flatMap(\.limited)).sorted().map { $0.isEmpty ? "requests without a model" : $0 }
        let which = keys.count > 1 ? "\(max(limited.count, open.count)) of \(keys.count) keys limited" : "limited"
        return which + (models.isEmpty ? "" : " for \(models.joined(separator: ", "))") + pause(limited)
    }

    private func pause(_ keys: [Key]) -> String {
        guard let wait = keys.map(\.wait).min(), wait > 0 else { return "" }
        return ", again in \((wait + 999_999) / 1_000_000) s"
    }

    var failureText: String? {
        if let keyTrouble { return keyTrouble }
        return lastFailure.map { failure in
            "\(failure.reason)\(failure.status.map { " (\($0))" } ?? ""), \(failure.ago / 1_000_000) s ago"
        }
    }
}
