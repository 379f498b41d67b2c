// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore

/// One call of `ResponseCache`.
package enum CacheWork: Sendable {
    case lookup(CacheKey, now: UInt64, maxAge: UInt64, @Sendable (CacheLookup) -> Void)
    case store(CacheKey, CachedAnswer, maxAge: UInt64)
    case remove(CacheKey)
    case clear(@Sendable (Result<Int, StoreFault>) -> Void)

    var bytes: Int { if case .store(_, let answer, _) = self { answer.body.count } else { 0 } }
}

/// The way from any thread to the cache's.
typealias CacheQueue = WorkQueue<CacheCalls, CacheStatistics>

/// What waits for the cache's thread, in order, with a limit.
struct CacheCalls: Backlog {
    private var work: [CacheWork] = []
    /// Of bodies in `work`.
    private var bytes = 0
    private let limit: Int
    private let byteLimit: Int

    init(limit: Int, byteLimit: Int) {
        self.limit = limit
        self.byteLimit = byteLimit
    }

    var urgency: WorkUrgency { work.isEmpty ? .nothing : .urgent }

    /// False when it is full.
    mutating func add(_ call: CacheWork) -> Bool {
        guard work.count < limit, bytes + call.bytes <= byteLimit else { return false }
        work.append(call)
        bytes += call.bytes
        return true
    }

    /// Exchanges arrays with `batch`, which is empty; false if there is nothing.
    mutating func exchange(_ batch: inout [CacheWork]) -> Bool {
        if work.isEmpty { return false }
        swap(&batch, &work)
        bytes = 0
        return true
    }
}
