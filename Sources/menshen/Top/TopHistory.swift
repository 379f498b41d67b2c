// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What successive looks say of rates.
struct TopHistory {
    /// Requests are counted over so long, tokens over the shorter time. Microseconds.
    private static let span: UInt64 = 60_000_000
    private static let tokenSpan: UInt64 = 10_000_000

    private struct Count {
        let time: UInt64
        let ended: Int64
        let failed: Int64
    }

    private struct Tokens {
        let time: UInt64
        let count: Int64
    }

    private var pid: Int64 = 0
    private var counts: [Count] = []
    /// Of each request under way.
    private var tokens: [String: [Tokens]] = [:]

    /// `now`: monotonic microseconds.
    mutating func add(_ look: TopLook, now: UInt64) {
        // Another process counts anew.
        if look.pid != pid { self = TopHistory() }
        pid = look.pid
        counts.append(Count(time: now, ended: look.ended, failed: look.failed))
        // The last one before the span stays: the count is over all of it.
        while counts.count > 1, now - counts[1].time >= Self.span { counts.removeFirst() }
        var seen: [String: [Tokens]] = [:]
        for request in look.requests {
            guard let count = request.outputTokens else { continue }
            var list = tokens[request.id] ?? []
            list.append(Tokens(time: now, count: count))
            while list.count > 1, now - list[1].time >= Self.tokenSpan { list.removeFirst() }
            seen[request.id] = list
        }
        tokens = seen
    }

    /// Of the last minute, or of the time since the first look. nil: there was only one.
    struct Recent: Equatable {
        let requests: Int64
        let failed: Int64
        /// Tenths of a request in a second.
        let tenths: Int64
        /// Seconds.
        let span: Int64
    }

    var recent: Recent? {
        guard let first = counts.first, let last = counts.last, last.time > first.time else { return nil }
        let requests = max(0, last.ended - first.ended)
        let span = Int64(last.time - first.time)
        return Recent(
            requests: requests, failed: max(0, last.failed - first.failed),
            tenths: (requests * 10_000_000 + span / 2) / span, span: (span + 500_000) / 1_000_000)
    }

    /// Tenths of a token in a second: of the last seconds, or else since the answer began. nil: not known.
    func tokenTenths(_ request: TopLook.Request) -> Int64? {
        guard let count = request.outputTokens, count > 0 else { return nil }
        if let list = tokens[request.id], let first = list.first, let last = list.last,
            last.time >= first.time + 1_000_000
        {
            return max(0, last.count - first.count) * 10_000_000 / Int64(last.time - first.time)
        }
        guard let firstByte = request.firstByte, request.age > firstByte + 100_000 else { return nil }
        return count * 10_000_000 / (request.age - firstByte)
    }
}
