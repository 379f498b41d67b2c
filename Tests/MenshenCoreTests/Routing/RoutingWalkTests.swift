// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

/// Plans of random providers, keys, pauses and outcomes: whatever comes, each key is asked once, but for one that is
/// read anew, nothing is tried after the deadline, and every plan ends.
@Suite struct RoutingWalkTests {
    private static let outcomes: [AttemptOutcome] =
        [200, 400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 529].map { .answered(status: $0) }
        + ["overloaded_error", "rate_limit_error", "authentication_error", "invalid_request_error"].map {
            .errorEvent($0)
        } + [.failed, .noKey]

    @Test func `no walk asks a key twice, goes on after its deadline, or goes on for ever`() {
        let cases = Fuzzing.cases(5000)
        var random = SeededGenerator(state: Fuzzing.seed("routes", cases))
        var longest = 0
        for _ in 0..<cases { longest = max(longest, walk(&random)) }
        #expect(longest > 5)
    }

    /// Returns how many tries it had.
    private func walk(_ random: inout SeededGenerator) -> Int {
        let keys = (0..<random.number(1...4)).map { _ in random.number(1...4) }
        let order = keys.indices.shuffled(using: &random)
        let deadline = UInt64(random.number(1...40))
        var closed: Set<[Int]> = []
        var plan = RoutePlan(order: order, rereadable: Set(order), deadline: deadline)
        let find: RoutePlan.KeyFinder = { provider, tried in
            (0..<keys[provider]).first { !tried.contains($0) && !closed.contains([provider, $0]) }
        }
        // Pauses come and go while the request is under way.
        func change(_ random: inout SeededGenerator) {
            let provider = random.number(0...keys.count - 1)
            let key = [provider, random.number(0...keys[provider] - 1)]
            if closed.remove(key) == nil, random.chance(30) { closed.insert(key) }
        }
        for _ in 0..<random.number(0...3) { change(&random) }
        var now: UInt64 = 0
        var tries: [RoutePlan.Try] = []
        var next = plan.first(find)
        while let found = next {
            #expect(now == 0 || now < deadline, "a try at \(now) after \(deadline)")
            #expect(!tries.contains(found), "\(found) again, after \(tries)")
            if found.rereads {
                #expect(tries.last == RoutePlan.Try(provider: found.provider, key: found.key))
            } else {
                #expect(!closed.contains([found.provider, found.key]), "\(found) is paused")
            }
            tries.append(found)
            #expect(tries.count <= 2 * keys.reduce(0, +))
            if tries.count > 2 * keys.reduce(0, +) { break }
            now += UInt64(random.number(0...4))
            if random.chance(20) { change(&random) }
            if random.chance(1) { plan.close() }
            let outcome = random.pick(Self.outcomes)
            let has = plan.hasNext(after: outcome, now: now, find)
            next = plan.next(after: outcome, now: now, find)
            #expect(has == (next != nil))
            if outcome.remedy == .none { #expect(next == nil) }
            if outcome.remedy == .otherKey { #expect(next.map { $0.provider == found.provider } ?? true) }
        }
        // Providers are asked in their order.
        var places: [Int] = []
        for provider in tries.map(\.provider) where places.last != provider { places.append(provider) }
        #expect(places == order.filter { places.contains($0) })
        return tries.count
    }
}
