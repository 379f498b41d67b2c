// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import MenshenStore
import SQLite
import Synchronization
import Testing

/// What reads, beside what writes.
@Suite struct RecordReaderTests {
    private let scratch = Scratch()
    private var path: String { scratch("menshen.db") }

    private func store(_ events: Events = Events()) throws -> AuditStore {
        try AuditStore(settings: StoreSettings(databasePath: path, journal: nil)) { events.log($0) }
    }

    private func recent(_ store: AuditStore) -> [RequestRecord] {
        let answered = Signal()
        let rows = Mutex<[RequestRecord]>([])
        store.recent(limit: 10) { found in
            rows.withLock { $0 = found }
            answered.post()
        }
        answered.wait()
        return rows.withLock { $0 }
    }

    @Test func `rows are read in either order, with a limit or all, while another program writes`() throws {
        let worker = StoreWorker(StoreSettings(databasePath: path, journal: nil)) { _ in }
        worker.record((1...5).map { .settled(settlement(intent(id($0)))) })
        let writer = try Connection.reading(path)
        try writer.execute("BEGIN IMMEDIATE")
        let reader = try RecordReader(path)
        #expect(try reader.requests(.newestFirst, limit: 2).map(\.id) == [id(5), id(4)])
        let all = try reader.requests(.oldestFirst)
        #expect(all.map(\.id) == (1...5).map { id($0) })
        #expect(all[0].caller.executable == "/usr/bin/python3.11" && all[0].answered.firstByteMicroseconds == 45_000)
        try writer.execute("ROLLBACK")
    }

    @Test func `a file that is not there, is another program's or no database is a fault, and is not made or touched`()
        throws
    {
        #expect(throws: StoreFault.self) { try RecordReader(path) }
        #expect(access(path, F_OK) != 0)
        #expect(throws: StoreFault.self) { try RecordReader(scratch("no/such/menshen.db")) }
        try Connection.reading(path).execute("CREATE TABLE requests (id INTEGER)")
        #expect(throws: StoreFault.self) { try RecordReader(path) }
        let text = open(scratch("text"), O_WRONLY | O_CREAT, 0o600)
        #expect(write(text, "no database at all, but long enough to be one, if it were", 50) == 50)
        close(text)
        #expect(throws: StoreFault.self) { try RecordReader(scratch("text")) }
    }

    @Test func `an answer that takes long keeps no record waiting`() throws {
        let store = try store()
        let (entered, leave, arrived) = (Signal(), Signal(), Signal())
        let name = Mutex("")
        store.recent(limit: 1) { _ in
            var buffer = [UInt8](repeating: 0, count: 16)
            let file = open("/proc/thread-self/comm", O_RDONLY)
            let count = read(file, &buffer, buffer.count)
            close(file)
            name.withLock { $0 = String(decoding: buffer.prefix(max(0, count - 1)), as: UTF8.self) }
            entered.post()
            leave.wait()
        }
        entered.wait()
        let sink = Collector { _ in arrived.post() }
        #expect(store.submit(.intent(intent(id(1))), to: sink))
        arrived.wait()
        #expect(sink.devices == [.database])
        leave.post()
        #expect(recent(store).map(\.id) == [id(1)])
        store.close()
        #expect(name.withLock { $0 } == "reports")
    }

    @Test
    func `what was submitted before a question is in its answer, and each question is answered once, at the end too`()
        throws
    {
        let store = try store()
        let answers = Mutex<[Int]>([])
        for number in 1...50 {
            #expect(store.submit(.settled(settlement(intent(id(Int64(number))))), to: nil))
            store.recent(limit: 100) { rows in answers.withLock { $0.append(rows.count) } }
        }
        store.close()
        store.recent(limit: 100) { rows in answers.withLock { $0.append(rows.count) } }
        let counts = answers.withLock { $0 }
        #expect(counts.count == 51 && counts.last == 0)
        for (number, count) in counts.dropLast().enumerated() { #expect(count > number) }
    }

    @Test func `damage that only a question finds is told, and the database is not written any more`()
        throws
    {
        let events = Events()
        let store = try store(events)
        for number in 1...200 { #expect(store.submit(.settled(settlement(intent(id(Int64(number))))), to: nil)) }
        #expect(recent(store).count == 10)
        let other = try Connection(path: path, .readWrite, busyMilliseconds: 5000)
        let root = try #require(try other.integer("SELECT rootpage FROM sqlite_schema WHERE name = 'requests'"))
        #expect(try other.checkpoint(truncating: true))
        // Not closed: that would drop this process's locks on the database.
        let file = open(path, O_WRONLY)
        #expect(pwrite(file, [UInt8](repeating: 0x5a, count: 4096), 4096, off_t((root - 1) * 4096)) == 4096)
        for _ in 0..<2 { #expect(recent(store).count == 0) }
        #expect(events.degradations.count == 1 && events.degradations[0].contains("damaged"), "\(events.degradations)")
        store.close()
    }
}
