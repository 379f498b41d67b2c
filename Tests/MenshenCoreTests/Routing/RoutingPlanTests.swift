// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct RoutingPlanTests {
    /// A plan, and two keys at every provider that is not closed.
    private final class Walk {
        private var plan: RoutePlan
        private let isClosed: (Int) -> Bool

        init(_ order: [Int], rereadable: Set<Int> = [0], isClosed: @escaping (Int) -> Bool = { _ in false }) {
            plan = RoutePlan(order: order, rereadable: rereadable, deadline: 100)
            self.isClosed = isClosed
        }

        private func find(_ provider: Int, _ tried: [Int]) -> Int? {
            isClosed(provider) ? nil : (0..<2).first { !tried.contains($0) }
        }

        func first() -> RoutePlan.Try? { plan.first(find) }
        func next(_ outcome: AttemptOutcome, now: UInt64 = 0) -> RoutePlan.Try? {
            plan.next(after: outcome, now: now, find)
        }
        func hasNext(_ outcome: AttemptOutcome) -> Bool { plan.hasNext(after: outcome, now: 0, find) }
        func close() { plan.close() }
    }

    private func plan(_ order: [Int]) -> Walk {
        let walk = Walk(order)
        #expect(walk.first() == RoutePlan.Try(provider: order[0], key: 0))
        return walk
    }

    @Test(arguments: [200, 201, 301, 400, 404, 405, 409, 413, 422, 501])
    func `an answer that another would give as well is passed on`(status: Int) {
        let plan = plan([0, 1])
        #expect(plan.next(.answered(status: status)) == nil)
    }

    @Test(arguments: [408, 500, 502, 503, 504, 529])
    func `a provider's own fault goes to the next provider`(status: Int) {
        let plan = plan([2, 0, 1])
        let outcome = AttemptOutcome.answered(status: status)
        #expect(plan.hasNext(outcome))
        #expect(plan.next(outcome) == RoutePlan.Try(provider: 0, key: 0))
        #expect(plan.next(.failed) == RoutePlan.Try(provider: 1, key: 0))
        #expect(!plan.hasNext(.failed))
        #expect(plan.next(.failed) == nil)
    }

    @Test func `a limited key gives way to the next one, then to the next provider`() {
        let plan = plan([0, 1])
        let outcome = AttemptOutcome.answered(status: 429)
        #expect(plan.next(outcome) == RoutePlan.Try(provider: 0, key: 1))
        #expect(plan.next(outcome) == RoutePlan.Try(provider: 1, key: 0))
        #expect(plan.next(outcome) == RoutePlan.Try(provider: 1, key: 1))
        #expect(plan.next(outcome) == nil)
    }

    @Test(arguments: [401, 403])
    func `a refused key is read anew once, then another is tried, but no other provider`(status: Int) {
        let plan = plan([0, 1])
        let outcome = AttemptOutcome.answered(status: status)
        #expect(plan.next(outcome) == RoutePlan.Try(provider: 0, key: 0, rereads: true))
        #expect(plan.next(outcome) == RoutePlan.Try(provider: 0, key: 1))
        #expect(plan.next(outcome) == RoutePlan.Try(provider: 0, key: 1, rereads: true))
        #expect(plan.next(outcome) == nil)
    }

    @Test func `a key that stands in the configuration is not read anew`() {
        let walk = Walk([0, 1], rereadable: [1])
        #expect(walk.first()?.key == 0)
        #expect(walk.next(.answered(status: 401)) == RoutePlan.Try(provider: 0, key: 1))
        #expect(!walk.hasNext(.answered(status: 401)))
    }

    @Test func `nothing is tried after the deadline, and nothing without the body`() {
        let late = plan([0, 1])
        #expect(late.next(.failed, now: 100) == nil)
        let closed = plan([0, 1])
        closed.close()
        #expect(closed.next(.failed) == nil)
    }

    @Test func `a provider none of whose keys may be used is passed over`() {
        let plan = Walk([1, 0, 1, 2]) { $0 == 1 }
        #expect(plan.first()?.provider == 0)
        #expect(plan.next(.noKey)?.provider == 2)
        #expect(Walk([1]) { $0 == 1 }.first() == nil)
    }

    @Test func `providers that are full are asked after the others`() {
        let find: RoutePlan.KeyFinder = { _, tried in tried.isEmpty ? 0 : nil }
        var plan = RoutePlan(order: [0, 1, 2, 3], rereadable: [], deadline: 100)
        #expect(plan.first(find)?.provider == 0)
        plan.postpone { $0 == 0 || $0 == 1 || $0 == 3 }
        #expect(plan.next(after: .failed, now: 0, find)?.provider == 2)
        plan.postpone { $0 == 1 }
        #expect(plan.next(after: .failed, now: 0, find)?.provider == 3)
        #expect(plan.next(after: .failed, now: 0, find)?.provider == 1)
        #expect(plan.next(after: .failed, now: 0, find) == nil)
    }

    @Test(arguments: [
        ("invalid_request_error", AttemptOutcome.Remedy.none), ("context_length_exceeded", .none),
        ("INVALID_ARGUMENT", .none), ("authentication_error", .otherKey), ("rate_limit_exceeded", .otherKeyOrProvider),
        ("rate_limit_error", .otherKeyOrProvider), ("RESOURCE_EXHAUSTED", .otherKeyOrProvider),
        ("insufficient_quota", .otherKeyOrProvider), ("invalid_api_key", .otherKey), ("PERMISSION_DENIED", .otherKey),
        ("content_filter", .none), ("request_too_large", .none), ("resourceNotFoundException", .none),
        ("overloaded_error", .otherProvider), ("server_error", .otherProvider), ("error", .otherProvider),
    ])
    func `an error event counts like the status it stands for`(code: String, remedy: AttemptOutcome.Remedy) {
        #expect(AttemptOutcome.errorEvent(code).remedy == remedy)
    }

    @Test(
        arguments: [
            ("250", "7", 250_000), (nil, "7", 7_000_000), (nil, "1.5", 1_500_000), ("x", "2", 2_000_000),
            (nil, "-1", nil), (nil, "soon", nil), (nil, nil, nil), (nil, "999999999", RetryAfter.longest),
            ("1e300", nil, RetryAfter.longest), ("nan", "1", 1_000_000),
            (nil, "Sun, 06 Nov 1994 08:49:47 GMT", 10_000_000), (nil, "Sun, 06 Nov 1994 08:00:00 GMT", 0),
            (nil, "Sun, 06 Nov 2094 08:00:00 GMT", RetryAfter.longest), (nil, "Sun, 06 Nov 1994 25:49:37 GMT", nil),
        ] as [(String?, String?, UInt64?)])
    func `what a provider says of when to come back`(milliseconds: String?, field: String?, expected: UInt64?) {
        // 1994-11-06 08:49:37
        let found = RetryAfter.microseconds(milliseconds: milliseconds, field, wallSeconds: 784_111_777)
        #expect(found == expected)
    }
}
