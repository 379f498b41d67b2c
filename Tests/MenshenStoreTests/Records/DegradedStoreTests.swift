// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import MenshenStore
import SQLite
import Systemd
import Testing

/// What happens when SQLite refuses: the journal takes over, and the database gets what it missed.
@Suite struct DegradedStoreTests {
    let scratch = Scratch()
    let clock = ManualClock()
    let events = Events()
    let sink = Collector()
    let journal: FakeJournal
    var settings: StoreSettings

    init() throws {
        journal = FakeJournal(scratch("journal"))
        settings = StoreSettings(
            databasePath: scratch("menshen.db"), journal: try JournalSocket(path: journal.path))
        let clock = clock
        settings.monotonic = { clock.now }
        settings.busyMilliseconds = 0
        chmod(scratch.path, 0o700)
    }

    private func worker() -> StoreWorker {
        let events = events
        return StoreWorker(settings) { events.log($0) }
    }

    private func expectJournal(_ worker: StoreWorker, _ reason: String) {
        let seen = journal.entries()
        #expect(sink.devices.last == .journal)
        #expect(seen.last?["MENSHEN_AUDIT_DEVICE"] == "journal")
        #expect(seen.last?["MENSHEN_END_STATE"] == "open")
        #expect(worker.status.degraded?.contains(reason) == true, "\(worker.status.degraded ?? "not degraded")")
        #expect(events.degradations.count == 1)
    }

