// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Linux
import MenshenCore
import MenshenStore
import SQLite
import TestSupport
import Testing

/// Reports against SQL over the same rows, with and without roll-ups.
@Suite struct RecordReportsTests {
    private let scratch = Scratch()
    private var path: String { scratch("menshen.db") }
    /// A quarter to eleven, so that slots are cut at both ends.
    private let start: Int64 = 1_800_000_900

    /// Rows of 26 hours, of all kinds.
    private func fill(_ count: Int, seed: UInt64 = 1) throws {
        _ = StoreWorker(StoreSettings(databasePath: path, journal: nil)) { _ in }
        let connection = try Connection.reading(path)
        var chance = SeededGenerator(state: seed)
        let insert = try connection.prepare(
            """
            INSERT OR IGNORE INTO requests (id, token_name, caller_uid, provider, model, session, status, end_state,
                usage_state, input_total, output_total, cost, cost_state, ttfb_us, total_us, count, client, caller_project)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
            """)
        try connection.execute("BEGIN")
        for _ in 0..<count {
            let moment =
                start * 1_000_000 + Int64(chance.number(0...26 * 3600)) * 1_000_000 + Int64(chance.number(0...999_999))
            try insert.bind(1, RequestID(microseconds: moment).rawValue)
            let token = chance.chance(40) ? chance.pick(["ci", "laptop", ""]) : nil
            try insert.bind(2, token)
            try insert.bind(3, token == nil ? Int64(1000 + chance.number(0...3)) : nil)
            try insert.bind(4, chance.chance(90) ? chance.pick(["openai", "anthropic"]) : nil)
            try insert.bind(5, chance.chance(95) ? chance.pick(["gpt-6", "claude-opus", "claude-haiku", "<b>*"]) : nil)
            try insert.bind(6, chance.chance(50) ? "s\(chance.number(0...40))" : nil)
            let status = chance.chance(90) ? 200 : chance.pick([404, 429, 500, 502])
            try insert.bind(7, Int64(status))
            try insert.bind(
                8, chance.pick(["complete", "complete", "complete", "truncated", "client_gone", "open", "lost"]))
            let usage = chance.pick(["reported", "partial", "unknown", "none", nil])
            try insert.bind(9, usage)
            try insert.bind(10, chance.chance(80) ? Int64(chance.number(0...200_000)) : nil)
            try insert.bind(11, chance.chance(80) ? Int64(chance.number(0...3000)) : nil)
            let isPriced = chance.chance(70)
            try insert.bind(12, isPriced ? Int64(chance.number(0...900_000_000_000)) : nil)
            try insert.bind(
                13, isPriced ? chance.pick(["priced", "partial", "none"]) : chance.pick(["unpriced", nil]))
            try insert.bind(14, chance.chance(90) ? Int64(chance.number(1...9_000_000)) : nil)
            try insert.bind(15, Int64(chance.number(1...90_000_000)))
            try insert.bind(16, chance.chance(98) ? 1 : Int64(chance.number(2...50)))
            try insert.bind(17, chance.pick(["codex", "claude-code", nil]))
            try insert.bind(18, chance.chance(30) ? "/home/a/atlas" : nil)
            try insert.run()
        }
        try connection.execute("COMMIT")
    }

    /// Half-hours of the present day and one that is over.
    private var now: Int64 { start + 26 * 3600 + 7200 }

