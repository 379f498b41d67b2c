// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import MenshenCore
internal import Synchronization

/// One call of `ResponseCache`.
package enum CacheWork: Sendable {
    case lookup(CacheKey, now: UInt64, maxAge: UInt64, @Sendable (CacheLookup) -> Void)
    case store(CacheKey, CachedAnswer, maxAge: UInt64)
    case remove(CacheKey)
    case clear

    var bytes: Int { if case .store(_, let answer, _) = self { answer.body.count } else { 0 } }
}

/// The way from any thread to the cache's: one array under a lock, in order, with a limit.
final class CacheQueue: Sendable {
    enum Content { case work, nothing, closed }

    private struct State {
        var work: [CacheWork] = []
        /// Of bodies in `work`.
        var bytes = 0
        var isAsleep = false
        var isClosed = false
        var statistics = CacheStatistics()
    }

    private let state = Mutex(State())
    private let limit: Int
    private let byteLimit: Int
    private let signal = ThreadSignal()

    init(limit: Int, byteLimit: Int) {
        self.limit = limit
        self.byteLimit = byteLimit
    }

    /// False when it is full, or after `close`.
    func submit(_ work: CacheWork) -> Bool {
        let (isTaken, mustWake) = state.withLock { state -> (Bool, Bool) in
            guard !state.isClosed, state.work.count < limit, state.bytes + work.bytes <= byteLimit else {
                return (false, false)
            }
            state.work.append(work)
            state.bytes += work.bytes
            defer { state.isAsleep = false }
            return (true, state.isAsleep)
        }
        if mustWake { signal.post() }
        return isTaken
    }

    func close() {
        state.withLock { $0.isClosed = true }
        signal.post()
    }

    /// Makes the cache's thread look at the time again.
    func wake() { signal.post() }

    var statistics: CacheStatistics { state.withLock { $0.statistics } }

    // MARK: The cache's thread

    /// Exchanges what is queued with the empty array of `batch`, whose memory is used again.
    func take(_ batch: inout [CacheWork], _ statistics: CacheStatistics) -> Content {
        state.withLock { state in
            state.statistics = statistics
            if state.work.isEmpty { return state.isClosed ? .closed : .nothing }
            swap(&batch, &state.work)
            state.bytes = 0
            return .work
        }
    }

    /// Sleeps until something is queued, the queue is closed, or `timeout` microseconds have passed. May return early.
    func sleep(_ timeout: UInt64?) {
        let maySleep = state.withLock { state -> Bool in
            state.isAsleep = state.work.isEmpty && !state.isClosed
            return state.isAsleep
        }
        guard maySleep else { return }
        signal.wait(timeout)
        // After a timeout or a signal nobody has cleared it.
        state.withLock { $0.isAsleep = false }
    }
}
