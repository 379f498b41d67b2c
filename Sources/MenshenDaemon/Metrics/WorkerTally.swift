// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import Synchronization

/// What one worker has counted. Its lock is the worker's own: only a scrape ever asks for it besides.
final class WorkerTally: Sendable {
    private let tally = Mutex(RequestTally())
    private let requests = Atomic<Int>(0)
    private let streams = Atomic<Int>(0)

    var value: RequestTally { tally.withLock { $0 } }
    var totals: RequestTally.Totals { tally.withLock { $0.totals } }
    /// Under way.
    var openRequests: Int { requests.load(ordering: .relaxed) }
    var openStreams: Int { streams.load(ordering: .relaxed) }

    func count(
        _ settlement: AuditSettlement, _ times: RequestTimes, isKnown: Bool, model: RequestTally.Naming,
        caller: RequestTally.Naming
    ) {
        tally.withLock { $0.count(settlement, times, isKnown: isKnown, model: model, caller: caller) }
    }

    func opened() { requests.add(1, ordering: .relaxed) }
    func streamOpened() { streams.add(1, ordering: .relaxed) }

    func closed(isStream: Bool) {
        requests.subtract(1, ordering: .relaxed)
        if isStream { streams.subtract(1, ordering: .relaxed) }
    }
}