    private func rollUp() throws { try #require(try RollUps(path)).update(now: now) }

    /// "bucket|key|requests|failed|input|cost|unpriced", sorted.
    private func answer(_ query: ReportQuery) throws -> [String] {
        try RecordReports(path).rows(query).map { row in
            let sums: [ReportSums.Count] = [.requests, .failed, .inputTotal, .cost, .unpriced, .usageUnknown, .open]
            return (["\(row.bucket)"] + row.keys.map { $0 ?? "-" } + sums.map { "\(row.sums[$0])" })
                .joined(separator: "|")
        }.sorted()
    }

    private func oracle(_ edges: [Int64], _ key: String?, _ condition: String = "true") throws -> [String] {
        let connection = try Connection.reading(path)
        var found: [String] = []
        for bucket in 0..<edges.count - 1 {
            let rows = try connection.prepare(
                """
                SELECT \(key ?? "NULL"), sum(count),
                    sum(CASE WHEN status >= 400 OR end_state NOT IN ('complete', 'client_gone', 'open') THEN count ELSE 0 END),
                    coalesce(sum(input_total), 0), coalesce(sum(cost), 0),
                    sum(cost IS NULL AND usage_state IN ('reported', 'partial') AND coalesce(cost_state, '') <> 'none'),
                    sum(coalesce(usage_state, '') = 'unknown' OR end_state = 'lost' AND usage_state IS NULL),
                    sum(end_state = 'open')
                FROM requests WHERE id >= \(edges[bucket] * 1_000_000 << 10) AND id < \(edges[bucket + 1] * 1_000_000 << 10)
                AND (\(condition)) GROUP BY 1 HAVING count(*) > 0
                """)
            while try rows.step() {
                let numbers = (1...7).map { "\(rows.integer(Int32($0)) ?? 0)" }
                found.append(
                    (["\(bucket)"] + (key == nil ? [] : [rows.text(0) ?? "-"]) + numbers).joined(separator: "|"))
            }
        }
        return found.sorted()
    }

    /// Hours, half-hours of a zone that is off by a quarter, and one bucket that begins anywhere.
    private var divisions: [[Int64]] {
        [
            (0...26).map { start + $0 * 3600 }, (0...50).map { start - 900 + $0 * 1800 },
            (0...20).map { start + 900 + $0 * 4500 }, [start + 61, start + 86_000],
            [start - 5, start + 90, start + 3000],
        ]
    }

    @Test func `sums are those of SQL, in all divisions of time, from rows and from roll-ups`() throws {
        try fill(4000)
        for isRolledUp in [false, true] {
            if isRolledUp { try rollUp() }
            for edges in divisions {
                #expect(try answer(ReportQuery(edges: edges)) == oracle(edges, nil))
                #expect(try answer(ReportQuery(edges: edges, by: [.model])) == oracle(edges, "model"))
                #expect(
                    try answer(ReportQuery(edges: edges, by: [.caller]))
                        == oracle(edges, "coalesce(token_name, 'uid:' || caller_uid)"))
                #expect(
                    try answer(ReportQuery(edges: edges, by: [.provider, .outcome]))
                        == oracle(edges, "coalesce(provider, '-') || '|' || end_state"))
            }
        }
        #expect(try Connection.reading(path + "-reports").count("slots") > 40)
    }

    @Test func `filters hold all at once, with patterns, for what has no value, and for failures`() throws {
        try fill(3000)
        let edges = divisions[1]
        for isRolledUp in [false, true] {
            if isRolledUp { try rollUp() }
            func check(_ filters: [ReportFilter], _ condition: String) throws {
                let query = ReportQuery(edges: edges, by: [.model], where: filters)
                #expect(try answer(query) == oracle(edges, "model", condition))
            }
            try check([ReportFilter(.model, ["claude-*"])], "model LIKE 'claude-%'")
            try check([ReportFilter(.model, ["<b>*", nil])], "model = '<b>*' OR model IS NULL")
            try check([ReportFilter(.status, ["4xx"])], "status BETWEEN 400 AND 499")
            try check(
                [ReportFilter(.provider, ["openai"]), ReportFilter(.token, [nil])],
                "provider = 'openai' AND token_name IS NULL")
            try check([ReportFilter(.token, [""])], "token_name = ''")
            try check([ReportFilter(.session, ["none such"])], "false")
            let failed = "(status >= 400 OR end_state NOT IN ('complete', 'client_gone', 'open'))"
            try check([ReportFilter(.client, ["codex"]), .failed], "client = 'codex' AND \(failed)")
            try check(
                [ReportFilter.failed.or(ReportFilter(.outcome, ["open"]))], "\(failed) OR end_state = 'open'")
            try check(
                [
                    ReportFilter(.client, ["codex"]).or(ReportFilter(.model, ["gpt-6", nil])),
                    ReportFilter(.token, ["ci"]),
                ],
                "(client = 'codex' OR model = 'gpt-6' OR model IS NULL) AND token_name = 'ci'")
        }
    }

    @Test func `times of first bytes are within their histogram's resolution`() throws {
        try fill(2000)
        func medians() throws -> [String: Int64] {
            let rows = try RecordReports(path).rows(
                ReportQuery(edges: [start, now], by: [.provider], latency: true))
            return Dictionary(
                uniqueKeysWithValues: rows.map { ($0.keys[0] ?? "-", $0.firstBytes?.percentile(0.5) ?? 0) })
        }
        let direct = try medians()
        try rollUp()
        #expect(try medians() == direct)
        let times = try Connection.reading(path).prepare(
            "SELECT ttfb_us FROM requests WHERE provider = 'openai' AND ttfb_us IS NOT NULL ORDER BY 1")
        var all: [Int64] = []
        while try times.step() { all.append(times.integer(0) ?? 0) }
        let true50 = all[(all.count - 1) / 2]
        #expect(abs((direct["openai"] ?? 0) - true50) * 1000 < true50 * 40)
    }

    @Test func `what is written into a slot that is over counts, whoever writes it`() throws {
        let second = start / 1800 * 1800
        let clock = ManualClock()
        var settings = StoreSettings(databasePath: path, journal: nil)
        settings.wall = { UInt64(second + 1) * 1_000_000 + clock.now - 1_000_000_000 }
        let worker = StoreWorker(settings) { _ in }
        let late = intent(id(1, second: second))
        worker.record([.intent(late), .settled(settlement(intent(id(2, second: second))))])
        clock.advance(seconds: 1800)
        let edges = [second, second + 1800]
        let query = ReportQuery(edges: edges)
        try #require(try RollUps(path)).update(now: second + 1800 + 61)
        #expect(try answer(query) == oracle(edges, nil))
        #expect(try Connection.reading(path + "-reports").count("slots") == 1)

        // The open one ends now.
        worker.record([.settled(settlement(late, .truncated))])
        #expect(try Connection.reading(path).count("late") == 1)
        #expect(try answer(query) == oracle(edges, nil))
        try #require(try RollUps(path)).update(now: second + 1800 + 61)
        #expect(try answer(query) == oracle(edges, nil))

        // Prices are set, and the costs of rows computed anew.
        let text = "[[prices]]\nprovider = \"seller\"\nmodel = \"gpt-4o\"\ninput = 3\noutput = 1\n"
        let book = PriceBook(try #require(PriceOverlay.decode(Array(text.utf8), file: "p").overlay))
        try Connection.reading(path).execute(
            "UPDATE requests SET usage_state = 'reported', input_total = 7, output_total = 1")
        #expect(try CostRecalculation.run(path, since: 0, book: book, providers: ["openai": "seller"]).changed == 2)
        let costs = try answer(query)
        #expect(try costs == oracle(edges, nil) && !costs[0].contains("|0|0|0|0"))
        try #require(try RollUps(path)).update(now: second + 1800 + 61)
        #expect(try answer(query) == costs)
    }

    @Test func `a crash's lost rows count as lost`() throws {
        let second = start / 1800 * 1800
        var settings = StoreSettings(databasePath: path, journal: nil)
        settings.wall = { UInt64(second + 3600) * 1_000_000 }
        StoreWorker(settings) { _ in }.record([.intent(intent(id(1, second: second)))])
        let query = ReportQuery(edges: [second, second + 1800])
        try #require(try RollUps(path)).update(now: second + 3600)
        _ = StoreWorker(settings) { _ in }
        let rows = try RecordReports(path).rows(query)
        #expect(rows.map { $0.sums[.lost] } == [1] && rows.map { $0.sums[.open] } == [0])
    }

    @Test func `roll-ups of another database, damaged ones and those of deleted rows are not used`() throws {
        try fill(500)
        try rollUp()
        let edges = [start, now]
        let connection = try Connection.reading(path)
        try connection.execute("DELETE FROM requests WHERE provider = 'openai'")
        // Nobody told: the sums are what was rolled up. The identity is another's now, and they are made anew.
        try connection.execute("UPDATE bookmarks SET id = id + 1 WHERE name = 'identity'")
        #expect(try answer(ReportQuery(edges: edges)) == oracle(edges, nil))
        try rollUp()
        #expect(try answer(ReportQuery(edges: edges)) == oracle(edges, nil))

        let rollUps = try Connection.reading(path + "-reports")
        for damage in [
            "bytes = substr(bytes, 1, 700)", "bytes = x''", "bytes = zeroblob(5000)", "bytes = randomblob(3000)",
        ] {
            try rollUps.execute("UPDATE slots SET \(damage)")
            #expect(try answer(ReportQuery(edges: edges)) == oracle(edges, nil))
        }
        try connection.execute("DELETE FROM requests")
        try rollUp()
        #expect(try rollUps.count("slots") == 0)
    }

    @Test func `a file of roll-ups that is no database is made anew`() throws {
        try fill(200)
        try rollUp()
        try #require(truncateToText(path + "-reports"))
        #expect(try answer(ReportQuery(edges: [start, now])) == oracle([start, now], nil))
        try rollUp()
        #expect(try Connection.reading(path + "-reports").count("slots") > 10)
    }

    @Test func `a store makes roll-ups after a while, and when a slot with records is over`() throws {
        let second = start / 1800 * 1800
        let clock = ManualClock()
        var settings = StoreSettings(databasePath: path, retentionDays: nil, journal: nil)
        settings.monotonic = { clock.now }
        settings.wall = { UInt64(second + 3600) * 1_000_000 + clock.now - 1_000_000_000 }
        let store = try AuditStore(settings: settings) { _ in }
        var rolledUp: Connection {
            get throws { try Connection(path: path + "-reports", .readOnly, busyMilliseconds: 1000) }
        }
        func settle() {
            let answered = Signal()
            store.ask { (_) throws(StoreFault) in
                answered.post()
            } fail: {
                answered.post()
            }
            answered.wait()
        }
        func slots(_ expected: Int64) throws {
            let patience = Clock.monotonic() + 10_000_000
            while ((try? rolledUp.count("slots")) ?? 0) < expected {
                try #require(Clock.monotonic() < patience)
                store.wake()
                let answered = Signal()
                store.ask { (_) throws(StoreFault) in
                    answered.post()
                } fail: {
                    answered.post()
                }
                answered.wait()
            }
            #expect(try rolledUp.count("slots") == expected)
        }
        // Of an hour ago, taken over late.
        #expect(store.submit(.settled(settlement(intent(id(1, second: second)))), to: nil))
        settle()
        clock.advance(seconds: 121)
        try slots(1)
        #expect(store.submit(.settled(settlement(intent(id(1, second: second + 3700)))), to: nil))
        settle()
        clock.advance(seconds: 1800 - 121 + 61)
        try slots(2)
        store.close()
    }

    @Test func `roll-ups that break off in the middle are none, and damage in them is none of the records'`() throws {
        try fill(4000)
        try rollUp()
        let edges = [start, now]
        let expected = try oracle(edges, "model")
        let rollUps = try Connection.reading(path + "-reports")
        try rollUps.checkpoint(truncating: true)
        let pages = try rollUps.integer("PRAGMA page_count") ?? 0
        try #require(pages > 40)
        for page in stride(from: Int64(8), to: pages, by: 3) {
            try #require(overwrite(path + "-reports", at: page * 4096))
        }
        let reports = try RecordReports(path)
        for _ in 0..<2 {
            #expect(try reports.rows(ReportQuery(edges: edges, by: [.model])).count == expected.count)
            #expect(try answer(ReportQuery(edges: edges, by: [.model])) == expected)
        }
        try rollUp()
        #expect(try answer(ReportQuery(edges: edges, by: [.model])) == expected)
        #expect(try Connection(path: path + "-reports", .readOnly, busyMilliseconds: 0).integrityCheck() == ["ok"])
    }

    @Test func `a roll-up whose places, times or names lie outside it is none`() throws {
        try fill(600)
        try rollUp()
        let edges = [start, now]
        let rollUps = try Connection.reading(path + "-reports")
        let slots = try rollUps.prepare("SELECT slot, bytes FROM slots")
        var blobs: [(slot: Int64, bytes: [UInt8])] = []
        while try slots.step() { blobs.append((slots.integer(0) ?? 0, slots.bytes(1) ?? [])) }
        slots.reset()
        let update = try rollUps.prepare("UPDATE slots SET bytes = ?2 WHERE slot = ?1")
        var chance = SeededGenerator(state: 7)
        // One byte after another says something else, behind the counts that give the columns their length too.
        for _ in 0..<300 {
            let (slot, bytes) = chance.pick(blobs)
            var altered = bytes
            for _ in 0..<3 { altered[chance.number(5...bytes.count - 1)] = UInt8(chance.number(0...255)) }
            try update.bind(1, slot)
            try update.run(2, bytes: altered)
            _ = try answer(
                ReportQuery(
                    edges: edges, by: [chance.pick(Dimension.allCases), .model],
                    where: [ReportFilter(chance.pick(Dimension.allCases), ["*", nil])], latency: true))
            try update.bind(1, slot)
            try update.run(2, bytes: bytes)
        }
        #expect(try answer(ReportQuery(edges: edges, by: [.model])) == oracle(edges, "model"))
        try rollUps.execute("UPDATE names SET id = -id")
        _ = try answer(ReportQuery(edges: edges, by: [.model], where: [ReportFilter(.provider, ["openai"])]))
    }

    @Test func `what retention has deleted is in no sum, from the middle of a slot and before`() throws {
        var settings = StoreSettings(databasePath: path, retentionDays: nil, journal: nil)
        try fill(3000)
        try rollUp()
        let cutoff = start + 8 * 3600 + 700
        settings.retentionDays = 1
        settings.wall = { UInt64(cutoff + 86_400) * 1_000_000 }
        let worker = StoreWorker(settings) { _ in }
        worker.rest()
        let edges = (0...26).map { start + $0 * 3600 }
        let left = try oracle(edges, "model")
        #expect(try Connection.reading(path).count("requests WHERE id < \(cutoff * 1_000_000 << 10)") == 0)
        #expect(try answer(ReportQuery(edges: edges, by: [.model])) == left)
        try rollUp()
        #expect(try answer(ReportQuery(edges: edges, by: [.model])) == left)
    }

    @Test func `another program's file of that name is left alone`() throws {
        try fill(50)
        let other = try Connection.reading(path + "-reports")
        try other.execute("CREATE TABLE names (mine TEXT); INSERT INTO names VALUES ('kept')")
        #expect(throws: StoreFault.self) { try RollUps(path) }
        #expect(try answer(ReportQuery(edges: [start, now])) == oracle([start, now], nil))
        #expect(try other.text("SELECT mine FROM names") == "kept")
    }

    @Test func `sums stop at the largest and the smallest number`() throws {
        try fill(0)
        let connection = try Connection.reading(path)
        for (number, value) in [Int64.max, .max, .min, .min].enumerated() {
            try connection.execute(
                """
                INSERT INTO requests (id, end_state, provider, input_total, cost)
                VALUES (\((start * 1_000_000 + Int64(number)) << 10), 'complete', '\(value > 0 ? "up" : "down")', \(value), \(value))
                """)
        }
        let rows = try RecordReports(path).rows(ReportQuery(edges: [start, now], by: [.provider]))
        #expect(Set(rows.map { $0.sums[.inputTotal] }) == [.max, .min])
    }
}

/// Writes nonsense over 64 bytes of a file.
private func overwrite(_ path: String, at place: Int64) -> Bool {
    let file = open(path, O_WRONLY)
    defer { close(file) }
    return pwrite(file, [UInt8](repeating: 0xA5, count: 64), 64, Int(place)) == 64
}
