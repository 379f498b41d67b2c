// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import MenshenStore
import SQLite
import Synchronization
import Testing

/// Intents in the file beside the database, between their note and their row.
@Suite struct IntentLogTests {
    let scratch = Scratch()
    let events = Events()

    private var path: String { scratch("menshen.db") }

    /// One whose patient entries, once the first is written, stay in its queue until somebody asks a question, or the end.
    private func store(at path: String? = nil, _ change: (inout StoreSettings) -> Void = { _ in }) throws -> AuditStore
    {
        var settings = StoreSettings(databasePath: path ?? self.path, journal: nil)
        settings.gatherTime = 3_600_000_000
        settings.retryInterval = 0
        change(&settings)
        let store = try AuditStore(settings: settings) { [events] in events.log($0) }
        // Request 0: after it the others gather.
        _ = store.submit(.settled(settlement(intent(id(0)))), to: nil)
        settle(store)
        return store
    }

    /// Has all that is queued recorded, the opening of the database included, and then the store's numbers brought up to
    /// date.
    private func settle(_ store: AuditStore) {
        let answered = Signal()
        for _ in 0..<2 {
            store.recent(limit: 1) { _ in answered.post() }
            answered.wait()
        }
    }

    private func note(_ numbers: ClosedRange<Int64>, _ writer: IntentWriter, _ store: AuditStore) -> Int {
        numbers.count { number in
            let intent = intent(id(number))
            return writer.note(intent) && store.submit(.noted(intent, writer.lane), to: nil)
        }
    }

    /// What a kill leaves behind now, opened by another process's store.
    private func crashCopy(_ name: String) throws -> String {
        let copy = scratch(name)
        for suffix in ["", "-wal", "-intents"] { try copyFile(path + suffix, copy + suffix) }
        return copy
    }

    private func states(_ path: String) throws -> [String] {
        let rows = try Connection.reading(path).prepare(
            "SELECT end_state FROM requests WHERE id > \(id(0).rawValue) ORDER BY id", reused: false)
        var found: [String] = []
        while try rows.step() { found.append(rows.text(0) ?? "") }
        return found
    }

