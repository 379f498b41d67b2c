// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct AuditRequestIDTests {
    /// 2026-01-01, in microseconds.
    private let start: UInt64 = 1_767_225_600_000_000

    @Test func `ids and their texts sort by time`() {
        var source = RequestID.Source(worker: 0, of: 1)
        var last = source.next(wallMicroseconds: start)
        for step in 1..<5000 {
            let id = source.next(wallMicroseconds: start + UInt64(step * step))
            #expect(id.rawValue > last.rawValue)
            #expect(id.description > last.description)
            #expect(id.microseconds == Int64(start) + Int64(step * step))
            last = id
        }
    }

    @Test func `the text is thirteen characters and reads back`() throws {
        for raw: Int64 in [0, 1, 31, 32, 4095, 4096, Int64(start) << 10, .max] {
            let id = RequestID(rawValue: raw)
            #expect(id.description.utf8.count == 13)
            #expect(RequestID(id.description) == id)
        }
        #expect(RequestID(rawValue: 0).description == "0000000000000")
        #expect(RequestID(rawValue: .max).description == "7zzzzzzzzzzzz")
    }

    @Test(arguments: [
        "", "000000000000", "00000000000000", "000000000000i", "000000000000l", "000000000000o", "000000000000u",
        "000000000000A",
        "000000000000-", " 000000000000", "8000000000000", "zzzzzzzzzzzzz", "g000000000000", "000000000000é", "ééééééa",
    ])
    func `any other text is no id`(_ text: String) {
        #expect(RequestID(text) == nil)
    }

    @Test func `one id has one text`() {
        for digit in "0123456789abcdefghjkmnpqrstvwxyz" {
            let text = "\(digit)123456789abc"
            if let id = RequestID(text) { #expect(id.description == text) }
        }
    }

    @Test func `there are ids until 2255`() {
        let last: UInt64 = 8_993_000_000_000_000
        var source = RequestID.Source(worker: 63, of: 64)
        let id = source.next(wallMicroseconds: last)
        #expect(id.microseconds == Int64(last))
        #expect(id.rawValue > 0 && RequestID(id.description) == id)
    }

    @Test func `ids grow when the clock stands still or steps back`() {
        var source = RequestID.Source(worker: 1, of: 3)
        var last = source.next(wallMicroseconds: start)
        for step in 0..<10_000 {
            let clock = step < 5000 ? start : start - 3_600_000_000
            let id = source.next(wallMicroseconds: clock)
            #expect(id.rawValue > last.rawValue)
            last = id
        }
        // Once the clock is past again, ids tell the time again.
        #expect(source.next(wallMicroseconds: start + 60_000_000).microseconds == Int64(start) + 60_000_000)
    }

    @Test(arguments: [1, 2, 3, 7, 64]) func `workers never hand out the same id`(_ workers: Int) {
        var sources = (0..<workers).map { RequestID.Source(worker: $0, of: workers) }
        var seen: Set<RequestID> = []
        var random = SystemRandomNumberGenerator()
        let rounds = 20_000 / workers
        for round in 0..<rounds {
            // All at nearly the same time, some with a clock behind the others'.
            for index in sources.indices {
                let clock = start + UInt64(round / 50) - UInt64.random(in: 0...3, using: &random)
                seen.insert(sources[index].next(wallMicroseconds: clock))
            }
        }
        #expect(seen.count == rounds * workers)
    }
}
