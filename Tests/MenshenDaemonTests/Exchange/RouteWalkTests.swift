// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import MenshenUpstream
import Testing

@testable import MenshenDaemon

struct RouteWalkTests {
    private func walk(_ runtime: Runtime, _ fitting: [Int], at now: UInt64, draw: Double = 0) -> (
        RouteWalk, RoutePlan.Try?
    ) {
        var walk = RouteWalk(runtime, RequestID(rawValue: 1))
        walk.fit(fitting)
        let first = walk.begin(model: "m", blamed: "a caller", now: now, draw: { draw })
        return (walk, first)
    }

    /// An attempt of one more request at provider 0.
    private func ask(_ runtime: Runtime, at now: UInt64, by caller: String, _ outcome: AttemptOutcome) -> UInt64? {
        var walk = RouteWalk(runtime, RequestID(rawValue: 1))
        walk.fit([0])
        guard let first = walk.begin(model: "m", blamed: caller, now: now, draw: { 0 }) else { return nil }
        _ = walk.turn(to: first, now: 0)
        walk.enter(now: now)
        return walk.report(outcome, now: now)
    }

    @Test func `the first is drawn, the others follow as they are configured`() throws {
        let runtime = try ExchangeParts.runtime(["a", "b", "c"])
        var (walk, first) = walk(runtime, [0, 1, 2], at: 0, draw: 0.5)
        #expect(first?.provider == 1)
        _ = walk.turn(to: try #require(first), now: 0)
        let second = walk.next(after: .failed, now: 1)
        let hasThird = walk.hasNext(after: .failed, now: 2)
        let third = walk.next(after: .failed, now: 2)
        let hasFourth = walk.hasNext(after: .failed, now: 3)
        #expect(second?.provider == 0 && hasThird && third?.provider == 2 && !hasFourth)
    }

    @Test func `behind the deadline nobody else is asked`() throws {
        let runtime = try ExchangeParts.runtime(["a", "b"]) { $0.failover.deadline = .seconds(10) }
        var (walk, first) = walk(runtime, [0, 1], at: ExchangeParts.second)
        _ = walk.turn(to: try #require(first), now: 0)
        let deadline = walk.deadline
        #expect(deadline == 11 * ExchangeParts.second)
        let isInTime = walk.hasNext(after: .failed, now: 11 * ExchangeParts.second - 1)
        let isLate = !walk.hasNext(after: .failed, now: 11 * ExchangeParts.second)
        #expect(isInTime && isLate)
    }

    @Test func `with one provider there is no deadline, and no other to ask`() throws {
        let runtime = try ExchangeParts.runtime(["a"])
        var (walk, first) = walk(runtime, [0], at: 0)
        _ = walk.turn(to: try #require(first), now: 0)
        let deadline = walk.deadline
        let mayAskAnother = walk.mayAskAnother()
        #expect(deadline == nil && !mayAskAnother)
    }

    @Test func `a provider that fails for several callers is left alone, and asked again later`() throws {
        let runtime = try ExchangeParts.runtime(["a", "b"])
        var pause: UInt64?
        var failures = 0
        while pause == nil, failures < 100 {
            pause = ask(runtime, at: ExchangeParts.second, by: "caller \(failures)", .answered(status: 500))
            failures += 1
        }
        #expect(failures == runtime.snapshot.configuration.failover.breakerFailures)
        let wait = try #require(pause)
        #expect(walk(runtime, [0, 1], at: ExchangeParts.second).1?.provider == 1)
        #expect(walk(runtime, [0, 1], at: ExchangeParts.second + wait).1?.provider == 0)
        // Where nobody else fits, leaving it alone helps nobody.
        #expect(walk(runtime, [0], at: ExchangeParts.second).1?.provider == 0)
    }

    @Test func `a provider that asks for a pause is not asked before it is over`() throws {
        let runtime = try ExchangeParts.runtime(["a"])
        var (first, next) = walk(runtime, [0], at: 0)
        _ = first.turn(to: try #require(next), now: 0)
        first.enter(now: 0)
        let pause = first.report(.answered(status: 429), pause: 7 * ExchangeParts.second, now: 0)
        #expect(pause == 7 * ExchangeParts.second)
        var (second, none) = walk(runtime, [0], at: ExchangeParts.second)
        #expect(none == nil)
        let rest = second.shortestPause(now: ExchangeParts.second)
        #expect(rest == 6 * ExchangeParts.second)
        #expect(walk(runtime, [0], at: 7 * ExchangeParts.second).1 != nil)
    }

    @Test func `an upload that is not whole is not the provider's fault`() throws {
        let runtime = try ExchangeParts.runtime(["a", "b"])
        for number in 0..<50 {
            var (walk, first) = walk(runtime, [0], at: ExchangeParts.second)
            _ = walk.turn(to: try #require(first), now: 0)
            walk.enter(now: ExchangeParts.second)
            walk.report(.answered(status: 408), isUploaded: false, now: ExchangeParts.second)
            #expect(self.walk(runtime, [0, 1], at: ExchangeParts.second).1?.provider == 0, "\(number)")
        }
    }

    @Test func `a place is one request's at a time, and goes to the next when its holder ends`() throws {
        let runtime = try ExchangeParts.runtime(["a"]) { $0.providers[0].maxConcurrent = 1 }
        var (holder, first) = walk(runtime, [0], at: 0)
        _ = holder.turn(to: try #require(first), now: 0)
        let hasFirst = holder.takePlace()
        #expect(hasFirst && holder.hasPlace)
        var (other, next) = walk(runtime, [0], at: 0)
        _ = other.turn(to: try #require(next), now: 0)
        let hasSecond = other.takePlace()
        #expect(!hasSecond)
        let heir = holder.leavePlace(now: 0)
        holder.end(now: 1)
        let hasItNow = other.takePlace()
        #expect(heir == nil && hasItNow)
    }

    @Test func `each attempt is recorded, and what was never sent costs nothing`() throws {
        let runtime = try ExchangeParts.runtime(["a", "b"])
        var (walk, first) = walk(runtime, [0, 1], at: 0)
        _ = walk.turn(to: try #require(first), now: 0)
        walk.record(status: nil, reason: UpstreamFailure.Reason.connect.rawValue, model: nil, 1..<2)
        var wasSent = walk.wasSent()
        #expect(!wasSent)
        let next = walk.next(after: .failed, now: 1)
        _ = walk.turn(to: try #require(next), now: 0)
        walk.record(status: nil, reason: UpstreamFailure.Reason.firstByteTimeout.rawValue, model: "other", 3..<4)
        wasSent = walk.wasSent()
        #expect(wasSent)
        #expect(walk.attempts.map(\.provider) == ["a", "b"])
        #expect(walk.attempts[1].model == "other" && walk.attempts[1].endedMicroseconds == 4)
    }
}
