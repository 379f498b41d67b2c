// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import MenshenStore
import SQLite
import Testing

/// The chain of hashes over settled rows.
@Suite struct ChainTests {
    private let scratch = Scratch()
    private let clock = ManualClock()
    private var path: String { scratch("menshen.db") }

    private func settings(retentionDays: Int? = nil, wall: UInt64 = 1_800_000_000_000_000) -> StoreSettings {
        var settings = StoreSettings(databasePath: path, retentionDays: retentionDays, journal: nil)
        let clock = clock
        settings.monotonic = { clock.now }
        settings.wall = { wall }
        return settings
    }

    private func worker(_ settings: StoreSettings? = nil) -> StoreWorker {
        StoreWorker(settings ?? self.settings()) { _ in }
    }

    private func end(_ number: Int64) -> AuditEntry { .settled(settlement(intent(id(number)))) }

    private func verify(_ place: ChainPlace? = nil) throws -> ChainAudit.Outcome {
        try ChainAudit.run(path, place: place)
    }

    private func change(_ sql: String) throws { try Connection.reading(path).execute(sql) }

    /// With a value in every column that a settlement may have.
    private func full(_ number: Int64) -> AuditSettlement {
        let facts = AuditIntent(
            id: id(number),
            caller: CallerRecord(
                uid: 0, pid: 1, executable: "/e", unit: "u", job: "1.0", project: "/p", address: "unix"),
            tokenName: "t", method: "POST", path: "/v1/\u{0}\n\u{1F600}", dialect: .openai, operation: .chat,
            provider: "p", model: "m", isStream: false, client: ClientFacts(client: "c", session: "s", agent: "a"),
            rule: "unix")
        var end = settlement(facts)
        var usage = Usage()
        for key in Usage.counts { usage[keyPath: key] = .max }
        usage.seconds = 2.5
        usage.other = [Usage.Extra(name: "web", count: 3)]
        usage.raw = Array("{\"a\":\"\u{e9}\"}".utf8)
        end.answer = AnswerRecord(
            usage: usage, model: "m", finishReason: "stop", serviceTier: "t", askedTier: "", speed: "fast",
            endUser: "u", masking: [])
        end.usageState = .reported
        end.cache = CacheRecord(.hit, source: id(1), saved: usage)
        (end.messagesIn, end.messagesOut) = (4, 0)
        end.problem = "p"
        end.cost = Cost(Money(picodollars: -5), .partial, reason: "r", priceVersion: "v")
        end.attempts = [
            AttemptRecord(
                provider: "p", key: 2, model: "o", status: nil, reason: "reset", startedMicroseconds: 1,
                endedMicroseconds: 2),
            AttemptRecord(provider: "p", status: 200, reason: "ok", startedMicroseconds: 0, endedMicroseconds: 2),
        ]
        return end
    }

    @Test func `every row is as it was written, however it came to be`() throws {
        let worker = worker()
        worker.record([.intent(intent(id(1))), end(2), .settled(full(3))])
        worker.record([end(1), .refused(refusal(4), authenticated: true)])
        worker.record((10...40).map { .refused(refusal($0), authenticated: false) })
        worker.record([.intent(intent(id(50)))])
        worker.close()
        let first = try verify()
        // Twenty of them, and one summary row; what is open is nobody's yet.
        #expect(first.findings == [] && first.rows == 25 && first.older == 0)
        // What a kill leaves open is settled as lost.
        let second = self.worker()
        second.record([end(60)])
        let outcome = try verify(first.head)
        #expect(outcome.findings == [] && outcome.rows == 27 && outcome.links > first.links)
        #expect(try RecordReader(path).chainHead() == outcome.head)
        second.close()
    }

    @Test func `no two columns are known by the same bytes`() {
        // As the manual says it.
        func tag(_ name: String) -> UInt32 {
            let hash = name.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
            return (hash ^ hash >> 16) & 0xFFFF
        }
        for columns in [RecordColumns.columns, AttemptColumns.columns] {
            let names = columns.map(\.name) + ["attempts.n"]
            #expect(Set(names.map(tag)).count == names.count)
        }
    }

    @Test(
        arguments: [
            "UPDATE requests SET cost = 1 WHERE id = ?", "UPDATE requests SET model = 'm ' WHERE id = ?",
            "UPDATE requests SET problem = '' WHERE id = ?", "UPDATE requests SET seconds = 1 WHERE id = ?",
            "UPDATE requests SET count = 2 WHERE id = ?", "UPDATE requests SET end_state = 'open' WHERE id = ?",
            "UPDATE attempts SET status = 201 WHERE request_id = ?", "DELETE FROM attempts WHERE request_id = ?",
            "INSERT INTO attempts SELECT request_id, 2, provider, status, reason, started_us, ended_us, key_n, model FROM attempts WHERE request_id = ?",
        ])
    func `a row that was changed is named`(sql: String) throws {
        let worker = worker()
        worker.record((1...5).map(end))
        #expect(try verify().findings == [])
        try change(sql.replacing("?", with: "\(id(3).rawValue)"))
        #expect(try verify().findings == [.changed(id(3))])
        worker.close()
    }

