// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// By when a stream has to have come to its first event with content.
struct ContentLimit {
    /// Monotonic microseconds; nil: there is no limit, or it is not known yet that this is a stream.
    private(set) var end: UInt64?

    /// A stream is asked for, or begins.
    mutating func begin(_ limit: Duration?, now: UInt64) {
        guard end == nil, let limit else { return }
        end = now + limit.microseconds
    }

    func isOver(_ now: UInt64) -> Bool { end.map { $0 <= now } ?? false }

    /// The first of both.
    func before(_ other: UInt64?) -> UInt64? {
        guard let end else { return other }
        return min(end, other ?? .max)
    }
}
