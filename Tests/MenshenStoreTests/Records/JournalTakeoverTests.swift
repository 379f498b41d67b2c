// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import MenshenStore
import SQLite
import Synchronization
import Systemd
import TestSupport
import Testing

/// What only the journal has comes into the database, whatever died in between. The journal is a real one; a worker that is
/// let go without `close` stands for a process that was killed.
@Suite(.enabled(if: JournalFiles.isPossible, "systemd-journal-remote is not installed"))
struct JournalTakeoverTests {
    private let scratch = Scratch()
    private let clock = ManualClock()
    private let events = Events()
    private let relay: JournalRelay
    private var settings: StoreSettings

    init() throws {
        relay = JournalRelay(scratch("journal.sock"), JournalFiles(scratch("journal")))
        settings = StoreSettings(
            databasePath: scratch("menshen.db"), journal: try JournalSocket(path: relay.path))
        settings.journalSource = .directory(relay.files.directory)
        let clock = clock
        settings.monotonic = { clock.now }
        // Before the requests of these tests, which so count as this process's own.
        settings.wall = { 1_700_000_000_000_000 }
        settings.retentionDays = nil
        chmod(scratch.path, 0o700)
    }

    private func worker(_ settings: StoreSettings? = nil) -> StoreWorker {
        let events = events
        return StoreWorker(settings ?? self.settings) { events.log($0) }
    }

    /// A process that has no database, and is killed once the journal has what it recorded.
    private func killed(_ entries: [AuditEntry]) throws {
        mkdir(settings.databasePath, 0o700)
        let worker = worker()
        for entry in entries {
            worker.record([entry])
            relay.collect()
        }
        try relay.write()
        rmdir(settings.databasePath)
    }

    /// Lets the worker look as often as it wants to.
    private func look(_ worker: StoreWorker) {
        for _ in 0..<6 {
            clock.advance(seconds: 3)
            worker.rest()
        }
    }

    private var takenOver: [Int] {
        events.all.compactMap { event in if case .takenOver(let count) = event { count } else { nil } }
    }

    private var notReadBack: [Int] {
        events.all.compactMap { event in if case .notReadBack(let missing, _) = event { missing } else { nil } }
    }

    private func dump(_ path: String) throws -> String? {
        let reader = try Connection.reading(path)
        let columns = try #require(try reader.text("SELECT group_concat(name) FROM pragma_table_info('requests')"))
        let quoted = columns.split(separator: ",").map { "quote(\($0))" }.joined(separator: " || ',' || ")
        return try reader.text(
            """
            SELECT (SELECT group_concat(\(quoted), char(10)) FROM requests) || char(10) ||
            (SELECT group_concat(request_id || '|' || n || '|' || provider || '|' || quote(status) || '|' || reason || '|' ||
            started_us || '|' || ended_us || '|' || quote(key_n) || '|' || quote(model), char(10)) FROM attempts)
            """)
    }

    @Test func `requests of an earlier process are told of, to whoever counts what was spent`() throws {
        try killed([.settled(full(1)), .settled(full(2))])
        let told = Told()
        var later = settings
        later.wall = { 3_000_000_000_000_000 }
        later.takenOver.listen { ids in told.ids.withLock { $0.append(ids) } }
        let worker = worker(later)
        look(worker)
        #expect(told.ids.withLock { $0 } == [[id(1), id(2)]])
        var found: [PastRequest] = []
        try RecordReader(settings.databasePath).pastRequests([id(2), id(3)]) { found.append($0) }
        #expect(found.map(\.time) == [id(2).microseconds / 1_000_000] && found.map(\.token) == ["ci"])
        #expect(found[0].caller?.uid == 1000 && found[0].caller?.job == "123.batch")
        // Its own are known already.
        var own = settings
        own.takenOver = TakenOver()
        own.takenOver.listen { _ in Issue.record("of this process") }
        unlink(settings.databasePath)
        for end in ["-wal", "-shm"] { unlink(settings.databasePath + end) }
        look(self.worker(own))
    }

    private final class Told: Sendable {
        let ids = Mutex<[[RequestID]]>([])
    }

