// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

struct FiveHoursTests {
    private let hour: Int64 = 3600
    private let start: Int64 = 1_795_737_600

    /// Answers as a database of requests at these times does, and remembers how far back it was asked.
    private final class Requests {
        let times: [Int64]
        private(set) var asked = Int64.max

        init(_ times: [Int64]) { self.times = times }

        func rows(_ edges: [Int64]) -> [ReportRow] {
            asked = min(asked, edges[0])
            return (0..<edges.count - 1).compactMap { bucket in
                let count = times.count { edges[bucket] <= $0 && $0 < edges[bucket + 1] }
                var sums = ReportSums()
                sums.add(Int64(count), to: .requests)
                return count == 0 ? nil : ReportRow(bucket: bucket, keys: [], sums: sums)
            }
        }

        func windows(_ span: Range<Int64>, now: Int64) throws -> [String] {
            try FiveHours.windows(in: span, since: times.min() ?? now, now: now, rows: rows).map {
                "\($0.start) \($0.sums[.requests])"
            }
        }
    }

    @Test func `a window is the same wherever the time asked for begins`() throws {
        var chance = SeededGenerator(state: 7)
        for _ in 0..<20 {
            var times = [start]
            // Mostly busy, so that windows follow each other; now and then a night.
            while times.count < 300 {
                times.append(times[times.count - 1] + Int64(chance.number(0...(chance.chance(4) ? 9 : 2) * 3600)))
            }
            let now = times[times.count - 1] + 100
            let requests = Requests(times)
            let all = try requests.windows(start - hour..<now, now: now)
            #expect(all.count > 10)
            for _ in 0..<20 {
                let since = start + Int64(chance.number(0...Int(now - start - 1)))
                let some = try requests.windows(since..<now, now: now)
                #expect(some == all.filter { since < (Int64($0.split(separator: " ")[0]) ?? 0) + FiveHours.length })
                let until = since + Int64(chance.number(1...Int(now - since)))
                let part = try requests.windows(since..<until, now: now)
                #expect(part == some.filter { (Int64($0.split(separator: " ")[0]) ?? 0) < until })
            }
        }
    }

    @Test func `it looks back no further than to where nothing was asked for five hours`() throws {
        let busy = (0..<400).map { start + Int64($0) * hour }
        let quiet = busy[399] + 7 * hour
        let requests = Requests(busy + [quiet, quiet + hour])
        let now = quiet + 2 * hour
        #expect(try requests.windows(quiet + hour..<now, now: now) == ["\(quiet) 2"])
        #expect(requests.asked > now - 3 * 86_400)
        // Without such a gap it is the first request that counts.
        let all = Requests(busy)
        #expect(try all.windows(busy[398]..<busy[399], now: busy[399] + 1) == ["\(start + 395 * hour) 5"])
        #expect(all.asked <= start)
    }

    @Test func `nothing asked is no window`() throws {
        #expect(try Requests([]).windows(start..<start + hour, now: start + hour).isEmpty)
        #expect(try Requests([start]).windows(start + 5 * hour..<start + 6 * hour, now: start + 6 * hour).isEmpty)
        #expect(
            try Requests([start + 90]).windows(start + 4 * hour..<start + 6 * hour, now: start + 6 * hour).count == 1)
    }
}
