// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import Reactor
import Testing

@Suite struct ReactorClockTests {
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
