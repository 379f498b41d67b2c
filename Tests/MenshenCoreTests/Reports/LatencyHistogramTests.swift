// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

struct LatencyHistogramTests {
    @Test func `a bucket stands for its times within 3.2 percent`() {
        var time: Int64 = 0
        while time < 1 << 36 {
            let value = LatencyHistogram.value(of: LatencyHistogram.bucket(of: time))
            #expect(abs(value - time) * 1000 <= time * 32, "\(time) is counted as \(value)")
            time += max(1, time / 50)
        }
    }

    @Test func `later times are in later buckets`() {
        var last = -1
        for bit in 0..<40 {
            for time in [Int64(1) << bit, Int64(1) << bit + Int64(1) << bit / 2] {
                let bucket = LatencyHistogram.bucket(of: time)
                #expect(bucket >= last && bucket < LatencyHistogram.bucketCount)
                last = bucket
            }
        }
    }

    @Test func `half of the times do not exceed the median`() throws {
        var histogram = LatencyHistogram()
        #expect(histogram.percentile(0.5) == nil)
        for time in 1...1000 { histogram.add(bucket: LatencyHistogram.bucket(of: Int64(time) * 1000)) }
        let median = try #require(histogram.percentile(0.5))
        #expect(abs(median - 500_000) < 16_000)
        let late = try #require(histogram.percentile(0.99))
        #expect(abs(late - 990_000) < 32_000)
    }
}
