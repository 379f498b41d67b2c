// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct RoutingHealthTests {
    private static let second: UInt64 = 1_000_000
    private static let limits = ProviderHealth.Limits(failures: 3, longestPause: 4 * second)

    // MARK: Breaker

    private func opened(_ now: UInt64 = 0) -> Breaker {
        var breaker = Breaker()
        for _ in 0..<3 { breaker.failed(now, limit: 3, longest: 4 * Self.second) }
        return breaker
    }

    @Test func `failures in a row open it, and a success between them does not let it come to that`() {
        var breaker = Breaker()
        for _ in 0..<10 {
            breaker.failed(0, limit: 3, longest: Self.second)
            breaker.failed(0, limit: 3, longest: Self.second)
            breaker.succeeded()
        }
        #expect(breaker.wait(0) == 0)
        #expect(breaker.state == .closed)
        let open = opened()
        #expect(open.state == .open)
        #expect(open.wait(0) == Self.second)
        #expect(open.wait(Self.second) == 0)
    }

    @Test func `after the pause a single request tries`() {
        var breaker = opened()
        breaker.enter(5 * Self.second)
        #expect(breaker.state == .halfOpen)
        #expect(breaker.wait(5 * Self.second) > 0)
        breaker.left()
        #expect(breaker.wait(5 * Self.second) == 0)
        breaker.enter(5 * Self.second)
        breaker.succeeded()
        #expect(breaker.state == .closed)
    }

    @Test func `one that tries and hears nothing for long does not keep the others waiting`() {
        var breaker = opened()
        for now in 5..<60 {
            #expect(breaker.wait(UInt64(now) * Self.second) == 0)
            breaker.enter(UInt64(now) * Self.second)
            #expect(breaker.wait(UInt64(now) * Self.second) == Self.second)
            #expect(breaker.state == .halfOpen)
        }
        breaker.succeeded()
        #expect(breaker.state == .closed)
    }

    @Test func `each further failure doubles the pause, up to the longest`() {
        var breaker = opened()
        var now: UInt64 = 0
        for pause in [2, 4, 4, 4] as [UInt64] {
            now += 10 * Self.second
            breaker.enter(now)
            breaker.failed(now, limit: 3, longest: 4 * Self.second)
            #expect(breaker.wait(now) == pause * Self.second)
        }
    }

    @Test func `requests that were out when it opened do not lengthen its pause`() {
        var breaker = opened()
        for _ in 0..<20 { breaker.failed(Self.second / 2, limit: 3, longest: 4 * Self.second) }
        #expect(breaker.wait(Self.second / 2) == Self.second / 2)
        var health = ProviderHealth(keys: 1)
        for _ in 0..<20 { health.enter(0, 0) }
        for _ in 0..<20 {
            health.report(
                .failed, key: 0, model: nil, retryAfter: nil, reason: "reset", now: 0, Self.limits)
        }
        #expect(health.wait(nil, 0) == Self.second)
    }

    @Test func `answers that begin well and break off open it too`() {
        var breaker = Breaker()
        for _ in 0..<3 {
            breaker.enter(0)
            breaker.answered()
            breaker.failed(0, limit: 3, longest: 4 * Self.second)
        }
        #expect(breaker.state == .open)
        breaker.enter(Self.second)
        breaker.answered()
        #expect(breaker.wait(Self.second) == 0, "others need not wait for the probe's end")
        breaker.succeeded()
        breaker.failed(0, limit: 3, longest: 4 * Self.second)
        #expect(breaker.state == .closed)
    }

    @Test func `without a limit it never opens`() {
        var breaker = Breaker()
        for _ in 0..<100 { breaker.failed(0, limit: 0, longest: Self.second) }
        #expect(breaker.wait(0) == 0)
    }

    // MARK: Provider

    private func report(
        _ health: inout ProviderHealth, _ outcome: AttemptOutcome, key: Int = 0, model: String? = "m",
        retryAfter: UInt64? = nil
    ) {
        health.report(
            outcome, key: key, model: model, retryAfter: retryAfter, reason: outcome.reason, now: 0, Self.limits)
    }

    @Test func `a limit with a time holds for that key and that model`() {
        var health = ProviderHealth(keys: 2)
        #expect(health.usableKey("m", 0) == 0)
        report(&health, .answered(status: 429), retryAfter: 7 * Self.second)
        #expect(health.usableKey("m", 0) == 1)
        #expect(health.usableKey("m", 0, tried: [1]) == nil)
        #expect(health.isLimited("m", 0))
        #expect(!health.isLimited("other", 0))
        report(&health, .answered(status: 429), key: 1, retryAfter: 9 * Self.second)
        #expect(health.usableKey("m", 0) == nil)
        #expect(health.wait("m", 0) == 7 * Self.second)
        #expect(health.usableKey("other", 0) != nil)
        #expect(health.usableKey("m", 8 * Self.second) == 0)
        #expect(health.lastFailure?.status == 429)
    }

    @Test func `requests stay with the key that was not limited`() {
        var health = ProviderHealth(keys: 3)
        report(&health, .answered(status: 429))
        #expect(health.usableKey("m", 0) == 1)
        report(&health, .answered(status: 500), key: 1)
        #expect(health.usableKey("m", 0) == 1)
    }

    @Test func `failures that are no key's fault close the provider for all keys`() {
        var health = ProviderHealth(keys: 2)
        for _ in 0..<3 { report(&health, .failed) }
        #expect(health.usableKey("m", 0) == nil)
        #expect(health.wait("other", 0) == Self.second)
        #expect(health.states(0).map(\.breaker) == [.open, .open])
        health.forgiveFailures()
        #expect(health.usableKey("m", 0) == 0)
    }

    @Test(arguments: [400, 404, 422, 401, 403])
    func `what is the request's or the key's fault does not close it`(status: Int) {
        var health = ProviderHealth(keys: 1)
        for _ in 0..<20 { report(&health, .answered(status: status)) }
        #expect(health.usableKey("m", 0) == 0)
    }

    @Test func `limits are remembered of so many models and no more`() {
        var health = ProviderHealth(keys: 1)
        for index in 0..<10_000 {
            report(&health, .answered(status: 429), model: "m\(index)", retryAfter: Self.second)
        }
        #expect(health.states(0)[0].cooling.count <= 256)
    }

    // MARK: Places

    @Test func `callers take turns, and each of them in order`() {
        var queue = FairQueue<String>(limit: 5)
        let taken = ["a1", "a2", "a3", "b1", "c1", "d1"].filter { queue.append($0, of: String($0.prefix(1))) }
        #expect(taken == ["a1", "a2", "a3", "b1", "c1"])
        queue.removeAll { $0 == "c1" }
        var order: [String] = []
        while let next = queue.popFirst() { order.append(next) }
        #expect(order == ["a1", "b1", "a2", "a3"])
        #expect(queue.isEmpty)
    }

    @Test func `a place that is left goes to who waits`() {
        var slots = Slots<String>(limit: 1, maxQueued: 1)
        slots.enter()
        #expect(slots.isFull)
        let waiting = ["x", "y"].filter { slots.wait($0, of: $0) }
        #expect(waiting == ["x"])
        let next = slots.leave()
        #expect(next == "x")
        #expect(slots.isFull)
        let nobody = slots.leave()
        #expect(nobody == nil)
        #expect(slots.active == 0)
        var open = Slots<String>(limit: nil, maxQueued: 0)
        for _ in 0..<1000 { open.enter() }
        #expect(!open.isFull)
    }
}
