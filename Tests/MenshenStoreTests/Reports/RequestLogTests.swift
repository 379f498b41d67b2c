// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import MenshenStore
import SQLite
import Testing

@Suite struct RequestLogTests {
    private let scratch = Scratch()
    private var path: String { scratch("menshen.db") }
    private let start: Int64 = 1_800_000_000

    /// A request every ten minutes; each fourth has failed, each tenth is of the model asked for rarely.
    private func fill(_ count: Int) throws {
        let worker = StoreWorker(StoreSettings(databasePath: path, retentionDays: nil, journal: nil)) { _ in }
        worker.record(
            (0..<count).map { number in
                let intent = intent(
                    id(Int64(number), second: start + Int64(number) * 600), model: number % 10 == 3 ? "rare" : "gpt-4o")
                var end = settlement(intent, number % 4 == 1 ? .truncated : .complete)
                if number == 17 { end.problem = "first_byte_timeout" }
                return .settled(end)
            })
    }

    private func numbers(_ query: LogQuery) throws -> [Int64] {
        try RecordReports(path).requests(query).records.map { $0.id.microseconds % 1_000_000 }
    }

    @Test func `pages follow each other, newest first, with filters and without, from rows and roll-ups`() throws {
        try fill(200)
        for isRolledUp in [false, true] {
            if isRolledUp { try #require(try RollUps(path)).update(now: start + 100 * 600) }
            let cases: [(LogQuery, (Int64) -> Bool)] = [
                (LogQuery(), { _ in true }),
                (LogQuery(where: [ReportFilter(.model, ["rare"])]), { $0 % 10 == 3 }),
                (LogQuery(where: [.failed]), { $0 % 4 == 1 }),
                (
                    LogQuery(where: [ReportFilter.failed.or(ReportFilter(.model, ["rare"]))]),
                    { $0 % 4 == 1 || $0 % 10 == 3 }
                ),
                (LogQuery(where: [ReportFilter(.model, ["ra*"]), .failed]), { $0 % 10 == 3 && $0 % 4 == 1 }),
                (LogQuery(text: "FIRST_byte"), { $0 == 17 }),
                (LogQuery(text: "100%"), { _ in false }),
            ]
            for (query, matches) in cases {
                let expected = (0..<200).map(Int64.init).filter(matches).reversed()
                var query = query
                query.limit = 7
                var found: [Int64] = []
                while true {
                    let page = try RecordReports(path).requests(query).records
                    found += page.map { $0.id.microseconds % 1_000_000 }
                    guard let last = page.last else { break }
                    query.before = last.id
                }
                #expect(found == Array(expected))
                // And back.
                query.before = nil
                query.nearestToAfter = true
                query.after = RequestID(rawValue: 0)
                var back: [Int64] = []
                while true {
                    let page = try RecordReports(path).requests(query).records
                    back = page.map { $0.id.microseconds % 1_000_000 } + back
                    guard let first = page.first else { break }
                    query.after = first.id
                }
                #expect(back == Array(expected))
            }
        }
    }

    @Test func `a search that would take long says how far it looked`() throws {
        try fill(100)
        var query = LogQuery(text: "no such thing")
        query.scanLimit = 30
        var looks = 0
        while let lookedTo = try RecordReports(path).requests(query).lookedTo {
            #expect(lookedTo.microseconds % 1_000_000 == 100 - Int64(looks + 1) * 30)
            query.before = lookedTo
            looks += 1
        }
        #expect(looks == 3)
    }

    @Test func `a request is shown with its attempts and bodies`() throws {
        let worker = StoreWorker(StoreSettings(databasePath: path, journal: nil)) { _ in }
        var end = settlement(intent(id(1)))
        end.responseBody = Array("{}".utf8)
        worker.record([.settled(end)])
        let reports = try RecordReports(path)
        let detail = try #require(try reports.request(id(1)))
        #expect(detail.record.asked.model == "gpt-4o" && detail.record.caller.unit == "notebook.service")
        #expect(detail.attempts.map(\.provider) == ["openai"] && detail.attempts[0].endedMicroseconds == 123_400)
        #expect(detail.requestBodyBytes == nil && detail.responseBodyBytes == 2)
        #expect(try reports.body(of: id(1), isResponse: true) == Array("{}".utf8))
        #expect(try reports.request(id(2)) == nil)
    }
}

extension LogQuery {
    fileprivate init(where filters: [ReportFilter] = [], text: String? = nil) {
        self.init()
        self.filters = filters
        self.text = text
    }
}
