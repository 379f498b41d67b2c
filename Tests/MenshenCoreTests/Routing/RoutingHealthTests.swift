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
        for _ in 0..<20 { health.enter(0, 0, of: "a") }
        for _ in 0..<20 { report(&health, .failed, model: nil) }
        #expect(health.wait(nil, 0, of: "a") == Self.second)
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
        retryAfter: UInt64? = nil, of caller: String = "a", blame: FairBreaker.Blame = .provider
    ) {
        health.report(
            outcome, key: key, model: model, of: caller, blame: blame, retryAfter: retryAfter, reason: outcome.reason,
            now: 0, Self.limits)
    }

    @Test func `a limit with a time holds for that key and that model`() {
        var health = ProviderHealth(keys: 2)
        #expect(health.usableKey("m", 0, of: "a") == 0)
        report(&health, .answered(status: 429), retryAfter: 7 * Self.second)
        #expect(health.usableKey("m", 0, of: "a") == 1)
        #expect(health.usableKey("m", 0, of: "a", tried: [1]) == nil)
        #expect(health.askedWait("m", 0) == 0, "another key may be used")
        report(&health, .answered(status: 429), key: 1, retryAfter: 9 * Self.second)
        #expect(health.usableKey("m", 0, of: "a") == nil)
        #expect(health.wait("m", 0, of: "b") == 7 * Self.second)
        #expect(health.askedWait("m", 0) == 7 * Self.second && health.unlimitedKey("m", 0) == nil)
        #expect(health.askedWait("other", 0) == 0)
        #expect(health.usableKey("other", 0, of: "a") != nil)
        #expect(health.usableKey("m", 8 * Self.second, of: "a") == 0)
        #expect(health.lastFailure?.status == 429)
    }

    @Test func `requests stay with the key that was not limited`() {
        var health = ProviderHealth(keys: 3)
        report(&health, .answered(status: 429))
        #expect(health.usableKey("m", 0, of: "a") == 1)
        report(&health, .answered(status: 500), key: 1)
        #expect(health.usableKey("m", 0, of: "a") == 1)
    }

    @Test func `failures that are no key's fault close the provider for all keys`() {
        var health = ProviderHealth(keys: 2)
        for _ in 0..<3 { report(&health, .failed) }
        #expect(health.usableKey("m", 0, of: "a") == nil)
        #expect(health.wait("other", 0, of: "b") == Self.second)
        #expect(health.unlimitedKey("m", 0) == 0, "where nobody else may be asked")
        #expect(health.states(0).map(\.breaker) == [.open, .open])
        health.forgiveFailures()
        #expect(health.usableKey("m", 0, of: "a") == 0)
    }

    @Test(arguments: [AttemptOutcome.answered(status: 500), .answered(status: 429), .failed])
    func `what one caller's requests may have caused closes it to that caller alone`(outcome: AttemptOutcome) {
        var health = ProviderHealth(keys: 1)
        for _ in 0..<50 {
            health.enter(0, 0, of: "a")
            report(&health, outcome, of: "a", blame: .request)
        }
        #expect(health.usableKey("m", 0, of: "a") == nil)
        #expect(health.usableKey("m", 0, of: "b") == 0)
        #expect(health.states(0).map(\.breaker) == [.closed] && health.states(0).map(\.callers) == [1])
        report(&health, outcome, of: "b", blame: .request)
        #expect(health.usableKey("m", 0, of: "b") == 0)
        report(&health, outcome, of: "c", blame: .request)
        #expect(health.usableKey("m", 0, of: "d") == nil, "as many callers as the limit have seen it fail")
    }

    @Test func `a caller that has failed before and finds out again lengthens nobody's pause`() {
        var health = ProviderHealth(keys: 1)
        for caller in ["a", "b", "c"] { report(&health, .failed, of: caller, blame: .request) }
        #expect(health.wait("m", 0, of: "d") == Self.second)
        health.enter(0, Self.second, of: "a")
        report(&health, .failed, of: "a", blame: .request)
        #expect(health.usableKey("m", Self.second, of: "d") == 0)
        health.succeeded(0, of: "d")
        #expect(health.usableKey("m", Self.second, of: "d") == 0 && health.states(0).map(\.breaker) == [.closed])
    }

    @Test func `what menshen lacked, or the caller did not send, is nobody's failure`() {
        var health = ProviderHealth(keys: 1)
        for _ in 0..<50 { report(&health, .failed, blame: .nobody) }
        #expect(health.usableKey("m", 0, of: "a") == 0)
    }

    @Test func `it is calm until something fails, and again once that is over`() {
        var health = ProviderHealth(keys: 2)
        health.enter(0, 0, of: "a")
        health.answered(0, of: "a")
        health.succeeded(0, of: "a")
        health.left(1, of: "a")
        #expect(health.isCalm)
        report(&health, .failed, blame: .request)
        #expect(!health.isCalm)
        health.answered(0, of: "a")
        #expect(!health.isCalm, "an answer that has begun may break off")
        health.succeeded(0, of: "a")
        #expect(health.isCalm)
        report(&health, .answered(status: 429), key: 1, retryAfter: Self.second)
        health.enter(0, Self.second - 1, of: "a")
        #expect(!health.isCalm)
        health.enter(0, Self.second, of: "a")
        #expect(health.isCalm && health.preferred == 0 && health.lastFailure?.status == 429)
        report(&health, .answered(status: 400))
        #expect(health.isCalm, "that is the request's own")
    }

    @Test func `callers are remembered up to a number`() {
        var health = ProviderHealth(keys: 1)
        for index in 0..<10_000 {
            report(&health, .failed, of: "\(index)", blame: .request)
            health.succeeded(0, of: "somebody else")
        }
        #expect(health.states(0)[0].callers <= 256)
    }

    @Test(arguments: [400, 404, 422, 401, 403])
    func `what is the request's or the key's fault does not close it`(status: Int) {
        var health = ProviderHealth(keys: 1)
        for _ in 0..<20 { report(&health, .answered(status: status)) }
        #expect(health.usableKey("m", 0, of: "a") == 0)
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
        for name in ["a1", "a2", "a3", "b1", "c1"] { #expect(queue.admit(name) == "admitted") }
        queue.removeAll { $0 == "c1" }
        var order: [String] = []
        while let next = queue.popFirst() { order.append(next) }
        #expect(order == ["a1", "b1", "a2", "a3"])
        #expect(queue.isEmpty)
    }

    @Test func `a full queue of one caller's has room for another's, and the last one of the longest line leaves`() {
        var queue = FairQueue<String>(limit: 4)
        for name in ["a1", "a2", "a3", "a4"] { #expect(queue.admit(name) == "admitted") }
        #expect(queue.admit("a5") == "full")
        #expect(queue.admit("b1") == "for a4")
        #expect(queue.admit("b2") == "for a3")
        #expect(queue.admit("b3") == "full", "each has two")
        #expect(["for a2", "for b2"].contains(queue.admit("c1")))
        #expect(queue.count == 4)
        var none = FairQueue<String>(limit: 0)
        #expect(none.admit("a1") == "full")
    }

    @Test func `a place that is left goes to who waits`() {
        var slots = Slots<String>(limit: 1, maxQueued: 1)
        slots.enter()
        #expect(slots.isFull)
        #expect(!slots.hasWaiting)
        guard case .admitted(nil) = slots.wait("x", of: "x"), case .full = slots.wait("y", of: "y") else {
            Issue.record("one may wait")
            return
        }
        #expect(slots.hasWaiting)
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

extension FairQueue<String> {
    /// What became of an element whose caller is its first letter.
    fileprivate mutating func admit(_ element: String) -> String {
        switch append(element, of: String(element.prefix(1))) {
        case .admitted(let displaced): displaced.map { "for \($0)" } ?? "admitted"
        case .full: "full"
        }
    }
}
