// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
package import Systemd

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

    package var logEvent: LogEvent {
        switch self {
        case .opened(let path, let applied):
            let steps = applied.isEmpty ? "" : ", schema brought up to date (\(applied.joined(separator: ", ")))"
            return event(
                .databaseOpened, "Audit database \(path) is open\(steps).", [("MENSHEN_DATABASE", path)])
        case .directoryExposed(let path, let mode):
            return event(
                .directoryExposed,
                "Other users may look into \(path) (mode 0\(String(mode, radix: 8))), where the audit database is. The "
                    + "database itself is private; run `chmod 700 \(path)` to close the directory too.",
                [("MENSHEN_DIRECTORY", path)])
        case .lostSettled(let path, let count):
            return event(
                .databaseLost,
                "\(count) request\(count == 1 ? " was" : "s were") under way when menshen last died; recorded as lost.",
                [("MENSHEN_COUNT", "\(count)"), ("MENSHEN_DATABASE", path)])
        case .intentLogUnusable(let path, let fault):
            return event(
                .intentLogUnusable,
                "The intent log \(path) can't be used: \(fault.reason). Each answer waits until the database has its record. "
                    + fault.advice,
                [("MENSHEN_PATH", path), ("MENSHEN_REASON", fault.reason)])
        case .intentLogSetAside(let path, let aside):
            return event(
                .intentLogSetAside,
                "The intent log \(path) is of a version that this menshen does not know, and is \(aside) now. What it says "
                    + "of requests that were under way when menshen last died is not in the database. The menshen that wrote "
                    + "it reads it at its start, if it has its name again by then.",
                [("MENSHEN_PATH", aside)])
        case .degraded(let path, let fault, let journal):
            let meaning =
                switch journal {
                case .persistent: "Requests go on; their records go to the journal (MENSHEN_AUDIT_DEVICE=journal)."
                case .volatile, .nowhere:
                    "Requests go on; their records go to the journal (MENSHEN_AUDIT_DEVICE=journal), which "
                        + (journal == .volatile ? "keeps them in memory only." : "keeps no files itself.")
                case .absent: "There is no journal to record to, so requests are refused with 503."
                }
            return event(
                .auditDegraded, "The audit database \(path) can't be used: \(fault.reason). \(meaning) \(fault.advice)",
                [("MENSHEN_DATABASE", path), ("MENSHEN_REASON", fault.reason)])
        case .recovered(let path, let replayed, let missing):
            let rest = missing > 0 ? " \(missing) more are in the journal, and are read back from there." : ""
            return event(
                .auditRecovered,
                "The audit database \(path) is in use again. \(replayed) requests that ended meanwhile were added to it."
                    + rest,
                [("MENSHEN_DATABASE", path)])
        case .filesTaken(let path, let rewritten):
            return event(
                .databaseTaken,
                "The audit database \(path) or its -wal file was deleted or replaced while menshen ran. \(rewritten) records of the last second are written again.",
                [("MENSHEN_DATABASE", path), ("MENSHEN_COUNT", "\(rewritten)")])
        case .clockDoubted(let days):
            return event(
                .clockDoubted,
                "Rows older than \(days) days are kept for another day: the clock is far ahead of the newest record, or has jumped.",
                [("MENSHEN_DAYS", "\(days)")])
        case .expired(let count, let days):
            return event(
                .recordsExpired, "\(count) audit rows older than \(days) days were deleted.",
                [("MENSHEN_COUNT", "\(count)"), ("MENSHEN_DAYS", "\(days)")])
        case .takenOver(let count):
            return event(
                .journalTakenOver,
                "\(count) record\(count == 1 ? "" : "s") that only the journal had \(count == 1 ? "is" : "are") in the "
                    + "database now.",
                [("MENSHEN_COUNT", "\(count)")])
        case .notReadBack(let missing, let reason):
            let meaning =
                missing > 0
                ? "\(missing) records of the time without a database can't be read back from the journal: \(reason). Those "
                    + "that menshen had in memory were written from there."
                : "What only the journal records while the database fails can't be read back from it: \(reason)."
            return event(
                .journalUnreadable,
                meaning + " A persistent journal gives each user's entries back to that user; otherwise only the group "
                    + "systemd-journal may read it.",
                [("MENSHEN_COUNT", "\(missing)"), ("MENSHEN_REASON", reason)])
        case .noDevice:
            return event(
                .auditUnavailable,
                "Neither the audit database nor the journal takes records. Requests are refused with 503 until one does. "
                    + "Look at the free space of the state directory and at systemd-journald.", [])
        }
    }

    private func event(_ kind: EventKind, _ message: String, _ fields: [(String, String)]) -> LogEvent {
        LogEvent(priority: kind.priority, messageID: kind.messageID, message: message, fields: fields)
    }
}
