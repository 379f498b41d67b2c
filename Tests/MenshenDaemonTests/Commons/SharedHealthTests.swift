// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import MenshenCore
import Testing

@testable import MenshenDaemon

/// A provider's health, which several workers ask and tell.
struct SharedHealthTests {
    private static let second: UInt64 = 1_000_000
    private static let limits = ProviderHealth.Limits(failures: 1000, longestPause: 4 * second)

    private func fail(_ health: SharedHealth, _ outcome: AttemptOutcome = .failed, key: Int = 0, pause: UInt64? = nil) {
        health.change {
            $0.report(
                outcome, key: key, model: "m", of: "a", blame: .provider, retryAfter: pause, reason: "x", now: 0,
                Self.limits)
        }
    }

    @Test func `it answers as the health itself does, calm or not`() {
        let health = SharedHealth(keys: 3)
        func agrees(_ now: UInt64) -> Bool {
            let value = health.value
            return [[], [0], [1], [0, 1], [0, 1, 2]].allSatisfy { tried in
                health.usableKey("m", now, of: "a", tried: tried) == value.usableKey("m", now, of: "a", tried: tried)
            } && health.unlimitedKey("m", now) == value.unlimitedKey("m", now)
                && health.wait("m", now, of: "a") == value.wait("m", now, of: "a")
                && health.askedWait("m", now) == value.askedWait("m", now)
        }
        #expect(agrees(0))
        // Another key is preferred from now on.
        fail(health, .answered(status: 429), pause: Self.second)
        #expect(agrees(0) && health.usableKey("m", 0, of: "a") == 1)
        health.enter(1, Self.second, of: "a")
        #expect(agrees(Self.second) && health.value.isCalm && health.usableKey("m", Self.second, of: "a") == 1)
        for key in 0..<3 { fail(health, .answered(status: 429), key: key, pause: Self.second) }
        #expect(agrees(0) && health.usableKey("m", 0, of: "a") == nil && health.askedWait("m", 0) == Self.second)
    }

    @Test func `no failure is lost among threads`() throws {
        let health = SharedHealth(keys: 1)
        let threads = try (0..<4).map { number in
            try NamedThread("worker \(number)") {
                for _ in 0..<(number == 0 ? 249 : 250) { self.fail(health) }
            }
        }
        for thread in threads { thread.join() }
        #expect(health.wait("m", 0, of: "b") == 0)
        fail(health)
        #expect(health.wait("m", 0, of: "b") == Self.second, "the thousandth")
        health.enter(0, Self.second, of: "b")
        health.succeeded(0, of: "b")
        #expect(health.value.isCalm)
    }

    @Test func `a reload keeps what a provider asked for, and forgets it with the key`() throws {
        func snapshot(_ key: String, after previous: Snapshot? = nil, places: Int? = nil) throws -> Snapshot {
            var configuration = Configuration()
            let base = try #require(BaseURL("http://127.0.0.1:9/v1"))
            var provider = Provider(name: "a", kind: .openai, baseURL: base, key: .inline(Secret(key)))
            provider.maxConcurrent = places
            configuration.providers = [provider]
            return Snapshot(configuration, after: previous)
        }
        let first = try snapshot("one")
        let state = first.commons.providers[0]
        fail(state.health, .answered(status: 429), pause: 9 * Self.second)
        #expect(state.places.enter())
        let second = try snapshot("one", after: first)
        #expect(second.commons.providers[0] === state && second.commons.flights === first.commons.flights)
        #expect(state.health.askedWait("m", 0) == 9 * Self.second)
        let third = try snapshot("two", after: second)
        #expect(third.commons.providers[0] === state && state.health.askedWait("m", 0) == 0)
        #expect(state.places.counts.active == 1, "a request that is out is still there")
        #expect(try snapshot("two", after: third, places: 3).commons.providers[0] !== state)
    }
}
