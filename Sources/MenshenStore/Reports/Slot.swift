// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Half an hour, the unit of roll-ups: days of all zones but three begin and end with one. Counted from 1970.
enum Slot {
    static let seconds: Int64 = 1800
    /// Of an id, in SQL.
    static let ofID = "(id >> \(RequestID.sequenceBits)) / \(seconds * 1_000_000)"

    /// Of the last second that an id can have.
    static let lastID = Int64.max - Int64.max % (1 << RequestID.sequenceBits)

    static func of(_ id: Int64) -> Int64 { at(RequestID(rawValue: id).microseconds / 1_000_000) }
    static func at(_ second: Int64) -> Int64 { second / seconds }
    /// The first id that a request which begins at that second may have.
    static func firstID(_ second: Int64) -> Int64 { RequestID(microseconds: max(0, second) * 1_000_000).rawValue }
}
