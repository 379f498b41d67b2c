// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Why the database can't be used: what is wrong, and what to do about it.
package struct StoreFault: Error, Sendable, Equatable {
    package let reason: String
    package let advice: String
    /// Its content is not what SQLite has written.
    package var isDamage = false

    package init(reason: String, advice: String) {
        self.reason = reason
        self.advice = advice
    }
}

/// What the store has to say to the operator.
package enum StoreEvent: Sendable, Equatable {
    case opened(path: String, applied: [String])
    case directoryExposed(path: String, mode: UInt32)
    case lostSettled(path: String, count: Int)
    /// Nothing is lost by that: each answer waits for the database instead.
    case intentLogUnusable(path: String, fault: StoreFault)
    /// It is of a version that is not known here: a newer menshen's, or none's.
    case intentLogSetAside(path: String, aside: String)
    case degraded(path: String, fault: StoreFault, journal: JournalKeeping)
    case recovered(path: String, replayed: Int, missing: Int64)
    /// The database's file or its log was deleted or replaced; `rewritten` records go into the next one.
    case filesTaken(path: String, rewritten: Int)
    /// Rows are older than they should be by a clock that is not believed yet.
    case clockDoubted(days: Int)
    case expired(count: Int, days: Int)
    /// Rows made of what only the journal had.
    case takenOver(count: Int)
    /// Records that only the journal should have, and did not give back. None may be missing: then it is a warning.
    case notReadBack(missing: Int, reason: String)
    /// Neither device takes records; said once until one does again.
    case noDevice

    package var event: Event {
        switch self {
        case .opened(let path, let applied):
            let steps = applied.isEmpty ? "" : ", schema brought up to date (\(applied.joined(separator: ", ")))"
            return Event(
                .databaseOpened, "Audit database \(path) is open\(steps).", path)
        case .directoryExposed(let path, let mode):
            return Self.directoryExposed(path, mode)
        case .lostSettled(let path, let count):
            return Event(
                .databaseLost,
                "\(count) request\(count == 1 ? " was" : "s were") under way when menshen last died; recorded as lost.",
                "\(count)", path)
        case .intentLogUnusable(let path, let fault):
            return Event(
                .intentLogUnusable,
                "The intent log \(path) can't be used: \(fault.reason). Each answer waits until the database has its record. "
                    + fault.advice,
                path, fault.reason)
        case .intentLogSetAside(let path, let aside):
            return Self.intentLogSetAside(path, aside)
        case .degraded(let path, let fault, let journal):
            return Self.degraded(path, fault, journal)
        case .recovered(let path, let replayed, let missing):
            return Self.recovered(path, replayed, missing)
        case .filesTaken(let path, let rewritten):
            return Event(
                .databaseTaken,
                "The audit database \(path) or its -wal file was deleted or replaced while menshen ran. \(rewritten) records of the last second are written again.",
                path, "\(rewritten)")
        case .clockDoubted(let days):
            return Event(
                .clockDoubted,
                "Rows older than \(days) days are kept for another day: the clock is far ahead of the newest record, or has jumped.",
                "\(days)")
        case .expired(let count, let days):
            return Event(
                .recordsExpired, "\(count) audit rows older than \(days) days were deleted.",
                "\(count)", "\(days)")
        case .takenOver(let count):
            return Event(
                .journalTakenOver,
                "\(count) record\(count == 1 ? "" : "s") that only the journal had \(count == 1 ? "is" : "are") in the "
                    + "database now.",
                "\(count)")
        case .notReadBack(let missing, let reason):
            return Self.notReadBack(missing, reason)
        case .noDevice:
            return Event(
                .auditUnavailable,
                "Neither the audit database nor the journal takes records. Requests are refused with 503 until one does. "
                    + "Look at the free space of the state directory and at systemd-journald.")
        }
    }

    private static func directoryExposed(_ path: String, _ mode: UInt32) -> Event {
        return Event(
            .directoryExposed,
            "Other users may look into \(path) (mode 0\(String(mode, radix: 8))), where the audit database is. The "
                + "database itself is private; run `chmod 700 \(path)` to close the directory too.",
            path)
    }

    private static func intentLogSetAside(_ path: String, _ aside: String) -> Event {
        return Event(
            .intentLogSetAside,
            "The intent log \(path) is of a version that this menshen does not know, and is \(aside) now. What it says "
                + "of requests that were under way when menshen last died is not in the database. The menshen that wrote "
                + "it reads it at its start, if it has its name again by then.",
            aside)
    }

    private static func degraded(_ path: String, _ fault: StoreFault, _ journal: JournalKeeping) -> Event {
        let meaning =
            switch journal {
            case .persistent: "Requests go on; their records go to the journal (MENSHEN_AUDIT_DEVICE=journal)."
            case .volatile, .nowhere:
                "Requests go on; their records go to the journal (MENSHEN_AUDIT_DEVICE=journal), which "
                    + (journal == .volatile ? "keeps them in memory only." : "keeps no files itself.")
            case .absent: "There is no journal to record to, so requests are refused with 503."
            }
        return Event(
            .auditDegraded, "The audit database \(path) can't be used: \(fault.reason). \(meaning) \(fault.advice)",
            path, fault.reason)
    }

    private static func recovered(_ path: String, _ replayed: Int, _ missing: Int64) -> Event {
        let rest = missing > 0 ? " \(missing) more are in the journal, and are read back from there." : ""
        return Event(
            .auditRecovered,
            "The audit database \(path) is in use again. \(replayed) requests that ended meanwhile were added to it."
                + rest,
            path)
    }

    private static func notReadBack(_ missing: Int, _ reason: String) -> Event {
        let meaning =
            missing > 0
            ? "\(missing) records of the time without a database can't be read back from the journal: \(reason). Those "
                + "that menshen had in memory were written from there."
            : "What only the journal records while the database fails can't be read back from it: \(reason)."
        return Event(
            .journalUnreadable,
            meaning + " A persistent journal gives each user's entries back to that user; otherwise only the group "
                + "systemd-journal may read it.",
            "\(missing)", reason)
    }
}

