// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

@testable import MenshenCore

struct PotTests {
    private static let noon: Int64 = 1_800_014_400 - 1_800_014_400 % 86_400 + 43_200

    private static func pot(_ window: Limit.Window, at now: Int64 = noon) -> Pot {
        var pot = Pot(window, at: now, .utc)
        pot.becomeKnown()
        return pot
    }

    @Test func `what is reserved has room, and what was spent takes its place`() {
        var pot = Self.pot(.day)
        #expect(pot.hasRoom(for: 100, of: 100) && !pot.hasRoom(for: 101, of: 100))
        let slip = pot.reserve(60)
        #expect(pot.reserved == 60 && pot.spent == 0)
        #expect(pot.hasRoom(for: 40, of: 100) && !pot.hasRoom(for: 41, of: 100))
        pot.settle(slip, 75)
        #expect(pot.reserved == 0 && pot.spent == 75)
        #expect(pot.hasRoom(for: 25, of: 100) && !pot.hasRoom(for: 26, of: 100))
    }

    @Test func `a window of the calendar starts anew, and what was admitted before counts before`() {
        var pot = Self.pot(.day)
        let early = pot.reserve(10)
        pot.settle(pot.reserve(50), 50)
        pot.advance(to: Self.noon + 43_199, .utc)
        #expect(pot.spent == 50 && pot.reserved == 10)
        pot.advance(to: Self.noon + 43_200, .utc)
        #expect(pot.spent == 0 && pot.reserved == 0)
        let late = pot.reserve(7)
        pot.settle(early, 1000)
        #expect(pot.spent == 0 && pot.reserved == 7)
        pot.settle(late, 8)
        #expect(pot.spent == 8 && pot.reserved == 0)
    }

    @Test func `a clock that steps back opens no window twice`() {
        var pot = Self.pot(.day, at: Self.noon + 43_200)
        pot.settle(pot.reserve(5), 5)
        pot.advance(to: Self.noon + 43_199, .utc)
        #expect(pot.spent == 5)
        // It had been wrong by years: the window is that of today, and what was spent stays.
        var wrong = Self.pot(.day, at: Self.noon + 1000 * 86_400)
        let slip = wrong.reserve(5)
        wrong.settle(wrong.reserve(4), 4)
        wrong.advance(to: Self.noon, .utc)
        wrong.settle(slip, 6)
        #expect(wrong.spent == 10 && wrong.reserved == 0)
        wrong.advance(to: Self.noon + 43_200, .utc)
        #expect(wrong.spent == 0)
    }

    /// Beside a list of all that was spent, second by second, with the same seed each time.
    @Test(arguments: [60, 61, 3600, 86_400, 604_800] as [Int64])
    func `a rolling window forgets nothing early, and everything a thirtieth late at most`(_ length: Int64) {
        var random = Seeded(UInt64(length))
        var pot = Self.pot(.rolling(seconds: length))
        var all: [(time: Int64, amount: Int64)] = []
        var now = Self.noon
        let width = (length + 59) / 60
        let longest = ((length + width - 1) / width + 1) * width
        #expect(longest <= length + 2 * width)
        for _ in 0..<2000 {
            now += Int64.random(in: 0...length / 30, using: &random)
            pot.advance(to: now, .utc)
            let amount = Int64.random(in: 1...1000, using: &random)
            pot.settle(pot.reserve(amount), amount)
            all.append((now, amount))
            let least = all.reduce(0) { $0 + ($1.time > now - length ? $1.amount : 0) }
            let most = all.reduce(0) { $0 + ($1.time > now - longest ? $1.amount : 0) }
            #expect(pot.spent >= least && pot.spent <= most)
            if all.count > 400 { all.removeFirst(200) }
            if pot.spent < least || pot.spent > most { return }
        }
    }

    @Test func `a rolling window says when there is room again, and there is`() throws {
        var pot = Self.pot(.rolling(seconds: 3600))
        for minute: Int64 in 0..<30 {
            pot.advance(to: Self.noon + minute * 60, .utc)
            pot.settle(pot.reserve(10), 10)
        }
        let now = Self.noon + 1800
        pot.advance(to: now, .utc)
        #expect(pot.spent == 300)
        let time = try #require(pot.opens(for: 95, of: 300, at: now))
        var before = pot
        before.advance(to: time - 61, .utc)
        #expect(!before.hasRoom(for: 95, of: 300))
        pot.advance(to: time, .utc)
        #expect(pot.hasRoom(for: 95, of: 300))
        #expect(pot.opens(for: 301, of: 300, at: now) == nil)
    }

    @Test func `a long pause empties a rolling window`() {
        var pot = Self.pot(.rolling(seconds: 60))
        let open = pot.reserve(3)
        pot.settle(pot.reserve(9), 9)
        pot.advance(to: Self.noon + 1_000_000, .utc)
        #expect(pot.spent == 0 && pot.reserved == 3)
        pot.settle(open, 3)
        #expect(pot.spent == 0 && pot.reserved == 0)
        pot.advance(to: Self.noon, .utc)
        #expect(pot.spent == 0)
    }

    @Test func `nothing overflows`() {
        for window in [Limit.Window.ever, .rolling(seconds: 60)] {
            var pot = Self.pot(window)
            let slip = pot.reserve(.max)
            #expect(!pot.hasRoom(for: .max, of: 5))
            pot.settle(slip, .max)
            pot.settle(pot.reserve(1), .max)
            #expect(pot.spent == .max && pot.reserved == 0)
            #expect(!pot.hasRoom(for: 1, of: 100))
        }
    }

    @Test func `the past counts where it belongs`() {
        var day = Pot(.day, at: Self.noon, .utc)
        day.addPast(5, at: Self.noon - 43_200)
        day.addPast(7, at: Self.noon - 43_201)
        #expect(day.spent == 5 && !day.isKnown)
        var hour = Pot(.rolling(seconds: 3600), at: Self.noon, .utc)
        hour.addPast(5, at: Self.noon - 3599)
        hour.addPast(7, at: Self.noon - 3600 - 61)
        #expect(hour.spent == 5)
        var ever = Pot(.ever, at: Self.noon, .utc)
        ever.addPast(5, at: 0)
        #expect(ever.spent == 5)
    }

    @Test func `a pot whose window began after it was made knows all of it`() {
        var minute = Pot(.minute, at: Self.noon, .utc)
        minute.advance(to: Self.noon + 59, .utc)
        #expect(!minute.isKnown)
        minute.advance(to: Self.noon + 60, .utc)
        #expect(minute.isKnown)
        var rolling = Pot(.rolling(seconds: 60), at: Self.noon, .utc)
        rolling.advance(to: Self.noon + 60, .utc)
        #expect(!rolling.isKnown)
        rolling.advance(to: Self.noon + 61, .utc)
        #expect(rolling.isKnown)
    }
}

/// Numbers that are the same each time.
private struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &+ 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