    @Test func `another program's lock sends records to the journal, and they follow when it is gone`() throws {
        let worker = worker()
        worker.record([.intent(intent(id(1)))], sink)
        let other = try Connection.reading(settings.databasePath)
        try other.execute("BEGIN IMMEDIATE")
        worker.record([.intent(intent(id(2)))], sink)
        expectJournal(worker, "write lock")
        worker.record([.settled(settlement(intent(id(1)))), .settled(settlement(intent(id(2))))], sink)
        #expect(journal.entries().map { $0["MENSHEN_END_STATE"] } == ["complete", "complete"])
        #expect(worker.status.awaitingDatabase == 2)
        try other.execute("ROLLBACK")
        worker.record([.intent(intent(id(3)))], sink)
        #expect(sink.devices.last == .journal)
        clock.advance(seconds: 6)
        worker.record([.intent(intent(id(4)))], sink)
        #expect(sink.devices == [.database, .journal, .journal, .database])
        #expect(worker.status.degraded == nil && worker.status.awaitingDatabase == 0)
        #expect(
            try other.text("SELECT group_concat(end_state) FROM (SELECT end_state FROM requests ORDER BY id)")
                == "complete,complete,open")
        #expect(events.all.last == .recovered(path: settings.databasePath, replayed: 2, missing: 0))
        #expect(!events.all.contains { event in if case .lostSettled = event { true } else { false } })
    }

    @Test mutating func `nobody is told that records go to a journal that is not there`() throws {
        settings.journal = try JournalSocket(path: scratch("nothing"))
        let worker = worker()
        let other = try Connection.reading(settings.databasePath)
        try other.execute("BEGIN IMMEDIATE")
        worker.record([.intent(intent(id(1)))], sink)
        #expect(sink.devices == [AuditDevice.none])
        let told = events.all.first { event in if case .degraded = event { true } else { false } }
        let message = told?.event.message ?? ""
        #expect(message.contains("refused with 503") && !message.contains("go to the journal"), "\(message)")
    }

    @Test mutating func `a full disk sends records to the journal, unthrottled`() throws {
        settings.maximumPages = 24
        let worker = worker()
        var number: Int64 = 0
        while worker.status.degraded == nil && number < 20_000 {
            worker.record((0..<100).map { .intent(intent(id(number + $0))) }, sink)
            number += 100
        }
        #expect(worker.status.degraded?.contains("full") == true)
        #expect(sink.devices.last == .journal && journal.entries().count == 100)
        worker.record((0..<150).map { .intent(intent(id(number + $0))) }, sink)
        #expect(journal.entries().count == 150)
        let reader = try Connection.reading(settings.databasePath)
        #expect(try reader.integrityCheck() == ["ok"])
        #expect(try reader.count("requests") == number - 100)
    }

    @Test func `a damaged file is reported and left as it is`() throws {
        let path = settings.databasePath
        let descriptor = open(path, O_RDWR | O_CREAT, 0o600)
        #expect(write(descriptor, [UInt8](repeating: 0x5a, count: 8192), 8192) == 8192)
        close(descriptor)
        let worker = worker()
        worker.record([.intent(intent(id(1)))], sink)
        expectJournal(worker, "damaged")
        #expect(rename(path, path + ".old") == 0)
        clock.advance(seconds: 6)
        worker.record([.intent(intent(id(2)))], sink)
        #expect(sink.devices.last == .database)
    }

    @Test func `a directory, a symbolic link or another program's database is not used`() throws {
        mkdir(settings.databasePath, 0o700)
        let first = worker()
        first.record([.intent(intent(id(1)))], sink)
        expectJournal(first, "directory")
        rmdir(settings.databasePath)

        let foreign = try Connection.reading(scratch("foreign.db"))
        try foreign.execute("CREATE TABLE bookmarks (url TEXT)")
        symlink(scratch("foreign.db"), settings.databasePath)
        #expect(worker().status.degraded?.contains("symbolic link") == true)
        unlink(settings.databasePath)
        rename(scratch("foreign.db"), settings.databasePath)
        #expect(worker().status.degraded?.contains("another program") == true)
        #expect(try foreign.count("sqlite_schema") == 1)
    }

    @Test(.enabled(if: geteuid() == 0)) func `another user's file is not used`() throws {
        close(open(settings.databasePath, O_RDWR | O_CREAT, 0o600))
        #expect(chown(settings.databasePath, 12345, 12345) == 0)
        #expect(worker().status.degraded?.contains("uid 12345") == true)
    }

    @Test func `a second daemon on the same file stays off the first one's rows`() throws {
        let first = worker()
        first.record([.intent(intent(id(1)))])
        let second = worker()
        second.record([.intent(intent(id(2)))], sink)
        expectJournal(second, "another menshen (process \(getpid()))")
        #expect(try Connection.reading(settings.databasePath).text("SELECT end_state FROM requests") == "open")
    }

    @Test func `a file deleted under us is noticed and made again`() throws {
        let worker = worker()
        worker.record([.intent(intent(id(1)))], sink)
        for suffix in ["", "-wal", "-shm"] { unlink(settings.databasePath + suffix) }
        clock.advance(seconds: 2)
        worker.record([.intent(intent(id(2)))], sink)
        #expect(sink.devices == [.database, .database])
        #expect(try Connection.reading(settings.databasePath).count("requests") == 1)
    }

    @Test func `without any device the receipt says so, and nobody is told twice`() throws {
        mkdir(settings.databasePath, 0o700)
        unlink(journal.path)
        let worker = worker()
        worker.record([.intent(intent(id(1)))], sink)
        worker.record([.intent(intent(id(2)))], sink)
        #expect(sink.devices == [.none, .none])
        #expect(events.all.filter { $0 == .noDevice }.count == 1)
    }

    @Test func `suppressed refusals stay suppressed without a database`() throws {
        mkdir(settings.databasePath, 0o700)
        let worker = worker()
        worker.record((0..<30).map { .refused(refusal($0), authenticated: false) }, sink)
        #expect(sink.devices == Array(repeating: .journal, count: 20) + Array(repeating: .suppressed, count: 10))
        #expect(journal.entries().count == 20)
        clock.advance(seconds: 61)
        worker.rest()
        #expect(journal.entries().map { $0["MENSHEN_COUNT"] } == ["10"])
    }

    @Test mutating func `of two ends of a request the later one stays, also when the database was away for the first`()
        throws
    {
        settings.journal = nil
        let worker = worker()
        let other = try Connection.reading(settings.databasePath)
        try other.execute("BEGIN IMMEDIATE")
        // Its provider has ended when it turns out that there is no record of it: the caller gets a 503.
        worker.record([.intent(intent(id(1))), .settled(settlement(intent(id(1))))], sink)
        #expect(sink.devices == [.none])
        try other.execute("ROLLBACK")
        clock.advance(seconds: 6)
        worker.record([.settled(settlement(intent(id(1)), .refused))], sink)
        #expect(try other.text("SELECT end_state FROM requests") == "refused")
    }
}