    /// With a value in every column.
    private func full(_ number: Int64) -> AuditSettlement {
        var end = settlement(
            AuditIntent(
                id: id(number),
                caller: CallerRecord(
                    uid: 1000, pid: 42, executable: "/usr/bin/node", unit: "x.scope", job: "123.batch",
                    project: "/code/p", address: "unix"), tokenName: "ci", method: "POST", path: "/v1/responses",
                dialect: .openai, operation: .responses, provider: "openai", model: "gpt-5", isStream: false,
                client: ClientFacts(client: "codex", session: "s-1", agent: "a-1"), rule: "unix"), .streamError)
        end.attempts = [
            AttemptRecord(
                provider: "first one", key: 2, model: "big model", status: 429, reason: "rate_limited",
                startedMicroseconds: 1, endedMicroseconds: 2),
            AttemptRecord(
                provider: "openai", status: nil, reason: "connect", startedMicroseconds: 3, endedMicroseconds: 4),
        ]
        end.problem = "overloaded_error"
        end.messagesIn = 3
        end.messagesOut = 4
        var usage = Usage()
        for (count, path) in [
            \Usage.inputTotal, \.inputUncached, \.cacheRead, \.cacheWrite, \.outputTotal, \.reasoning, \.audioIn,
            \.audioOut, \.imageIn, \.imageOut,
        ].enumerated() { usage[keyPath: path] = Int64(100 + count) }
        usage.seconds = 1.25
        usage.other = [Usage.Extra(name: "web_search_requests", count: 2)]
        usage.lifetimes = [CacheWrite(seconds: 1800, tokens: 103)]
        usage.statedCost = Money(picodollars: 4_200_000_000)
        usage.inferenceGeo = "us"
        usage.raw = Array("{\n \"total\": 1}".utf8)
        end.usageState = .partial
        end.answer = AnswerRecord(
            usage: usage, model: "gpt-4o-2024", finishReason: "stop", serviceTier: "default", askedTier: "auto",
            speed: "fast", endUser: "u 1",
            masking: [])
        var saved = Usage()
        saved.inputTotal = 7
        saved.outputTotal = 8
        end.cache = CacheRecord(.hit, source: id(1), saved: saved)
        return end
    }

    // MARK: What comes back

    @Test func `a row from the journal is the row that the database would have had`() throws {
        let ends = [full(1), settlement(intent(id(2))), refusal(3)]
        try killed(ends.map { .refused($0, authenticated: true) })
        look(worker())
        var other = settings
        other.databasePath = scratch("direct.db")
        other.journal = nil
        other.journalSource = nil
        worker(other).record(ends.map { .refused($0, authenticated: true) })
        let direct = try #require(try dump(other.databasePath))
        #expect(direct.contains("web_search_requests"))
        #expect(try dump(settings.databasePath) == direct)
        #expect(takenOver == [3] && notReadBack.isEmpty)
    }

    @Test func `cache writes that an older menshen has told the journal come back under their new names`() throws {
        mkdir(settings.databasePath, 0o700)
        var entry = JournalEntry()
        for (name, value) in [
            ("MESSAGE", "older"), ("MENSHEN_AUDIT_DEVICE", "journal"), ("MENSHEN_DATABASE", settings.databasePath),
            ("MENSHEN_REQUEST_ID", id(1).description), ("MENSHEN_END_STATE", "complete"),
            ("MENSHEN_CACHE_WRITE_5M", "2"), ("MENSHEN_CACHE_WRITE_1H", "5"),
            ("MENSHEN_USAGE_OTHER", "1 web_search_requests"),
        ] { entry.append(name, value) }
        #expect(settings.journal?.send(entry) == true)
        relay.collect()
        try relay.write()
        rmdir(settings.databasePath)
        look(worker())
        let row = try Connection.reading(settings.databasePath).text(
            "SELECT cache_write || coalesce(cache_write_ttl, '-') || usage_other FROM requests")
        #expect(row == #"7-{"web_search_requests":1,"cache_write_5m":2,"cache_write_1h":5}"#)
    }

