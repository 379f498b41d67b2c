// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import Reactor
import Testing

@Suite struct ReactorClockTests {
    private final class Bell: TimerHandler {
        var rings = 0
        func timerFired(_ timer: Timer) { rings += 1 }
    }

    @Test func `timers go by a clock that is turned by hand`() throws {
        var time: UInt64 = 1_000_000
        let reactor = try Reactor { time }
        #expect(reactor.now == time && reactor.time == time)
        let bell = Bell()
        let timer = Timer(bell)
        reactor.timers.set(timer, at: reactor.now + 3_600_000_000)
        try reactor.turn(mayWait: false)
        time += 3_599_999_999
        try reactor.turn(mayWait: false)
        #expect(bell.rings == 0 && reactor.now == time)
        time += 1
        try reactor.turn()
        #expect(bell.rings == 1)
    }

    /// Durations in records and deadlines of timers are counted from it: a time from before the wait would make a request
    /// that comes after an idle minute a minute old.
    @Test func `the time a handler sees is not older than what woke the loop`() throws {
        let rounds = 100
        let here = try Reactor()
        let pongs = try Mailbox<UInt64>()
        let pings = try Mailbox<Bool>()
        let thread = try NamedThread("pong") {
            guard let there = try? Reactor() else {
                pongs.post(.max)
                return
            }
            let reader = try? MailboxReader(pings, on: there) { goesOn in
                if goesOn { pongs.post(Clock.monotonic()) } else { there.stop() }
            }
            try? there.run()
            _ = reader
        }
        var early = 0
        var seen = 0
        let reader = try MailboxReader(pongs, on: here) { sentAt in
            if here.now < sentAt { early += 1 }
            seen += 1
            pings.post(seen < rounds && sentAt != .max)
            if seen == rounds || sentAt == .max { here.stop() }
        }
        pings.post(true)
        try here.run()
        thread.join()
        #expect(seen == rounds)
        #expect(early == 0)
        _ = reader
    }
}
