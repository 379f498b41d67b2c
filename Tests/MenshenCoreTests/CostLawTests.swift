// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Testing

/// No input within the limits holds the loop for more than 5 ms: whatever reads bytes from outside costs at most in proportion
/// to them, and a turn brings few. The second is measured in optimised builds only.
@Suite(.serialized) struct CostLawTests {
    /// CPU time of this thread for one run: what else the machine does counts little.
    private static func cost(_ sample: CostCase, _ input: [UInt8]) -> Double {
        var (begin, end) = (timespec(), timespec())
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin)
        sample.run(input)
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end)
        return Double(end.tv_sec - begin.tv_sec) * 1e3 + Double(end.tv_nsec - begin.tv_nsec) / 1e6
    }

    private static func least(_ runs: Int, _ sample: CostCase, _ input: [UInt8]) -> Double {
        (0..<runs).map { _ in cost(sample, input) }.min() ?? 0
    }

    @Test func `a cost that grows with the square would be seen`() {
        let square = CostCase("square", most: 0, { [UInt8](repeating: 1, count: $0) }) { bytes in
            var sum = 0
            for start in stride(from: 0, to: bytes.count, by: 512) { for byte in bytes[start...] { sum &+= Int(byte) } }
            if sum == 0 { print(sum) }
        }
        #expect(Self.ratio(square) > 8)
    }

    @Test(arguments: costCases) func `four times the input costs about four times as much`(_ sample: CostCase) {
        let ratio = Self.ratio(sample)
        #expect(ratio < 8, "\(sample.name)")
    }

    /// The square of four is sixteen. A measurement that was disturbed is made again.
    private static func ratio(_ sample: CostCase) -> Double {
        let (small, large) = (sample.input(4 << 10), sample.input(16 << 10))
        var ratio = 0.0
        for runs in [2, 4, 8, 16] {
            ratio = least(runs, sample, large) / max(least(runs, sample, small), 0.005)
            if ratio < 8 { break }
        }
        return ratio
    }

    #if !DEBUG
        @Test(arguments: costCases) func `as much as may come at once takes less than 5 ms`(_ sample: CostCase) {
            let input = sample.input(sample.most)
            var least = 0.0
            for runs in [2, 8, 32] {
                least = Self.least(runs, sample, input)
                if least < 5 { break }
            }
            #expect(least < 5, "\(sample.name): \(least) ms")
        }
    #endif
}