    @Test func `a request that ended is whole, one whose end nobody saw is lost`() throws {
        try killed([
            .intent(intent(id(1))), .intent(intent(id(2))), .settled(settlement(intent(id(1)))),
        ])
        var later = settings
        later.wall = { 1_900_000_000_000_000 }
        look(worker(later))
        let reader = try Connection.reading(settings.databasePath)
        #expect(try reader.text("SELECT group_concat(end_state) FROM requests") == "complete,lost")
        #expect(try reader.integer("SELECT count(*) FROM attempts") == 1)
    }

    @Test func `a lost request of which the journal knows more is a correction in the chain, and in an export`() throws
    {
        try killed([.settled(settlement(intent(id(1))))])
        var deaf = settings
        (deaf.journal, deaf.journalSource) = (nil, nil)
        do { worker(deaf).record([.intent(intent(id(1)))]) }
        // The next start finds it open.
        worker(deaf).close()
        func export(_ place: ExportPlace) throws -> (text: String, place: ExportPlace) {
            let export = try RecordExport(settings.databasePath, .ndjson, from: place, range: 0..<Int64.max)
            var lines: [UInt8] = []
            while try export.next(&lines) {}
            return (String(decoding: lines, as: UTF8.self), export.place)
        }
        let before = try export(.start)
        #expect(before.text.contains(#""end_state":"lost""#) && before.text.contains(#""correction":0"#))
        look(worker())
        let after = try export(before.place)
        #expect(after.text.contains(#""end_state":"complete""#) && after.text.contains(#""correction":1"#))
        #expect(try export(.start).text.split(separator: "\n").count == 1)
        let outcome = try ChainAudit.run(settings.databasePath)
        #expect(outcome.findings == [] && outcome.corrected == 1 && outcome.rows == 1)
    }

    @Test func `a request of this process that is under way stays open, and is settled in its time`() throws {
        mkdir(settings.databasePath, 0o700)
        let worker = worker()
        worker.record([.intent(intent(id(1)))])
        relay.collect()
        try relay.write()
        rmdir(settings.databasePath)
        clock.advance(seconds: 2)
        worker.record([.intent(intent(id(2)))])
        look(worker)
        let reader = try Connection.reading(settings.databasePath)
        #expect(try reader.text("SELECT group_concat(end_state) FROM requests") == "open,open")
        worker.record([.settled(settlement(intent(id(1))))])
        #expect(try reader.text("SELECT group_concat(end_state) FROM requests") == "complete,open")
    }

    @Test mutating func `refusals that were only counted are counted once`() throws {
        settings.refusalRowsPerMinute = 1
        mkdir(settings.databasePath, 0o700)
        let first = worker()
        first.record((1...5).map { .refused(refusal($0), authenticated: false) })
        clock.advance(seconds: 61)
        first.rest()
        relay.collect()
        try relay.write()
        rmdir(settings.databasePath)
        look(worker())
        look(worker())
        let reader = try Connection.reading(settings.databasePath)
        #expect(try reader.integer("SELECT sum(count) FROM requests") == 5)
        #expect(try reader.integer("SELECT count(*) FROM requests") == 2)
    }

    // MARK: Exactly once

    @Test func `a process killed half way through is followed by one that goes on there`() throws {
        try killed((1...150).map { .refused(refusal($0), authenticated: true) })
        var second: StoreWorker? = worker()
        clock.advance(seconds: 3)
        // Opens the journal, takes 64 entries, and dies.
        #expect(second?.doChore() == true)
        #expect(second?.doChore() == true)
        second = nil
        let reader = try Connection.reading(settings.databasePath)
        let place = try reader.text("SELECT position FROM bookmarks WHERE name = 'journal'")
        #expect(try reader.count("requests") == 64)
        #expect(place != nil)
        do { look(worker()) }
        #expect(try reader.count("requests") == 150)
        #expect(try reader.text("SELECT position FROM bookmarks WHERE name = 'journal'") != place)
        // Nothing is left for a third.
        look(worker())
        #expect(try reader.count("requests") == 150)
        #expect(takenOver.count == 1)
    }

