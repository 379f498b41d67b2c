// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import SQLite
import Testing

@testable import MenshenStore

/// Requests whose rows nobody has kept are told of, at most as many as may be missing.
@Suite struct OutageTests {
    private let scratch = Scratch()
    private let clock = ManualClock()

    private func worker() -> StoreWorker {
        var settings = StoreSettings(databasePath: scratch("menshen.db"), retentionDays: nil, journal: nil)
        let clock = clock
        settings.monotonic = { clock.now }
        settings.wall = { 1_800_000_000_000_000 + clock.now }
        return StoreWorker(settings) { _ in }
    }

    private func gaps(_ seconds: Range<Int64> = 0..<4_000_000_000) throws -> [RecordGap] {
        try RecordReports(scratch("menshen.db")).gaps(seconds)
    }

    /// `count` requests end while another program holds the lock.
    private func outage(_ worker: StoreWorker, _ count: Int64, from first: Int64) throws {
        let other = try Connection.reading(scratch("menshen.db"))
        try other.execute("BEGIN IMMEDIATE")
        worker.record((first..<first + count).map { .settled(settlement(intent(id($0)))) })
        #expect(worker.status.degraded != nil)
        clock.advance(seconds: 60)
        try other.execute("ROLLBACK")
        worker.record([.settled(settlement(intent(id(first + count))))])
        #expect(worker.status.degraded == nil)
        worker.rest()
    }

    @Test func `an outage that memory has bridged leaves no gap`() throws {
        let worker = worker()
        try outage(worker, 100, from: 1)
        #expect(try gaps().isEmpty && Connection.reading(scratch("menshen.db")).count("requests") == 101)
        #expect(worker.timeout() ?? 1 > 0)
    }

    @Test func `what memory had no room for is a gap, with its time, number and reason`() throws {
        let worker = worker()
        try outage(worker, 10_007, from: 1)
        let gap = try #require(try gaps().first)
        #expect(try gaps().count == 1 && gap.missing == 7 && gap.reason.contains("write lock"))
        #expect(gap.until - gap.since == 60_000_000)
        let second = gap.since / 1_000_000
        #expect(try gaps(second + 61..<second + 100).isEmpty && gaps(second + 30..<second + 31).count == 1)
        #expect(gap.overlaps(second - 5..<second + 1) && !gap.overlaps(second - 5..<second))
        // The next one has its own.
        try outage(worker, 10_002, from: 20_000)
        #expect(try gaps().map(\.missing) == [7, 2])
    }

    @Test func `what the journal gives back is not missing`() throws {
        let worker = worker()
        try outage(worker, 10_007, from: 1)
        worker.outage.hasReadJournal(missing: 9)
        worker.rest()
        #expect(try gaps().map(\.missing) == [7])
        worker.outage.hasReadJournal(missing: 3)
        worker.rest()
        #expect(try gaps().map(\.missing) == [3])
        worker.outage.hasReadJournal(missing: 0)
        #expect(worker.timeout() == 0)
        worker.rest()
        #expect(try gaps().isEmpty)
    }
}
