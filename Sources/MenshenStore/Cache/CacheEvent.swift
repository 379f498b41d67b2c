// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
package import Systemd

/// What the cache has to say to the operator.
package enum CacheEvent: Sendable, Equatable {
    case opened(path: String, entries: Int)
    case directoryExposed(path: String, mode: UInt32)
    case unavailable(path: String, reason: String)
    case renewed(path: String, reason: String)

    package var logEvent: LogEvent {
        switch self {
        case .opened(let path, let entries):
            event(
                .cacheOpened, "Answer cache \(path) is open with \(entries) answer\(entries == 1 ? "" : "s").",
                [("MENSHEN_CACHE", path), ("MENSHEN_COUNT", "\(entries)")])
        case .directoryExposed(let path, let mode):
            event(
                .directoryExposed,
                "Other users may look into \(path) (mode 0\(String(mode, radix: 8))), where the answer cache is. The file "
                    + "itself is private; run `chmod 700 \(path)` to close the directory too.",
                [("MENSHEN_DIRECTORY", path)])
        case .unavailable(let path, let reason):
            event(
                .cacheUnavailable,
                "The answer cache \(path) can't be used: \(reason). Requests go on without it.",
                [("MENSHEN_CACHE", path), ("MENSHEN_REASON", reason)])
        case .renewed(let path, let reason):
            event(
                .cacheRenewed, "The answer cache \(path) was unusable (\(reason)) and is replaced by an empty one.",
                [("MENSHEN_CACHE", path), ("MENSHEN_REASON", reason)])
        }
    }

    private func event(_ kind: EventKind, _ message: String, _ fields: [(String, String)]) -> LogEvent {
        LogEvent(priority: kind.priority, messageID: kind.messageID, message: message, fields: fields)
    }
}
