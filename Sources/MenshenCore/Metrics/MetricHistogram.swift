// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Times, counted by how long they are, in the buckets that a scraper gets. What reports show is finer: `LatencyHistogram`.
package struct MetricHistogram: Sendable, Equatable {
    /// Microseconds, from a cache's answer to the longest generation. What is longer is in no bucket but the last, "+Inf".
    package static let bounds: [Int64] = [
        5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
        25_000_000, 60_000_000, 150_000_000, 300_000_000, 600_000_000,
    ]

    /// Of each bucket by itself; empty until there is a time.
    private(set) var counts: [Int64] = []
    private(set) var sum: Int64 = 0
    private(set) var count: Int64 = 0

    mutating func add(_ microseconds: Int64) {
        if counts.isEmpty { counts = [Int64](repeating: 0, count: Self.bounds.count) }
        sum &+= max(0, microseconds)
        count += 1
        if let bucket = Self.bounds.firstIndex(where: { microseconds <= $0 }) { counts[bucket] += 1 }
    }

    mutating func add(_ other: MetricHistogram) {
        if other.counts.isEmpty { return }
        if counts.isEmpty { return self = other }
        for bucket in counts.indices { counts[bucket] += other.counts[bucket] }
        sum &+= other.sum
        count += other.count
    }
}
