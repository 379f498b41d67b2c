// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import MenshenStore
import SQLite
import Systemd
import Testing

@Suite struct StoreWorkerTests {
    let scratch = Scratch()
    let clock = ManualClock()
    let events = Events()
    let sink = Collector()

    private func settings(_ journal: FakeJournal? = nil) throws -> StoreSettings {
        let socket = try journal.map { try JournalSocket(path: $0.path) }
        var settings = StoreSettings(databasePath: scratch("state/deep/menshen.db"), journal: socket)
        let clock = clock
        settings.monotonic = { clock.now }
        settings.wall = { 1_800_000_000_000_000 }
        settings.busyMilliseconds = 0
        return settings
    }

    private func worker(_ settings: StoreSettings) -> StoreWorker {
        let events = events
        return StoreWorker(settings) { events.log($0) }
    }

    @Test func `a request leaves a row, its attempts and its bodies`() throws {
        let settings = try settings()
        let worker = worker(settings)
        let request = intent(id(1))
        worker.record([.intent(request)], sink)
        let reader = try Connection.reading(settings.databasePath)
        #expect(try reader.text("SELECT end_state FROM requests") == "open")
        var end = settlement(request)
        end.attempts.insert(
            AttemptRecord(
                provider: "spare", status: nil, reason: "connect", startedMicroseconds: 1, endedMicroseconds: 2), at: 0)
        end.requestBody = Array("{\"model\":\"x\"}".utf8)
        end.responseBody = []
        worker.record([.settled(end)], sink)
        #expect(sink.receipts == [AuditReceipt(id: request.id, device: .database)])
        #expect(
            try reader.text(
                "SELECT concat FROM (SELECT end_state||status||attempts||total_us||bytes_out AS concat FROM requests)")
                == "complete2002123456600")
        #expect(try reader.text("SELECT group_concat(provider || n) FROM attempts") == "spare1,openai2")
        #expect(try reader.text("SELECT CAST(bytes AS TEXT) FROM bodies WHERE kind = 'request'") == "{\"model\":\"x\"}")
        #expect(try reader.integer("SELECT length(bytes) FROM bodies WHERE kind = 'response'") == 0)
        #expect(try reader.text("SELECT request_id FROM request_log") == request.id.description)
        #expect(worker.status.recordsWritten == 1)
        worker.close()
        #expect(try reader.integrityCheck() == ["ok"])
    }

    @Test func `files are private and the directory is made private`() throws {
        umask(0o022)
        let worker = worker(try settings())
        worker.record([.intent(intent(id(1)))])
        for name in ["", "/menshen.db", "/menshen.db-wal", "/menshen.db-shm", "/menshen.db.lock"] {
            var status = stat()
            #expect(lstat(scratch("state/deep" + name), &status) == 0)
            #expect(status.st_mode & 0o777 == (name.isEmpty ? 0o700 : 0o600), "\(name)")
        }
        #expect(!events.all.contains { event in if case .directoryExposed = event { true } else { false } })
    }

    @Test func `a directory open to others is left alone and reported`() throws {
        mkdir(scratch("state"), 0o700)
        mkdir(scratch("state/deep"), 0o755)
        chmod(scratch("state/deep"), 0o755)
        let worker = worker(try settings())
        #expect(events.all.contains { event in if case .directoryExposed(_, 0o755) = event { true } else { false } })
        #expect(worker.status.degraded == nil)
    }

    @Test(arguments: [0o777, 0o775, 0o1777, 0o757] as [mode_t])
    func `a directory that others may write to is not used, and the words say how to mend it`(mode: mode_t) throws {
        mkdir(scratch("state"), 0o700)
        mkdir(scratch("state/deep"), 0o700)
        chmod(scratch("state/deep"), mode)
        let worker = worker(try settings())
        let reason = worker.status.degraded ?? ""
        #expect(reason.contains("other users may write to it"), "\(reason)")
        #expect(access(scratch("state/deep/menshen.db"), F_OK) != 0)
        let told = events.all.contains { event in
            if case .degraded(_, let fault, _) = event { fault.advice.contains("chmod 700") } else { false }
        }
        #expect(told)
    }

    @Test(arguments: ["-wal", "-shm", "-journal", ".lock"], ["link", "hard link"])
    func `a companion that leads elsewhere, or that somebody else has as well, is not used`(
        suffix: String, kind: String
    ) throws {
        mkdir(scratch("state"), 0o700)
        mkdir(scratch("state/deep"), 0o700)
        let other = scratch("other")
        close(open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
        let path = scratch("state/deep/menshen.db" + suffix)
        #expect((kind == "link" ? symlink(other, path) : link(other, path)) == 0)
        let worker = worker(try settings())
        let reason = worker.status.degraded ?? ""
        #expect(reason.contains(kind == "link" ? "not a regular file" : "a hard link"), "\(reason)")
    }

    @Test func `receipts come after the commit, once per sink and batch`() throws {
        let settings = try settings()
        let path = settings.databasePath
        let first = Collector { receipts in
            let visible = try? Connection.reading(path).count("requests")
            #expect(visible == 3 && receipts.count == 2)
        }
        let second = Collector()
        let worker = worker(settings)
        var batch = [
            Submission(entry: .intent(intent(id(1))), sink: first),
            Submission(entry: .intent(intent(id(2))), sink: second),
            Submission(entry: .intent(intent(id(3))), sink: first),
        ]
        worker.process(&batch, 0..<3)
        #expect(first.receipts.map(\.id) == [id(1), id(3)] && first.deliveries == 1)
        #expect(second.devices == [.database])
    }

    @Test func `a settlement without its intent still gives the whole row`() throws {
        let settings = try settings()
        let worker = worker(settings)
        worker.record([.settled(settlement(intent(id(7)), .timeout))])
        let reader = try Connection.reading(settings.databasePath)
        #expect(try reader.text("SELECT caller_exe || end_state FROM requests") == "/usr/bin/python3.11timeout")
    }

    @Test func `rows left open by a crash are settled as lost at the next start, and no others`() throws {
        let settings = try settings()
        do {
            let crashed = worker(settings)
            crashed.record([.intent(intent(id(1))), .intent(intent(id(2))), .intent(intent(id(3)))])
            crashed.record([.settled(settlement(intent(id(2))))])
        }
        let next = worker(settings)
        #expect(events.all.contains(.lostSettled(path: settings.databasePath, count: 2)))
        next.record([.intent(intent(id(4)))])
        let reader = try Connection.reading(settings.databasePath)
        #expect(
            try reader.text("SELECT group_concat(end_state) FROM (SELECT end_state FROM requests ORDER BY id)")
                == "lost,complete,lost,open")
    }

    @Test func `rows with ids of the older form keep their time and what belongs to them`() throws {
        let settings = try settings()
        let first = worker(settings)
        first.record([.settled(settlement(intent(id(5)))), .intent(intent(id(6)))], sink)
        first.close()
        let other = try Connection(path: settings.databasePath, .readWrite, busyMilliseconds: 1000)
        for table in [
            "requests SET id = id << 2", "attempts SET request_id = request_id << 2", "bookmarks SET id = id << 2",
        ] {
            try other.execute("UPDATE \(table)")
        }
        try other.execute("DELETE FROM migrations WHERE step LIKE '4 %'")
        let second = worker(settings)
        #expect(events.all.contains { if case .opened(_, ["4 ids until 2255"]) = $0 { true } else { false } })
        let reader = try Connection.reading(settings.databasePath)
        #expect(try reader.count("requests WHERE id = \(id(5).rawValue) AND end_state = 'complete'") == 1)
        #expect(try reader.count("requests WHERE id = \(id(6).rawValue) AND end_state = 'lost'") == 1)
        #expect(try reader.count("attempts WHERE request_id = \(id(5).rawValue)") > 0)
        #expect(try reader.text("SELECT strftime('%s', started, 'utc') FROM request_log LIMIT 1") == "1800000000")
        second.close()
    }

    @Test func `cache writes of the older form become one number with its lifetime`() throws {
        let settings = try settings()
        let first = worker(settings)
        first.record((1...6).map { .settled(settlement(intent(id($0)))) }, sink)
        first.close()
        let other = try Connection(path: settings.databasePath, .readWrite, busyMilliseconds: 1000)
        for name in [
            "caller_job", "caller_project", "rule", "client", "session", "agent", "asked_tier", "speed",
            "inference_geo", "stated_cost",
        ] { try other.execute("ALTER TABLE requests DROP COLUMN \(name)") }
        try other.execute("ALTER TABLE requests RENAME COLUMN cache_write TO cache_write_5m")
        try other.execute("ALTER TABLE requests RENAME COLUMN cache_write_ttl TO cache_write_1h")
        for (number, values) in [
            (1, "7, 0, NULL"), (2, "0, 7, NULL"), (3, "2, 5, '{\"web_search_requests\":1}'"), (4, "0, 0, NULL"),
            (5, "NULL, NULL, '{\"cache_write_tokens\":9}'"), (6, "NULL, NULL, NULL"),
        ] as [(Int64, String)] {
            try other.execute(
                """
                UPDATE requests SET (cache_write_5m, cache_write_1h, usage_other) = (\(values)) WHERE id = \(id(number).rawValue)
                """)
        }
        try other.execute("DELETE FROM migrations WHERE step LIKE '7 %'")
        let second = worker(settings)
        #expect(events.all.contains { if case .opened(_, ["7 clients, facts of cost"]) = $0 { true } else { false } })
        let reader = try Connection.reading(settings.databasePath)
        let rows = try reader.text(
            """
            SELECT group_concat(coalesce(cache_write, '-') || ' ' || coalesce(cache_write_ttl, '-') || ' ' ||
            coalesce(usage_other, '-'), char(10)) FROM (SELECT * FROM requests ORDER BY id)
            """)
        #expect(
            rows == """
                7 300 -
                7 3600 -
                7 - {"web_search_requests":1,"cache_write_5m":2,"cache_write_1h":5}
                0 - -
                9 - -
                - - -
                """)
        second.close()
    }

    @Test func `an id below the bookmark moves it back, so that its row can be found`() throws {
        let settings = try settings()
        do {
            let first = worker(settings)
            first.record([.settled(settlement(intent(id(100))))])
            first.close()
            let reader = try Connection.reading(settings.databasePath)
            #expect(try reader.integer("SELECT id FROM bookmarks WHERE name = 'settled_below'") == id(100).rawValue + 1)
        }
        do {
            let second = worker(settings)
            second.record([.intent(intent(id(50)))])
        }
        _ = worker(settings)
        #expect(events.all.contains(.lostSettled(path: settings.databasePath, count: 1)))
    }

    @Test func `the twenty-first refusal of a minute is counted, and a summary row tells`() throws {
        let settings = try settings()
        let worker = worker(settings)
        worker.record((0..<50).map { .refused(refusal($0), authenticated: false) }, sink)
        worker.record([.refused(refusal(60), authenticated: true)], sink)
        #expect(
            sink.devices == Array(repeating: .database, count: 20) + Array(repeating: .suppressed, count: 30) + [
                .database
            ])
        let reader = try Connection.reading(settings.databasePath)
        worker.rest()
        #expect(try reader.count("requests") == 21)
        clock.advance(seconds: 61)
        worker.rest()
        #expect(
            try reader.count("requests WHERE problem = 'refusals_summarised' AND count = 30 AND method IS NULL") == 1)
        #expect(try reader.integer("SELECT sum(count) FROM requests") == 51)
        worker.record((70..<100).map { .refused(refusal($0), authenticated: false) })
        worker.close()
        #expect(try reader.integer("SELECT sum(count) FROM requests") == 81)
    }

    @Test func `old rows go in small pieces, with all that belongs to them`() throws {
        var settings = try settings()
        settings.retentionDays = 1
        let worker = worker(settings)
        worker.rest()
        var old: [AuditEntry] = (0..<1200).map { .settled(settlement(intent(id($0, second: 1_799_900_000)))) }
        var withBody = settlement(intent(id(5000, second: 1_799_900_000)))
        withBody.requestBody = [1, 2, 3]
        old.append(.settled(withBody))
        worker.record(old + [.settled(settlement(intent(id(1))))])
        clock.advance(seconds: 3601)
        #expect(worker.doChore())
        let reader = try Connection.reading(settings.databasePath)
        #expect(try reader.count("requests") == 702)
        worker.rest()
        #expect(try reader.count("requests") == 1)
        #expect(try reader.count("attempts") == 1)
        #expect(try reader.count("bodies") == 0)
        #expect(events.all.contains(.expired(count: 1201, days: 1)))
        #expect(try reader.integer("PRAGMA freelist_count") ?? 99 < 5)
    }

    @Test func `the journal gets so many entries a second and then the number of the others`() throws {
        let journal = FakeJournal(scratch("journal"))
        var settings = try settings(journal)
        settings.requestEntriesPerSecond = 10
        let worker = worker(settings)
        worker.record((0..<25).map { .settled(settlement(intent(id($0)))) })
        let first = journal.entries()
        #expect(first.count == 10)
        #expect(first[0]["MESSAGE"] == "POST /v1/chat/completions 200 complete openai gpt-4o 123 ms")
        #expect(first[0]["MENSHEN_REQUEST_ID"] == id(0).description)
        #expect(first[0]["PRIORITY"] == "6" && first[0]["SYSLOG_IDENTIFIER"] == "menshen")
        #expect(first[0]["MENSHEN_CALLER_UID"] == "1000" && first[0]["MENSHEN_TTFB_US"] == "45000")
        #expect(first[0]["MENSHEN_AUDIT_DEVICE"] == nil)
        worker.rest()
        #expect(journal.entries().isEmpty)
        clock.advance(seconds: 2)
        worker.rest()
        let notice = journal.entries()
        #expect(notice.map { $0["MENSHEN_COUNT"] } == ["15"])
        #expect(notice[0]["MESSAGE"]?.hasPrefix("15 requests not journalled") == true)
        #expect(worker.status.notJournalled == 15)
    }

    @Test func `what a full queue of the journal refuses is sent again, in its order`() throws {
        // Bound and never read from, until the test does.
        let path = scratch("deaf")
        let socket = try DeafJournal(path)
        var settings = try settings()
        settings.journal = try JournalSocket(path: path)
        let worker = worker(settings)
        // Fewer than the limit of a second.
        let count = 80
        for number in 0..<count { worker.record([.settled(settlement(intent(id(Int64(number)))))]) }
        #expect(worker.status.notJournalled == 0)
        var seen: [String] = []
        for _ in 0..<count where seen.count < count {
            seen += socket.read()
            clock.advance(seconds: 1)
            worker.rest()
        }
        seen += socket.read()
        #expect(seen == (0..<count).map { id(Int64($0)).description })
        #expect(worker.status.notJournalled == 0)
    }

    @Test func `a journal that is absent or full costs no record`() throws {
        let journal = FakeJournal(scratch("journal"))
        let settings = try settings(journal)
        let worker = worker(settings)
        unlink(journal.path)
        worker.record([.settled(settlement(intent(id(1))))])
        #expect(worker.status.notJournalled == 1)
        #expect(try Connection.reading(settings.databasePath).count("requests") == 1)
    }
}
