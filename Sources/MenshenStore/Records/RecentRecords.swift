// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What was written since the database's file was last seen in its place. If it turns out to have been taken away, these may
/// have gone with it, and are written once more.
struct RecentRecords {
    /// A second's worth under more load than one machine has.
    private static let limit = 20_000

    private var ends: [AuditSettlement] = []

    mutating func note(_ end: AuditSettlement) {
        if ends.count < Self.limit { ends.append(end) }
    }

    /// The file is in its place, and so is what was written to it.
    mutating func areSafe() { ends.removeAll(keepingCapacity: true) }

    mutating func take() -> [AuditSettlement] {
        defer { ends = [] }
        return ends
    }
}
