// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What the database does not have yet, while it can't be written.
struct Unwritten {
    private static let endLimit = 10_000
    /// One a minute: an hour without any device.
    private static let summaryLimit = 60

    /// Noted intents that no device has taken; their slots in the intent log stay theirs.
    private(set) var intents: [AuditIntent] = []
    /// Ends that the database has missed, without bodies. The journal has them, if there is one.
    private(set) var ends: [AuditSettlement] = []
    /// Ends for which there was no room.
    private var dropped: Int64 = 0
    /// Summary rows that no device has taken.
    private(set) var summaries: [RefusalThrottle.Summary] = []

    /// Requests are missing in the database.
    var hasRequests: Bool { !ends.isEmpty || !intents.isEmpty }

    mutating func keep(_ intent: AuditIntent) { intents.append(intent) }

    mutating func keep(_ end: AuditSettlement) {
        guard ends.count < Self.endLimit else {
            dropped += 1
            return
        }
        ends.append(end)
        ends[ends.count - 1].requestBody = nil
        ends[ends.count - 1].responseBody = nil
    }

    mutating func keep(_ summary: RefusalThrottle.Summary) { summaries.append(summary) }

    /// Lets go what the journal takes as the only record. Ends are kept for the database as well.
    mutating func record(in journal: inout RequestJournal) {
        summaries.removeAll { journal.record($0) }
        if summaries.count > Self.summaryLimit { summaries.removeFirst(summaries.count - Self.summaryLimit) }
        intents.removeAll { journal.record($0) }
    }

    /// The database has it all, but for what was dropped.
    mutating func areWritten() {
        summaries.removeAll()
        intents.removeAll()
        ends.removeAll()
    }

    /// How many were dropped since the last call.
    mutating func takeDropped() -> Int64 {
        defer { dropped = 0 }
        return dropped
    }
}
