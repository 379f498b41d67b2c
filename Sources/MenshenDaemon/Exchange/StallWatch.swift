// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A caller that takes nothing of its answer, or sends nothing of its body, must not keep others waiting: for its place at the
/// provider, or for an answer that they share. While nobody waits it may be as slow as it likes. Times are monotonic
/// microseconds.
struct StallWatch {
    /// When the caller last took of its answer, or sent of its body, as far as somebody may wait for that.
    private var movedAt: UInt64 = 0
    private var queueTimeout: UInt64 = 20_000_000

    mutating func moved(at now: UInt64) { movedAt = now }

    /// `queueTimeout`: how long the others may wait for a place.
    mutating func begin(queueTimeout: UInt64, at now: UInt64) {
        self.queueTimeout = queueTimeout
        movedAt = now
    }

    /// How long those who wait for a place put up with it: a reader of even a few kilobytes a second moves more often, and
    /// half the time that they have must be left.
    var limit: UInt64 { min(10_000_000, queueTimeout / 2) }

    /// How often it is looked whether others wait, and how long those who share the answer do.
    var look: UInt64 { min(2_000_000, limit / 2) }

    /// Those who share the answer ask for themselves.
    func isSlow(at now: UInt64) -> Bool { now - movedAt >= look }
    /// Those who wait for the place get it.
    func isStalled(at now: UInt64) -> Bool { now - movedAt >= limit }
}
