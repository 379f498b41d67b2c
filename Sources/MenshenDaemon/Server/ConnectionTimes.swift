// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// When a connection has to have what it waits for, in monotonic microseconds.
struct ConnectionTimes {
    /// When it began to wait for a request.
    var waitingSince: UInt64
    /// A part of a head has come, and the timer runs for the rest.
    var isHeadDue = false
    /// When the body has to be there; time in which it was not read does not count.
    private var bodyDeadline: UInt64 = 0
    private var pausedAt: UInt64 = 0

    init(waitingSince: UInt64) { self.waitingSince = waitingSince }

    mutating func bodyBegins(until deadline: UInt64) { bodyDeadline = deadline }

    mutating func pause(at now: UInt64) { pausedAt = now }

    mutating func resume(at now: UInt64) { bodyDeadline += now - pausedAt }

    func isBodyLate(at now: UInt64) -> Bool { now >= bodyDeadline }

    /// How long the next piece of the body may take.
    func bodyWait(at now: UInt64, _ idleTimeout: UInt64) -> UInt64 {
        min(idleTimeout, bodyDeadline > now ? bodyDeadline - now : 0)
    }
}
