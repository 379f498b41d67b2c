// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What was written since the database's file was last seen in its place. If it turns out to have been taken away, these may
/// have gone with it, and are written once more.
struct RecentRecords {
    /// A second's worth under more load than one machine has.
    private static let limit = 20_000

    private var ends: [AuditSettlement] = []

    var isEmpty: Bool { ends.isEmpty }

    /// Without bodies, which may be large; what is written once more has none.
    mutating func note(_ end: AuditSettlement) {
        guard ends.count < Self.limit else { return }
        ends.append(end)
        ends[ends.count - 1].requestBody = nil
        ends[ends.count - 1].responseBody = nil
    }

    /// The file is in its place, and so is what was written to it.
    mutating func areSafe() { ends.removeAll(keepingCapacity: true) }

    /// Nothing is written for now.
    mutating func giveBack() { ends = [] }

    mutating func take() -> [AuditSettlement] {
        defer { ends = [] }
        return ends
    }
}
