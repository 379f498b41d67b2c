// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Reactor
import TestSupport
import Testing

@testable import MenshenDaemon

/// `server.idle_exit`, by a clock that the test turns.
struct IdlenessTests {
    private let clock = ManualClock()
    private let reactor: Reactor
    private let activity: Activity
    private let idleness: Idleness
    private let told = Told()

    private final class Told { var count = 0 }

    init() throws {
        reactor = try Reactor { [clock] in clock.now }
        activity = Activity(now: reactor.now)
        idleness = Idleness(of: activity, reactor)
        idleness.isTooLong = { [told] in told.count += 1 }
        idleness.limit(to: .seconds(600))
    }

    private func pass(_ seconds: Double) throws {
        clock.turn(seconds: seconds)
        for _ in 0..<5 { try reactor.turn(mayWait: false) }
    }

    @Test func `it is over when nobody has come for so long, and that is told once`() throws {
        try pass(0)
        try pass(599.9)
        #expect(told.count == 0)
        try pass(0.2)
        #expect(told.count == 1)
        try pass(10_000)
        #expect(told.count == 1)
    }

    @Test func `it begins anew when the last connection is closed`() throws {
        try pass(599.9)
        activity.opened()
        activity.opened()
        activity.closed(at: reactor.now)
        try pass(2000)
        #expect(told.count == 0)
        activity.closed(at: reactor.now)
        try pass(599.9)
        #expect(told.count == 0)
        try pass(0.2)
        #expect(told.count == 1)
    }

    @Test func `who only looks on does not keep it from being over`() throws {
        try pass(500)
        activity.opened()
        try pass(10)
        activity.leftToLookOn()
        try pass(89.9)
        #expect(told.count == 0)
        try pass(0.2)
        #expect(told.count == 1)
    }

    @Test func `a reload changes the limit, or takes it away`() throws {
        try pass(500)
        idleness.limit(to: nil)
        try pass(1000)
        #expect(told.count == 0)
        idleness.limit(to: .seconds(1600))
        try pass(99.9)
        #expect(told.count == 0)
        idleness.limit(to: .seconds(60))
        try pass(0)
        #expect(told.count == 1)
    }
}
