// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Linux
import MenshenCore
import MenshenStore
import SQLite
import Synchronization
import Systemd
import Testing

/// The store with its thread.
@Suite struct AuditStoreTests {
    let scratch = Scratch()

    private func store(_ change: (inout StoreSettings) -> Void = { _ in }) throws -> AuditStore {
        var settings = StoreSettings(databasePath: scratch("menshen.db"), journal: nil)
        change(&settings)
        return try AuditStore(settings: settings) { _ in }
    }

    private func recent(_ store: AuditStore, _ limit: Int) -> [RequestRecord] {
        let answered = Signal()
        let rows = Mutex<[RequestRecord]>([])
        store.recent(limit: limit) { found in
            rows.withLock { $0 = found }
            answered.post()
        }
        answered.wait()
        return rows.withLock { $0 }
    }

    @Test func `recent rows come newest first and carry what was recorded`() throws {
        let store = try store()
        for number in 1...5 {
            #expect(store.submit(.intent(intent(id(Int64(number)))), to: nil))
        }
        #expect(store.submit(.settled(settlement(intent(id(3)))), to: nil))
        let rows = recent(store, 3)
        #expect(rows.map(\.id) == [id(5), id(4), id(3)])
        #expect(rows.map(\.answered.endState) == ["open", "open", "complete"])
        #expect(rows[2].answered.status == 200 && rows[2].answered.attempts == 1 && rows[2].asked.isStream == true)
        #expect(rows[2].caller.uid == 1000 && rows[2].count == 1 && rows[2].answered.totalMicroseconds == 123_456)
        store.close()
        #expect(recent(store, 3).isEmpty)
    }

    @Test func `closing records all that was queued, takes no more, and may be repeated`() throws {
        let store = try store()
        for number in 0..<2000 {
            #expect(store.submit(.intent(intent(id(Int64(number)))), to: nil))
            #expect(store.submit(.settled(settlement(intent(id(Int64(number))))), to: nil))
        }
        store.close()
        store.close()
        #expect(!store.submit(.intent(intent(id(1))), to: nil))
        #expect(!store.submit(.settled(settlement(intent(id(1)))), to: nil))
        let reader = try Connection.reading(scratch("menshen.db"))
        #expect(try reader.count("requests WHERE end_state = 'complete'") == 2000)
        #expect(store.status.recordsWritten == 2000 && store.status.backlog == 0)
        var log = stat()
        #expect(stat(scratch("menshen.db-wal"), &log) != 0 || log.st_size == 0)
    }

    @Test func `a full backlog refuses intents but takes settlements`() throws {
        // The thread is held in a receipt, so that nothing is taken from the queue meanwhile.
        let (entered, leave) = (Signal(), Signal())
        let holder = Collector { _ in
            entered.post()
            leave.wait()
        }
        let store = try store { $0.backlogLimit = 3 }
        #expect(store.submit(.intent(intent(id(0))), to: holder))
        entered.wait()
        for number in 1...3 { #expect(store.submit(.intent(intent(id(Int64(number)))), to: nil)) }
        #expect(!store.submit(.intent(intent(id(4))), to: nil))
        #expect(!store.submit(.refused(refusal(5), authenticated: false), to: nil))
        #expect(store.submit(.settled(settlement(intent(id(0)))), to: nil))
        #expect(store.status.backlog == 4)
        leave.post()
        store.close()
        #expect(try Connection.reading(scratch("menshen.db")).count("requests") == 4)
    }

    @Test func `a settlement alone is recorded although nobody waits for it`() throws {
        let arrived = Signal()
        let journal = FakeJournal(scratch("journal"))
        let socket = try JournalSocket(path: journal.path)
        let store = try store { $0.journal = socket }
        #expect(store.submit(.intent(intent(id(1))), to: Collector { _ in arrived.post() }))
        arrived.wait()
        #expect(store.submit(.settled(settlement(intent(id(1)))), to: nil))
        var seen: [[String: String]] = []
        let limit = Clock.monotonic() + 10_000_000
        while seen.isEmpty && Clock.monotonic() < limit {
            sched_yield()
            seen = journal.entries()
        }
        #expect(seen.map { $0["MENSHEN_END_STATE"] } == ["complete"])
        store.close()
    }

    @Test func `whatever was receipted is in a copy of the files taken at that moment`() throws {
        let store = try store()
        let arrived = Signal()
        let sink = Collector { _ in arrived.post() }
        for round in 0..<20 {
            let base = Int64(round) * 100
            for number in 0..<Int64(50) { _ = store.submit(.intent(intent(id(base + number))), to: sink) }
            while sink.receipts.count < (round + 1) * 50 { arrived.wait() }
            guard round % 5 == 4 else { continue }
            // More traffic while the files are copied, as when the process is killed in the middle of it. So few rows
            // make no checkpoint, so the copy of the database fits the copy of the log.
            for number in Int64(50)..<60 {
                _ = store.submit(.settled(settlement(intent(id(base + number - 50)))), to: nil)
            }
            let copy = scratch("copy\(round).db")
            try copyFile(scratch("menshen.db"), copy)
            try copyFile(scratch("menshen.db-wal"), copy + "-wal")
            let reader = try Connection.reading(copy)
            #expect(try reader.integrityCheck() == ["ok"])
            #expect(try reader.count("requests") == Int64(round + 1) * 50)
        }
        store.close()
    }

    @Test func `a hundred thousand requests from four threads are all recorded`() throws {
        let store = try store { $0.backlogLimit = 1_000_000 }
        let start = Clock.monotonic()
        let threads = try (0..<4).map { worker in
            try NamedThread("caller") {
                for number in 0..<25_000 {
                    let request = intent(id(Int64(number * 4 + worker)))
                    _ = store.submit(.intent(request), to: nil)
                    _ = store.submit(.settled(settlement(request)), to: nil)
                }
            }
        }
        for thread in threads { thread.join() }
        let submitted = Clock.monotonic()
        store.close()
        let seconds = Double(Clock.monotonic() - start) / 1e6
        print(
            "100,000 requests: submitted in \((submitted - start) / 1000) ms, \(Int(100_000 / seconds)) a second"
        )
        let reader = try Connection.reading(scratch("menshen.db"))
        #expect(try reader.count("requests WHERE end_state = 'complete'") == 100_000)
        #expect(try reader.count("attempts") == 100_000)
        #expect(try reader.integrityCheck() == ["ok"])
    }

    private func copyFile(_ from: String, _ to: String) throws {
        let (source, target) = (open(from, O_RDONLY), open(to, O_RDWR | O_CREAT, 0o600))
        defer {
            // Not closed here: closing a descriptor of the database would drop this process's locks on it.
            close(target)
        }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(source, &buffer, buffer.count)
            try #require(count >= 0)
            if count == 0 { return }
            try #require(write(target, buffer, count) == count)
        }
    }
}
