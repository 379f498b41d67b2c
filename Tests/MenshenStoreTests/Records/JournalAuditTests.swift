// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import MenshenStore
import SQLite
import Systemd
import TestSupport
import Testing

/// The journal as a second witness: what its entries have, and how they are compared with the rows.
@Suite(.enabled(if: JournalFiles.isPossible, "systemd-journal-remote is not installed"))
struct JournalAuditTests {
    private let scratch = Scratch()
    private let relay: JournalRelay
    private let settings: StoreSettings

    init() throws {
        relay = JournalRelay(scratch("journal.sock"), JournalFiles(scratch("journal")))
        var settings = StoreSettings(
            databasePath: scratch("menshen.db"), retentionDays: nil, journal: try JournalSocket(path: relay.path))
        settings.wall = { 1_800_000_000_000_000 }
        self.settings = settings
        chmod(scratch.path, 0o700)
    }

    private func priced(_ number: Int64) -> AuditSettlement {
        var end = settlement(intent(id(number)))
        var usage = Usage()
        (usage.inputTotal, usage.inputUncached, usage.cacheRead, usage.outputTotal) = (1000, 900, 100, 10)
        usage.seconds = 0.1
        usage.other = [.init(name: "web_search_requests", count: 2), .init(name: "a_requests", count: 1)]
        usage.raw = Array("{}".utf8)
        end.usageState = .reported
        end.answer = AnswerRecord(
            usage: usage, model: "gpt-4o-2024", finishReason: "stop", serviceTier: "flex", endUser: "u", masking: [])
        end.cost = Cost(Money(picodollars: 12_345_678_901_234), .priced, reason: nil, priceVersion: "v1")
        return end
    }

    private func compare(_ path: String? = nil) throws -> JournalAudit.Outcome {
        let audit = JournalAudit(directory: relay.files.directory, path: path ?? settings.databasePath)
        _ = try ChainAudit.run(settings.databasePath, journal: audit)
        return audit.outcome
    }

    private func record(_ ends: [AuditSettlement]) throws {
        let worker = StoreWorker(settings) { _ in }
        for end in ends {
            worker.record([.settled(end)])
            relay.collect()
        }
        worker.close()
        try relay.write()
    }

    @Test func `an entry of a request that the database has carries what a bill is made of`() throws {
        let journal = FakeJournal(scratch("fake.sock"))
        var settings = settings
        settings.journal = try JournalSocket(path: journal.path)
        let worker = StoreWorker(settings) { _ in }
        worker.record([.settled(priced(1))])
        worker.close()
        let entry = try #require(journal.entries().first)
        let expected = [
            "MENSHEN_REQUEST_ID": id(1).description, "MENSHEN_BEGAN_US": "\(id(1).microseconds)",
            "MENSHEN_DATABASE": settings.databasePath, "MENSHEN_TOKENS_IN": "1000", "MENSHEN_INPUT_UNCACHED": "900",
            "MENSHEN_CACHE_READ": "100", "MENSHEN_TOKENS_OUT": "10", "MENSHEN_SECONDS": "0.1",
            "MENSHEN_COST": "12345678901234", "MENSHEN_COST_STATE": "priced", "MENSHEN_PRICE_VERSION": "v1",
            "MENSHEN_ANSWER_MODEL": "gpt-4o-2024", "MENSHEN_SERVICE_TIER": "flex", "MENSHEN_END_USER": "u",
        ]
        for (name, value) in expected { #expect(entry[name] == value, "\(name)") }
        #expect(entry["MENSHEN_USAGE_RAW"] == nil && entry["MENSHEN_AUDIT_DEVICE"] == nil)
        let rest = RecordColumns.columns.compactMap(\.fieldName).filter { $0 != "MENSHEN_USAGE_RAW" }
        #expect(rest.count == RecordColumns.columns.count - 2, "all but the provider's own words and the count")
    }

    @Test(.enabled(if: access("/usr/bin/jq", X_OK) == 0, "jq is not installed"))
    func `the manual's sum by caller is made of the journal alone`() throws {
        try record([priced(1), priced(2)])
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
        let text = try #require(TemporaryDirectory.read(root + "/contrib/manual/journal.md"))
        let begin = try #require(text.firstRange(of: "<!-- recipe: begin -->\n"))
        let end = try #require(text.firstRange(of: "<!-- recipe: end -->"))
        let recipe = text[begin.upperBound..<end.lowerBound].replacing(
            "--user -t menshen", with: "--directory '\(relay.files.directory)' -t menshen"
        ).replacing("--since today", with: "")
        let pipe = try #require(popen(String(recipe), "re"))
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = fread(&bytes, 1, bytes.count, pipe)
        #expect(pclose(pipe) == 0)
        #expect(String(decoding: bytes[..<count], as: UTF8.self) == "notebook.service\t2\t24.691357802468\t0\n")
    }

    @Test func `what agrees is clean, and what differs is named with its columns`() throws {
        try record((1...5).map(priced))
        var outcome = try compare()
        #expect(outcome.isClean && outcome.entries == 5, "\(outcome)")
        #expect(try compare("/another/menshen.db").entries == 0)
        let other = try Connection.reading(settings.databasePath)
        try other.execute("UPDATE requests SET cost = 1, status = 500, usage_other = '{}' WHERE id = \(id(2).rawValue)")
        try other.execute("DELETE FROM requests WHERE id = \(id(4).rawValue)")
        outcome = try compare()
        #expect(outcome.absent == [id(4)])
        #expect(outcome.different.map(\.id) == [id(2)])
        #expect(outcome.different.first?.columns.sorted() == ["cost", "status", "usage_other"])
    }

    @Test func `a cost that was computed anew is no difference, and anything else still is`() throws {
        try record([priced(1), priced(2)])
        let done = try CostRecalculation.run(
            settings.databasePath, since: 0, book: PriceBook(PriceOverlay()), providers: ["openai": String?.none])
        #expect(done.changed == 2)
        #expect(try compare().isClean)
        try Connection.reading(settings.databasePath).execute("UPDATE requests SET input_total = 1")
        #expect(try compare().different.map(\.columns) == [["input_total"], ["input_total"]])
    }
}