    @Test mutating func `a database that fails half way through gets the rest afterwards`() throws {
        try killed((1...100).map { .refused(refusal($0), authenticated: true) })
        settings.busyMilliseconds = 0
        let worker = worker()
        clock.advance(seconds: 3)
        #expect(worker.doChore() && worker.doChore())
        let other = try Connection.reading(settings.databasePath)
        try other.execute("BEGIN IMMEDIATE")
        worker.rest()
        #expect(worker.status.degraded != nil)
        try other.execute("ROLLBACK")
        clock.advance(seconds: 2)
        worker.record([.refused(refusal(200), authenticated: true)])
        #expect(worker.status.degraded == nil)
        look(worker)
        #expect(try other.count("requests") == 101)
    }

    @Test func `a row that says more stays as it is`() throws {
        try killed([.refused(settlement(intent(id(1))), authenticated: true), .intent(intent(id(2)))])
        let worker = worker()
        var end = settlement(intent(id(1)), .clientGone)
        end.requestBody = Array("kept".utf8)
        worker.record([.refused(end, authenticated: true), .refused(settlement(intent(id(2))), authenticated: true)])
        look(worker)
        let reader = try Connection.reading(settings.databasePath)
        #expect(try reader.text("SELECT group_concat(end_state) FROM requests") == "client_gone,complete")
        #expect(try reader.count("bodies") == 1)
        #expect(takenOver.isEmpty)
    }

    @Test func `entries of other databases, of other users and of none of ours are not taken`() throws {
        try killed([.refused(refusal(1), authenticated: true)])
        let mine = relay.written
        try relay.files.add(mine, uid: 4711)
        let text = String(decoding: mine[0], as: UTF8.self)
        try relay.files.add([
            Array(text.replacing("menshen.db", with: "another.db").utf8),
            Array(text.replacing("MENSHEN_REQUEST_ID=", with: "MENSHEN_REQUEST_ID=!").utf8),
            Array(text.replacing("MENSHEN_END_STATE=refused", with: "MENSHEN_END_STATE=no such").utf8),
            Array(text.replacing("MENSHEN_AUDIT_DEVICE=journal", with: "MENSHEN_AUDIT_DEVICE=other").utf8),
        ])
        look(worker())
        #expect(try Connection.reading(settings.databasePath).count("requests") == 1)
        #expect(takenOver == [1])
    }

    // MARK: What does not come back

    @Test mutating func `a journal that this user may not read is said once, with how many records it keeps`() throws {
        settings.journalSource = .directory(scratch("unreadable"))
        mkdir(scratch("unreadable"), 0o700)
        mkdir(settings.databasePath, 0o700)
        let worker = worker()
        worker.record([.intent(intent(id(1)))])
        worker.record([.settled(settlement(intent(id(1))))])
        rmdir(settings.databasePath)
        clock.advance(seconds: 2)
        worker.record([.intent(intent(id(2)))])
        look(worker)
        #expect(notReadBack == [2])
        look(worker)
        #expect(notReadBack == [2])
        // What was in memory is there all the same.
        let reader = try Connection.reading(settings.databasePath)
        #expect(try reader.text("SELECT group_concat(end_state) FROM requests") == "complete,open")
    }

    @Test func `without an outage the journal is looked at once and nothing is said`() throws {
        try relay.write()
        let worker = worker()
        worker.record([.intent(intent(id(1)))])
        look(worker)
        #expect(worker.timeout() == nil)
        #expect(takenOver.isEmpty && notReadBack.isEmpty)
    }
}

/// Stands in for journald: hands what it hears to a journal file.
final class JournalRelay {
    let path: String
    let files: JournalFiles
    private(set) var written: [[UInt8]] = []
    private var heard: [[UInt8]] = []
    private let descriptor: Int32

    init(_ path: String, _ files: JournalFiles) {
        self.path = path
        self.files = files
        descriptor = FakeJournal.listen(path)
    }

    deinit { close(descriptor) }

    func collect() {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = recv(descriptor, &buffer, buffer.count, 0), count >= 0 {
            heard.append(Array(buffer[..<count]))
        }
    }

    /// At least one entry, so that there is a file.
    func write() throws {
        collect()
        var mark = JournalEntry()
        mark.append("MESSAGE", "not menshen's")
        try files.add(heard + [mark.bytes])
        written += heard
        heard.removeAll()
    }
}
