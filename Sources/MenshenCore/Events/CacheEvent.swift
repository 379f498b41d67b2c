// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What the cache has to say to the operator.
package enum CacheEvent: Sendable, Equatable {
    case opened(path: String, entries: Int)
    case directoryExposed(path: String, mode: UInt32)
    case unavailable(path: String, reason: String)
    case renewed(path: String, reason: String)

    package var event: Event {
        switch self {
        case .opened(let path, let entries):
            Event(
                .cacheOpened, "Answer cache \(path) is open with \(entries) answer\(entries == 1 ? "" : "s").",
                path, "\(entries)")
        case .directoryExposed(let path, let mode):
            Event(
                .directoryExposed,
                "Other users may look into \(path) (mode 0\(String(mode, radix: 8))), where the answer cache is. The file "
                    + "itself is private; run `chmod 700 \(path)` to close the directory too.",
                path)
        case .unavailable(let path, let reason):
            Event(
                .cacheUnavailable,
                "The answer cache \(path) can't be used: \(reason). Requests go on without it.",
                path, reason)
        case .renewed(let path, let reason):
            Event(
                .cacheRenewed, "The answer cache \(path) was unusable (\(reason)) and is replaced by an empty one.",
                path, reason)
        }
    }
}

extension EventKind {
    static let cache: [EventKind] = [
        .cacheOpened, .cacheUnavailable, .cacheRenewed,
    ]

    package static let cacheOpened = EventKind(
        "5950c8e6f55404797791952c71383641", priority: 6, ["MENSHEN_CACHE", "MENSHEN_COUNT"])

    /// The cache's database can't be used: requests go on without it.
    package static let cacheUnavailable = EventKind(
        "6cf35598073d96529c74df2aae93acd9", priority: 4, ["MENSHEN_CACHE", "MENSHEN_REASON"])

    /// The cache's database was damaged and made anew.
    package static let cacheRenewed = EventKind(
        "e838b23458e04d837aa9bba2dfe963fc", priority: 5, ["MENSHEN_CACHE", "MENSHEN_REASON"])
}