    @Test func `a row that was removed or inserted is named, and so are links that were touched`() throws {
        let worker = worker()
        for number in 1...6 as ClosedRange<Int64> { worker.record([end(number)]) }
        worker.close()
        let head = try #require(try verify().head)
        try change("DELETE FROM requests WHERE id = \(id(2).rawValue)")
        #expect(try verify().findings == [.removed(id(2))])
        try change("INSERT INTO requests (id, end_state) VALUES (\(id(9).rawValue), 'complete')")
        #expect(try verify().findings == [.removed(id(2)), .inserted(id(9))])
        // The row's own link goes with it: the next one no longer follows.
        try change("DELETE FROM requests WHERE id = \(id(9).rawValue); DELETE FROM chain WHERE seq = 3")
        #expect(try verify().findings == [.missing(3...3)])
        try change("UPDATE chain SET seq = seq - 1 WHERE seq > 3")
        #expect(try verify().findings.first == .broken(seq: 3))
        // The end cut off shows against a head that was kept.
        try change("DELETE FROM chain WHERE seq > 2; DELETE FROM requests WHERE id > \(id(1).rawValue)")
        #expect(try verify().findings == [])
        #expect(try verify(head).findings == [.foreign(head)])
    }

    @Test func `a rolled back transaction leaves neither row nor link, and the chain goes on`() throws {
        let worker = worker()
        worker.record([end(1)])
        let before = try verify()
        let other = try Connection.reading(path)
        try other.execute("BEGIN IMMEDIATE")
        worker.record([end(2)])
        try other.execute("COMMIT")
        #expect(try verify().links == before.links)
        clock.advance(seconds: 2)
        worker.record([end(3)])
        let after = try verify(before.head)
        #expect(after.findings == [] && after.rows == 3)
        worker.close()
    }

    @Test func `what was there before is no part of it, and costs that are computed anew are`() throws {
        let first = worker()
        first.record((1...3).map(end))
        first.close()
        try change("DELETE FROM chain")
        let worker = worker()
        worker.record((4...6).map(end))
        var outcome = try verify()
        #expect(outcome.findings == [] && outcome.rows == 3 && outcome.older == 3)
        let text = "[[prices]]\nprovider = \"seller\"\nmodel = \"gpt-4o\"\ninput = 1\noutput = 1\n"
        let book = PriceBook(try #require(PriceOverlay.decode(Array(text.utf8), file: "p").overlay))
        let done = try CostRecalculation.run(path, since: 0, book: book, providers: ["openai": "seller"])
        #expect(done.changed == 6)
        worker.record([end(7)])
        outcome = try verify()
        #expect(outcome.findings == [] && outcome.recomputed == 6 && outcome.rows == 7 && outcome.older == 0)
        try change("UPDATE requests SET cost = 7 WHERE id = \(id(5).rawValue)")
        #expect(try verify().findings == [.changed(id(5))])
        worker.close()
    }

    @Test func `retention leaves an anchor from which the chain can still be followed`() throws {
        let day: Int64 = 86_400
        let second = 1_800_000_000 - 9 * day
        let old = { (number: Int64) in AuditEntry.settled(settlement(intent(id(number, second: second)))) }
        let first = worker()
        for number in 1...700 as ClosedRange<Int64> { first.record([old(number)]) }
        // One link has an old row and a new one.
        first.record([old(800), end(1)])
        first.record([end(2)])
        first.close()
        let head = try #require(try verify().head)
        let worker = worker(settings(retentionDays: 7))
        worker.rest()
        let reader = try Connection.reading(path)
        #expect(try reader.count("requests") == 2)
        var outcome = try verify(head)
        #expect(outcome.findings == [] && outcome.rows == 2 && outcome.links < 20, "\(outcome)")
        #expect(outcome.expired == Int64(1_800_000_000 - 7 * day) * 1_000_000)
        worker.record([end(3)])
        // What retention had no hand in is still missed.
        try change("DELETE FROM requests WHERE id = \(id(2).rawValue)")
        outcome = try verify(head)
        #expect(outcome.findings == [.removed(id(2))])
        try change("UPDATE chain SET rows = zeroblob(48) WHERE act = 'expired'")
        #expect(try verify().findings.count > 1)
        worker.close()
    }
}
