// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import MenshenStore
import Systemd
import TestSupport
import Testing

@Suite(.enabled(if: JournalFiles.isPossible, "systemd-journal-remote is not installed"))
struct JournalLogTests {
    private let scratch = Scratch()
    private let relay: JournalRelay
    private let settings: StoreSettings

    init() throws {
        relay = JournalRelay(scratch("journal.sock"), JournalFiles(scratch("journal")))
        var settings = StoreSettings(
            databasePath: scratch("menshen.db"), retentionDays: nil, journal: try JournalSocket(path: relay.path))
        settings.wall = { 1_700_000_000_000_000 }
        self.settings = settings
        chmod(scratch.path, 0o700)
    }

    private func write(_ entries: [AuditEntry]) throws {
        let worker = StoreWorker(settings) { _ in }
        for entry in entries {
            worker.record([entry])
            relay.collect()
        }
        worker.close()
        try relay.write()
    }

    private func end(_ number: Int64, _ state: EndState = .complete) -> AuditSettlement {
        var end = settlement(intent(id(number), model: number % 2 == 0 ? "even" : "odd"), state)
        var usage = Usage()
        (usage.inputTotal, usage.inputUncached, usage.cacheRead, usage.outputTotal) = (1000, 900, 100, 10)
        end.usageState = .reported
        end.answer = AnswerRecord(
            usage: usage, model: "m-1", finishReason: "stop", serviceTier: "flex", endUser: "u", masking: [])
        end.cost = Cost(Money(picodollars: 12_345_678_901_234), .priced, reason: nil, priceVersion: "v1")
        return end
    }

    private func log(_ query: LogQuery = LogQuery()) throws -> JournalLog {
        try JournalLog(directory: relay.files.directory, query)
    }

    private func numbers(_ query: LogQuery) throws -> [Int64] {
        try log(query).requests().map { $0.id.microseconds % 1_000_000 }
    }

    @Test func `an entry says of a request what its row says`() throws {
        try write([.settled(end(1)), .settled(end(2, .truncated))])
        let rows = try RecordReports(settings.databasePath).requests(LogQuery()).records
        let told = try log().requests()
        #expect(told.count == 2)
        #expect(told.map { "\($0)" } == rows.reversed().map { "\($0)" })
    }

    @Test func `the newest are told, of those that are asked for`() throws {
        // They end in another order than they began.
        try write([2, 1, 3, 5, 4, 6].map { .settled(end($0, $0 == 5 ? .truncated : .complete)) })
        var query = LogQuery()
        #expect(try numbers(query) == [1, 2, 3, 4, 5, 6])
        query.limit = 2
        #expect(try numbers(query) == [4, 6])
        query.filters = [ReportFilter(.model, ["odd"])]
        #expect(try numbers(query) == [3, 5])
        query.filters = [.failed]
        #expect(try numbers(query) == [5])
        query = LogQuery()
        (query.after, query.before) = (id(2), id(5))
        #expect(try numbers(query) == [3, 4])
    }

    @Test func `what is under way, and what stands for many, is told where the journal is the only device`() throws {
        mkdir(settings.databasePath, 0o700)
        try write([.intent(intent(id(1))), .intent(intent(id(2))), .settled(end(2))])
        let told = try log().requests()
        #expect(told.map(\.answered.endState) == ["open", "complete"])
        #expect(told.first?.asked.path == "/v1/chat/completions")
        try write((3..<103).map { .refused(settlement(intent(id($0)), .refused), authenticated: false) })
        let refused = try log().requests().filter { $0.answered.endState == "refused" }
        #expect(refused.count < 100 && refused.reduce(0) { $0 + $1.count } == 100)
    }

    @Test func `following goes on where the list ended`() throws {
        try write([.settled(end(1)), .settled(end(2))])
        let log = try log()
        #expect(try log.requests().count == 2)
        try write([.settled(end(3)), .settled(end(4))])
        #expect(try log.next().id == id(3))
        #expect(try log.next().id == id(4))
    }

    @Test func `a directory without files is empty`() throws {
        #expect(try log().isEmpty)
        try write([.settled(end(1))])
        #expect(try !log().isEmpty)
    }
}