    @Test func `what was noted has a row after a kill, although the database had not seen it`() throws {
        let store = try store()
        let writer = try #require(store.makeIntentWriter())
        #expect(note(1...3, writer, store) == 3)
        let ended = intent(id(4))
        #expect(writer.note(ended) && store.submit(.noted(ended, writer.lane), to: nil))
        #expect(store.submit(.settled(settlement(ended)), to: nil))
        let copy = try crashCopy("killed.db")
        #expect(try states(copy).isEmpty)
        let next = try self.store(at: copy)
        next.close()
        #expect(try states(copy) == ["lost", "lost", "lost", "lost"])
        #expect(events.all.contains(.lostSettled(path: copy, count: 4)))
        let row = try Connection.reading(copy)
        #expect(
            try row.text(
                "SELECT caller_exe || path || provider || model || stream FROM requests WHERE end_state = 'lost' LIMIT 1"
            )
                == "/usr/bin/python3.11/v1/chat/completionsopenaigpt-4o1")
        // And a second start finds nothing more.
        try self.store(at: copy).close()
        #expect(try states(copy).count == 4)
        store.close()
        #expect(try states(path) == ["open", "open", "open", "complete"])
    }

    @Test func `what has its row is not doubled, and what has ended stays as it ended`() throws {
        let store = try store()
        let writer = try #require(store.makeIntentWriter())
        #expect(note(1...4, writer, store) == 4)
        #expect(store.submit(.settled(settlement(intent(id(2)))), to: nil))
        settle(store)
        #expect(note(5...6, writer, store) == 2)
        let copy = try crashCopy("killed.db")
        // As if the process had died between the commit and the mark that frees the slots.
        let log = open(copy + "-intents", O_RDWR)
        #expect(pwrite(log, [UInt8](repeating: 0, count: 8), 8, 64) == 8)
        close(log)
        try self.store(at: copy).close()
        #expect(try states(copy) == ["lost", "complete", "lost", "lost", "lost", "lost"])
        store.close()
    }

    @Test func `a request that ends while its intent gathers is written once`() throws {
        let store = try store()
        let writer = try #require(store.makeIntentWriter())
        #expect(note(1...100, writer, store) == 100)
        for number in Int64(1)...100 { #expect(store.submit(.settled(settlement(intent(id(number)))), to: nil)) }
        store.close()
        #expect(store.status.recordsWritten == 101)
        #expect(try Connection.reading(path).count("requests WHERE end_state = 'complete'") == 101)
        #expect(Scratch.names(in: scratch.path).filter { $0.hasSuffix("-intents") }.isEmpty)
    }

    @Test func `slots are used again once their intents have rows, and not before`() throws {
        let store = try store()
        let writer = try #require(store.makeIntentWriter())
        let other = try #require(store.makeIntentWriter())
        var next: Int64 = 1
        var written: Int64 = 0
        for _ in 0..<3 {
            // Counted without submitting more than has room: 256 patient entries are taken before their time.
            var noted: [AuditIntent] = []
            while case let intent = intent(id(next)), writer.note(intent) {
                noted.append(intent)
                next += 1
            }
            #expect(noted.count == 512)
            #expect(other.note(intent(id(1_000_000 + next))), "each has a lane of its own")
            for intent in noted { #expect(store.submit(.noted(intent, writer.lane), to: nil)) }
            settle(store)
            written += Int64(noted.count)
            #expect(try Connection.reading(path).count("requests") == written + 1)
        }
        store.close()
    }

    @Test func `an intent too long for its slot, or that comes before the database is open, waits for its receipt`()
        throws
    {
        let store = try store()
        let writer = try #require(store.makeIntentWriter())
        func intent(path: String) -> AuditIntent {
            AuditIntent(
                id: id(1), caller: caller, tokenName: "job", method: "POST", path: path, dialect: .openai,
                operation: .chat, provider: nil, model: nil, isStream: nil)
        }
        #expect(!writer.note(intent(path: "/" + String(repeating: "x", count: 1000))))
        #expect(writer.note(intent(path: "/" + String(repeating: "x", count: 700))))
        store.close()
        #expect(!writer.note(intent(path: "/")))
    }

    @Test func `nothing is noted while another program holds the database, and what was noted before is not lost`()
        throws
    {
        let store = try store { $0.busyMilliseconds = 0 }
        let writer = try #require(store.makeIntentWriter())
        let other = try Connection.reading(path)
        try other.execute("BEGIN IMMEDIATE")
        #expect(note(1...2, writer, store) == 2)
        settle(store)
        // Neither device has them: their slots keep them, and no other request may rely on the log.
        #expect(store.status.degraded != nil)
        #expect(!writer.note(intent(id(3))))
        let copy = scratch("killed.db")
        for suffix in ["", "-wal", "-intents"] { try copyFile(path + suffix, copy + suffix) }
        try self.store(at: copy).close()
        #expect(try states(copy) == ["lost", "lost"])
        try other.execute("ROLLBACK")
        #expect(store.submit(.settled(settlement(intent(id(2)))), to: nil))
        settle(store)
        #expect(store.status.degraded == nil)
        #expect(note(4...4, writer, store) == 1)
        store.close()
        #expect(try states(path) == ["open", "complete", "open"])
    }

    @Test func `a log that can't be used is told, and each answer waits for the database`() throws {
        mkdir(path + "-intents", 0o700)
        let store = try store()
        let writer = try #require(store.makeIntentWriter())
        #expect(!writer.note(intent(id(1))))
        let arrived = Signal()
        let sink = Collector { _ in arrived.post() }
        #expect(store.submit(.intent(intent(id(1))), to: sink))
        arrived.wait()
        #expect(sink.devices == [.database])
        let told = events.all.compactMap {
            if case .intentLogUnusable(let path, let fault) = $0 { "\(path): \(fault.reason)" } else { nil }
        }
        #expect(told.count == 1 && told[0].contains("menshen.db-intents"), "\(told)")
        store.close()
        rmdir(path + "-intents")
    }

    @Test(arguments: [Array("mnshint1".utf8), Array("mnshint2".utf8), Array("something else entirely".utf8), []])
    func `damage in the log costs nothing but what it damaged`(_ start: [UInt8]) throws {
        var content = start + [UInt8](repeating: 0, count: 4096 - start.count)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<40_000 { content.append(UInt8.random(in: 0...255, using: &random)) }
        let file = open(path + "-intents", O_RDWR | O_CREAT, 0o644)
        #expect(write(file, content, content.count) == content.count)
        close(file)
        let store = try store()
        let writer = try #require(store.makeIntentWriter())
        #expect(note(1...1, writer, store) == 1)
        var status = stat()
        #expect(stat(path + "-intents", &status) == 0 && status.st_mode & 0o777 == 0o600)
        store.close()
        #expect(try states(path) == ["open"])
    }

    @Test func `a slot that was written in part is no intent, and the others are`() throws {
        let store = try store()
        let writer = try #require(store.makeIntentWriter())
        #expect(note(1...3, writer, store) == 3)
        let copy = try crashCopy("killed.db")
        let log = open(copy + "-intents", O_RDWR)
        #expect(pwrite(log, [UInt8](repeating: 0, count: 900), 900, off_t(4096 + 2 * 1024 + 100)) == 900)
        close(log)
        try self.store(at: copy).close()
        #expect(try states(copy).count == 2)
        store.close()
    }

    /// What happens to the files is noticed at the next look, and from then on notes survive a kill again.
    private func goesOn(after change: () -> Void) throws {
        let clock = ManualClock()
        let store = try store { $0.monotonic = { clock.now } }
        let writer = try #require(store.makeIntentWriter())
        change()
        clock.advance(seconds: 2)
        #expect(store.submit(.settled(settlement(intent(id(1)))), to: nil))
        settle(store)
        #expect(note(2...2, writer, store) == 1)
        let copy = try crashCopy("killed.db")
        try self.store(at: copy).close()
        #expect(try states(copy) == ["complete", "lost"])
        store.close()
    }

    @Test func `a database that was moved away takes its log along, and the new one has its own`() throws {
        try goesOn {
            for suffix in ["", "-wal", "-shm", "-intents", ".lock"] { rename(path + suffix, scratch("moved") + suffix) }
        }
    }

    // MARK: A database or a log that fails at a bad moment

    @Test func `what a killed process left waits until a full database has room for it`() throws {
        let store = try store()
        let writer = try #require(store.makeIntentWriter())
        #expect(note(1...200, writer, store) == 200)
        let copy = try crashCopy("killed.db")
        // SQLite takes the file's present size for the least limit.
        let next = try self.store(at: copy) { $0.maximumPages = 1 }
        #expect(next.status.degraded?.contains("full") == true)
        let again = scratch("again.db")
        for suffix in ["", "-wal", "-intents"] { try copyFile(copy + suffix, again + suffix) }
        next.close()
        for path in [again, copy] {
            try self.store(at: path).close()
            #expect(try states(path) == Array(repeating: "lost", count: 200))
        }
        store.close()
    }

    @Test func `attempts to use a full database again leave what was noted in the log`() throws {
        let store = try store { $0.maximumPages = 24 }
        let writer = try #require(store.makeIntentWriter())
        #expect(note(1...200, writer, store) == 200)
        let arrived = Signal()
        let sink = Collector { _ in arrived.post() }
        var next: Int64 = 1_000_000
        while sink.devices.last != AuditDevice.none && next < 1_020_000 {
            #expect(store.submit((0..<10).map { .intent(intent(id(next + $0))) }, to: sink).isEmpty)
            arrived.wait()
            next += 10
        }
        settle(store)
        #expect(store.status.degraded?.contains("full") == true)
        let noted = "requests WHERE id BETWEEN \(id(1).rawValue) AND \(id(200).rawValue)"
        let copy = try crashCopy("killed.db")
        try self.store(at: copy).close()
        #expect(try Connection.reading(copy).count("\(noted) AND end_state = 'lost'") == 200)
        // Nor does a stop while it is full.
        store.close()
        try self.store().close()
        #expect(try Connection.reading(path).count("\(noted) AND end_state = 'lost'") == 200)
    }

    @Test(arguments: [false, true])
    func `a log that was deleted or cut off under us is noticed and made again`(_ isCutOff: Bool) throws {
        try goesOn { if isCutOff { truncate(path + "-intents", 0) } else { unlink(path + "-intents") } }
    }

    @Test(.enabled(if: geteuid() == 0)) func `a log whose beginning could not be written is not relied on`() throws {
        let disk = scratch("disk")
        mkdir(disk, 0o700)
        try #require(mount("none", disk, "tmpfs", 0, "size=1m,mode=700") == 0)
        defer { umount2(disk, Int32(MNT_DETACH)) }
        let small = disk + "/menshen.db"
        try store(at: small).close()
        // Keeps what SQLite needs beside the file there.
        let other = try Connection.reading(small)
        #expect(try other.count("requests") == 1)
        let filler = open(disk + "/filler", O_RDWR | O_CREAT, 0o600)
        while write(filler, [UInt8](repeating: 1, count: 4096), 4096) > 0 {}
        let store = try AuditStore(settings: StoreSettings(databasePath: small, journal: nil)) { [events] in
            events.log($0)
        }
        settle(store)
        #expect(store.status.degraded == nil)
        ftruncate(filler, 0)
        close(filler)
        let writer = try #require(store.makeIntentWriter())
        let isNoted = writer.note(intent(id(1)))
        let copy = scratch("killed.db")
        for suffix in ["", "-wal", "-intents"] { try copyFile(small + suffix, copy + suffix) }
        try self.store(at: copy).close()
        #expect(try states(copy) == (isNoted ? ["lost"] : []))
        store.close()
    }

    @Test func `an id that no request has is no intent`() throws {
        let store = try store()
        let writer = try #require(store.makeIntentWriter())
        #expect(note(1...2, writer, store) == 2)
        let copy = try crashCopy("killed.db")
        let log = open(copy + "-intents", O_RDWR)
        var id = Int64.max
        #expect(pwrite(log, &id, 8, off_t(4096 + 1024 + 8)) == 8)
        close(log)
        try self.store(at: copy).close()
        #expect(try states(copy) == ["lost"])
        store.close()
    }
}

func copyFile(_ from: String, _ to: String) throws {
    let source = open(from, O_RDONLY)
    // The wal may not be there yet. Not closed: that would drop this process's locks on a database.
    guard source >= 0 else { return }
    let target = open(to, O_RDWR | O_CREAT | O_TRUNC, 0o600)
    defer { close(target) }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while case let count = read(source, &buffer, buffer.count), count > 0 {
        try #require(write(target, buffer, count) == count)
    }
}
