// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import MenshenStore
import SQLite
import Testing

@Suite struct RequestEndsTests {
    private let scratch = Scratch()
    private var path: String { scratch("menshen.db") }
    private let start: Int64 = 1_800_000_000

    private func worker(_ path: String? = nil) -> StoreWorker {
        var settings = StoreSettings(databasePath: path ?? self.path, retentionDays: nil, journal: nil)
        let wall = UInt64(start) * 1_000_000
        settings.wall = { wall }
        return StoreWorker(settings) { _ in }
    }

    private func ends() throws -> RequestEnds { try RequestEnds(path, now: start * 1_000_000) }

    private func next(_ ends: inout RequestEnds) throws -> [Int64] {
        try ends.next().map { $0.id.microseconds % 1_000_000 }
    }

    private func ended(_ number: Int64, _ second: Int64) -> AuditEntry {
        .settled(settlement(intent(id(number, second: second))))
    }

    @Test func `each comes once, in the order of their ends, wherever their ids lie`() throws {
        let worker = worker()
        let long = intent(id(1, second: start - 90_000))
        worker.record([.intent(long), ended(2, start - 5)])
        var ends = try ends()
        #expect(try next(&ends).isEmpty)
        // One that is dated in the future keeps none from being seen.
        worker.record([ended(3, start + 900_000)])
        worker.record([ended(4, start)])
        #expect(try next(&ends) == [3, 4])
        #expect(try next(&ends).isEmpty)
        worker.record([ended(5, start - 80_000), .settled(settlement(long, .truncated))])
        #expect(try next(&ends) == [5, 1])
        worker.record((10..<700).map { ended($0, start) })
        var many: [Int64] = []
        while case let some = try next(&ends), !some.isEmpty { many += some }
        #expect(many == Array(10..<700))
    }

    @Test func `what ends between the beginning and the first look is not lost`() throws {
        let worker = worker()
        worker.record([ended(1, start)])
        var ends = try ends()
        worker.record([ended(2, start)])
        #expect(try RecordReports(path).requests(LogQuery()).records.count == 2)
        #expect(try next(&ends) == [2])
    }

    @Test func `another file in its place is gone on with, without what it had before`() throws {
        worker().record([ended(1, start)])
        var ends = try ends()
        let other = scratch("other.db")
        worker(other).record([ended(5, start), ended(6, start)])
        // Older links than the last that was seen are of before; the same time counts as before, too.
        for suffix in ["-wal", "-shm"] { unlink(path + suffix) }
        #expect(rename(other, path) == 0)
        for suffix in ["-wal", "-shm"] { rename(other + suffix, path + suffix) }
        #expect(try next(&ends).isEmpty)
        #expect(unlink(path) == 0)
        #expect(try next(&ends).isEmpty)
    }

    @Test func `rows of an older menshen are followed once there is a chain`() throws {
        worker().record([ended(1, start)])
        try Connection.reading(path).execute("DROP TABLE chain")
        var ends = try ends()
        #expect(try next(&ends).isEmpty)
    }
}