extension EventKind {
    static let store: [EventKind] = [
        .databaseOpened, .directoryExposed, .databaseLost, .intentLogUnusable, .intentLogSetAside, .auditDegraded,
        .auditRecovered,
        .databaseTaken, .clockDoubted, .recordsExpired, .journalTakenOver, .journalUnreadable, .auditUnavailable,
    ]

    package static let databaseOpened = EventKind(
        "f3811e3127964621a166b343705dd2e8", priority: 6, ["MENSHEN_DATABASE"])

    package static let directoryExposed = EventKind(
        "a9435c9688f84263be4a7a946e98ce5b", priority: 4, ["MENSHEN_DIRECTORY"])

    /// Rows of requests that were under way when an earlier process died are settled as "lost".
    package static let databaseLost = EventKind(
        "085c77fd7130402ab490675b72307d5e", priority: 4, ["MENSHEN_COUNT", "MENSHEN_DATABASE"])

    /// Answers wait for the database again; nothing is lost by that.
    package static let intentLogUnusable = EventKind(
        "04769cf9d2d24915b55600329e99e1af", priority: 4, ["MENSHEN_PATH", "MENSHEN_REASON"])

    /// A file of an unknown version in the intent log's place was given another name.
    package static let intentLogSetAside = EventKind(
        "62756450bde5418a98c02d76690794cc", priority: 4, ["MENSHEN_PATH"])

    /// The database takes no records; the journal keeps them all.
    package static let auditDegraded = EventKind(
        "df8ca8af06c3406ea807ae4e2436df9d", priority: 3, ["MENSHEN_DATABASE", "MENSHEN_REASON"])

    package static let auditRecovered = EventKind(
        "2a023ced0f82440e9a3e3ab13e6cb727", priority: 5, ["MENSHEN_DATABASE"])

    /// The database's file or its log was deleted or replaced under us.
    package static let databaseTaken = EventKind(
        "d59a5589c8c044d5aefe330101bb887c", priority: 4, ["MENSHEN_DATABASE", "MENSHEN_COUNT"])

    /// Old rows are kept, because the clock is ahead of the newest record or has jumped.
    package static let clockDoubted = EventKind(
        "2052ce4ed04c441b94d00c9f0f955a5f", priority: 4, ["MENSHEN_DAYS"])

    /// Old rows were deleted.
    package static let recordsExpired = EventKind(
        "adbc0d8eb3d542daa4a55a5352ec8773", priority: 6, ["MENSHEN_COUNT", "MENSHEN_DAYS"])

    /// Rows were made of what only the journal had.
    package static let journalTakenOver = EventKind(
        "11d5d8f2da9f4ac98d10303d9d6735f8", priority: 5, ["MENSHEN_COUNT"])

    /// The journal does not give back what only it has.
    package static let journalUnreadable = EventKind(
        "e151915d40b940b1a81a94a086abf1d4", priority: 5, ["MENSHEN_COUNT", "MENSHEN_REASON"])

    /// Neither the database nor the journal takes records: requests are refused.
    package static let auditUnavailable = EventKind(
        "72b126eed3bb488fae27f45240bfd3ae", priority: 2, [])
}
