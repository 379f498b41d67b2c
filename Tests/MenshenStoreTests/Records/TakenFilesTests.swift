// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import MenshenStore
import SQLite
import Synchronization
import Systemd
import Testing

/// Files that go away while menshen writes them, and a clock that cannot be believed.
@Suite struct TakenFilesTests {
    private let scratch = Scratch()
    private let clock = ManualClock()
    private let events = Events()

    private func settings() -> StoreSettings {
        var settings = StoreSettings(databasePath: scratch("menshen.db"), journal: nil)
        let clock = clock
        settings.monotonic = { clock.now }
        return settings
    }

    private func worker(_ settings: StoreSettings) -> StoreWorker {
        let events = events
        return StoreWorker(settings) { events.log($0) }
    }

    private var isTold: Bool {
        events.all.contains { event in if case .filesTaken = event { true } else { false } }
    }

    private func end(_ number: Int64) -> AuditEntry { .settled(settlement(intent(id(number)))) }

    @Test func `without its log the database still gets every record`() throws {
        let settings = settings()
        let worker = worker(settings)
        for number in Int64(1)...8 { worker.record([end(number)]) }
        unlink(settings.databasePath + "-wal")
        clock.advance(seconds: 2)
        worker.record([end(9)])
        #expect(isTold)
        worker.close()
        #expect(try Connection.reading(settings.databasePath).count("requests") == 9)
    }

    @Test func `what was written to a file that had just been deleted is written to the next one`() throws {
        let settings = settings()
        let worker = worker(settings)
        worker.record([end(1)])
        clock.advance(seconds: 2)
        worker.record([end(2)])
        for suffix in ["", "-wal", "-shm"] { unlink(settings.databasePath + suffix) }
        worker.record([end(3)])
        clock.advance(seconds: 2)
        worker.record([end(4)])
        #expect(isTold && worker.status.degraded == nil)
        worker.close()
        let reader = try Connection.reading(settings.databasePath)
        #expect(try reader.count("requests WHERE id IN (\(id(3).rawValue), \(id(4).rawValue))") == 2)
        #expect(
            try reader.count("requests WHERE id = \(id(1).rawValue)") == 0, "that one was in the file that was deleted")
    }

    @Test func `files that are taken after the last record are noticed too, and then nothing of it is kept`() throws {
        let settings = settings()
        let worker = worker(settings)
        worker.record([end(1)])
        for suffix in ["", "-wal", "-shm"] { unlink(settings.databasePath + suffix) }
        #expect(worker.timeout().map { $0 <= 1_000_000 } == true)
        clock.advance(seconds: 2)
        worker.rest()
        #expect(isTold)
        #expect(try Connection.reading(settings.databasePath).count("requests") == 1)
        clock.advance(seconds: 2)
        worker.rest()
        #expect(worker.timeout().map { $0 > 1_000_000 } != false, "an idle store is not woken every second")
    }

    @Test func `a clock that is far ahead of the newest record deletes nothing until it has gone on for a day`() throws
    {
        var settings = settings()
        settings.retentionDays = 90
        let now = UInt64(id(1).microseconds) + 1000
        let clock = clock
        let start = clock.now
        settings.wall = { now + clock.now - start }
        let first = worker(settings)
        first.record([end(1), end(2)])
        first.rest()
        first.close()
        // The machine starts with a clock of the next century.
        let ahead = now + 36_500 * 86_400_000_000
        let again = clock.now
        settings.wall = { ahead + clock.now - again }
        let second = worker(settings)
        second.rest()
        #expect(events.all.contains(.clockDoubted(days: 90)))
        #expect(try Connection.reading(settings.databasePath).count("requests") == 2)
        clock.advance(seconds: 86_400 + 3600)
        second.rest()
        #expect(
            try Connection.reading(settings.databasePath).count("requests") == 0, "a clock that goes on is believed")
        second.close()
    }

    @Test func `a clock that jumps while menshen runs is doubted for a day`() throws {
        var settings = settings()
        settings.retentionDays = 90
        let now = UInt64(id(1).microseconds) + 1000
        let clock = clock
        let start = clock.now
        let jump = Jump()
        settings.wall = { now + clock.now - start + jump.microseconds }
        let worker = worker(settings)
        worker.record([end(1)])
        worker.rest()
        jump.set(days: 400)
        clock.advance(seconds: 7200)
        worker.rest()
        #expect(try Connection.reading(settings.databasePath).count("requests") == 1)
        jump.set(days: 0)
        clock.advance(seconds: 3 * 86_400)
        worker.rest()
        #expect(try Connection.reading(settings.databasePath).count("requests") == 1)
        worker.close()
    }
}

/// How far the wall clock has been put ahead of itself.
private final class Jump: Sendable {
    private let days = Mutex<UInt64>(0)

    var microseconds: UInt64 { days.withLock { $0 } * 86_400_000_000 }

    func set(days count: UInt64) { days.withLock { $0 = count } }
}
