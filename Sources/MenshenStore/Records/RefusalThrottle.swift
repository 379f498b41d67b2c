// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Decides which refusals of unauthenticated callers get a row: the first few of a minute. The others are counted.
struct RefusalThrottle {
    /// One row for many refusals. Its id is that of the first of them, which has no row of its own.
    struct Summary: Equatable {
        var first: RequestID
        var last: RequestID
        var count: Int64
    }

    private static let minute: UInt64 = 60_000_000
    private let rowsPerMinute: Int
    private var endsAt: UInt64 = 0
    private var rows = 0
    private var summary: Summary?

    init(rowsPerMinute: Int) { self.rowsPerMinute = rowsPerMinute }

    /// Whether this refusal gets a row. Ask for `finished` first, so that a minute that is over is told apart.
    mutating func admits(_ id: RequestID, now: UInt64) -> Bool {
        if now >= endsAt {
            endsAt = now + Self.minute
            rows = 0
        }
        if rows < rowsPerMinute {
            rows += 1
            return true
        }
        if summary == nil { summary = Summary(first: id, last: id, count: 0) }
        summary?.last = id
        summary?.count += 1
        return false
    }

    /// The summary of a minute that is over; of the current one too if `now` is nil.
    mutating func finished(now: UInt64?) -> Summary? {
        if let now, now < endsAt { return nil }
        defer { summary = nil }
        return summary
    }

    /// When there will be a summary to write; nil if nothing is counted.
    var deadline: UInt64? { summary == nil ? nil : endsAt }
}
