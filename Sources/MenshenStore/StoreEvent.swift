// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Systemd

/// Why the database can't be used: what is wrong, and what to do about it.
package struct StoreFault: Error, Sendable, Equatable {
    package let reason: String
    package let advice: String
}

/// What the store has to say to the operator.
package enum StoreEvent: Sendable, Equatable {
    case opened(path: String, applied: [String])
    case directoryExposed(path: String, mode: UInt32)
    case lostSettled(count: Int)
    case degraded(path: String, fault: StoreFault, hasJournal: Bool)
    case recovered(path: String, replayed: Int, missing: Int64)
    case expired(count: Int, days: Int)
    /// Neither device takes records; said once until one does again.
    case noDevice

    package var logEvent: LogEvent {
        switch self {
        case .opened(let path, let applied):
            let steps = applied.isEmpty ? "" : ", schema brought up to date (\(applied.joined(separator: ", ")))"
            return LogEvent(
                priority: 6, messageID: "f3811e3127964621a166b343705dd2e8",
                message: "Audit database \(path) is open\(steps).")
        case .directoryExposed(let path, let mode):
            return LogEvent(
                priority: 4, messageID: "a9435c9688f84263be4a7a946e98ce5b",
                message:
                    "Other users may look into \(path) (mode 0\(String(mode, radix: 8))), where the audit database "
                    + "is. The database itself is private; run `chmod 700 \(path)` to close the directory too.")
        case .lostSettled(let count):
            return LogEvent(
                priority: 4, messageID: "b1767c0c52b2425cb60b3ebaac8cd194",
                message: "\(count) request\(count == 1 ? " was" : "s were") under way when menshen last died; "
                    + "recorded as lost.")
        case .degraded(let path, let fault, let hasJournal):
            let meaning =
                hasJournal
                ? "Requests go on; their records go to the journal (MENSHEN_AUDIT_DEVICE=journal)."
                : "There is no journal to record to, so requests are refused with 503."
            return LogEvent(
                priority: 3, messageID: "4b6fa20e0e954bd481e3347c414b09eb",
                message: "The audit database \(path) can't be used: \(fault.reason). \(meaning) \(fault.advice)")
        case .recovered(let path, let replayed, let missing):
            let rest = missing > 0 ? " \(missing) more are in the journal only." : ""
            return LogEvent(
                priority: 5, messageID: "38ff7e4fd6344bcbb676a0ea26ca8c59",
                message: "The audit database \(path) is in use again. \(replayed) requests that ended meanwhile "
                    + "were added to it.\(rest)")
        case .expired(let count, let days):
            return LogEvent(
                priority: 6, messageID: "adbc0d8eb3d542daa4a55a5352ec8773",
                message: "\(count) audit rows older than \(days) days were deleted.")
        case .noDevice:
            return LogEvent(
                priority: 2, messageID: "72b126eed3bb488fae27f45240bfd3ae",
                message:
                    "Neither the audit database nor the journal takes records. Requests are refused with 503 until "
                    + "one does. Look at the free space of the state directory and at systemd-journald.")
        }
    }
}
