// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Times in microseconds, counted in buckets that are a sixteenth of an octave wide at most, so that a percentile is right
/// within 3.2 %. Up to 16 microseconds a bucket is one microsecond.
package struct LatencyHistogram: Sendable, Equatable {
    private static let subBits = 4
    /// 2^36 microseconds are 19 hours; what is longer is counted as that.
    package static let bucketCount = (36 - subBits + 1) << subBits

    private var counts: [Int64] = []
    package private(set) var total: Int64 = 0

    package init() {}

    package static func bucket(of microseconds: Int64) -> Int {
        guard microseconds >= 1 << subBits else { return Int(max(0, microseconds)) }
        let shift = 63 - microseconds.leadingZeroBitCount - subBits
        return min(((shift + 1) << subBits) + Int(microseconds >> shift) - (1 << subBits), bucketCount - 1)
    }

    /// The middle of a bucket.
    package static func value(of bucket: Int) -> Int64 {
        guard bucket >= 2 << subBits else { return Int64(bucket) }
        let shift = (bucket >> subBits) - 1
        let low = Int64((bucket & (1 << subBits - 1)) + 1 << subBits) << shift
        return low + (1 << shift) / 2
    }

    package mutating func add(bucket: Int, _ count: Int64 = 1) {
        if counts.isEmpty { counts = [Int64](repeating: 0, count: Self.bucketCount) }
        counts[bucket] += count
        total += count
    }

    package mutating func add(_ other: LatencyHistogram) {
        if other.counts.isEmpty { return }
        for bucket in other.counts.indices where other.counts[bucket] > 0 { add(bucket: bucket, other.counts[bucket]) }
    }

    /// Microseconds that `share` (0…1) of the times do not exceed; nil without any.
    package func percentile(_ share: Double) -> Int64? {
        guard total > 0 else { return nil }
        var rest = max(1, Int64((share * Double(total)).rounded(.up)))
        for bucket in counts.indices {
            rest -= counts[bucket]
            if rest <= 0 { return Self.value(of: bucket) }
        }
        return nil
    }
}
