// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What is measured of a request for metrics alone. Times are the worker's, in monotonic microseconds.
struct Pulse {
    private enum Standing { case unseen, open, streaming, ended }

    private var standing = Standing.unseen
    private var hasSettled = false
    /// 0: none has come.
    private var lastPiece: UInt64 = 0
    private var longestGap: UInt64 = 0
    /// 0: it does not wait for a place.
    private var queuedAt: UInt64 = 0
    private var waited: UInt64 = 0

    // MARK: Under way

    /// A request for a provider, and no page of menshen's own.
    mutating func begin(_ tally: WorkerTally) {
        standing = .open
        tally.opened()
    }

    /// Its answer is passed on as a stream.
    mutating func streams(_ tally: WorkerTally) {
        guard standing == .open else { return }
        standing = .streaming
        tally.streamOpened()
    }

    mutating func end(_ tally: WorkerTally) {
        switch standing {
        case .unseen, .ended: break
        case .open: tally.closed(isStream: false)
        case .streaming: tally.closed(isStream: true)
        }
        standing = .ended
    }

    // MARK: Times

    /// A piece of the answer has come.
    mutating func piece(at now: UInt64) {
        if lastPiece != 0, now - lastPiece > longestGap { longestGap = now - lastPiece }
        lastPiece = now
    }

    mutating func queues(at now: UInt64) { queuedAt = now }

    mutating func leavesQueue(at now: UInt64) {
        guard queuedAt != 0 else { return }
        // Even one that went on at once has been in the queue.
        waited += max(1, now - queuedAt)
        queuedAt = 0
    }

    /// True for the first end of a request: one that could not be recorded has another.
    mutating func settle() -> Bool {
        defer { hasSettled = true }
        return !hasSettled
    }

    func times(isStream: Bool) -> RequestTimes {
        var times = RequestTimes()
        if isStream, lastPiece != 0 { times.longestGap = Int64(longestGap) }
        if waited > 0 { times.queueWait = Int64(waited) }
        return times
    }
}
