// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import MenshenStore
import SQLite
import Testing

/// `menshen export`, without its command line.
@Suite struct RecordExportTests {
    private let scratch = Scratch()
    private var path: String { scratch("menshen.db") }

    private func worker() -> StoreWorker {
        var settings = StoreSettings(databasePath: path, retentionDays: nil, journal: nil)
        settings.wall = { 1_800_000_000_000_000 }
        return StoreWorker(settings) { _ in }
    }

    private func end(_ number: Int64) -> AuditEntry { .settled(settlement(intent(id(number)))) }

    /// All that there is behind the place: ids with a mark for corrections, and the place behind them.
    private func ids(
        _ place: ExportPlace = .start, _ range: Range<Int64> = 0..<Int64.max
    ) throws -> (ids: [String], place: ExportPlace) {
        let export = try RecordExport(path, .csv, from: place, range: range)
        var lines: [UInt8] = []
        while try export.next(&lines) {}
        let found = String(decoding: lines, as: UTF8.self).split(separator: "\r\n").map { line in
            let values = line.split(separator: ",", omittingEmptySubsequences: false)
            let began = RequestID(String(values[0]))?.microseconds.description ?? "?"
            return String(began.suffix(3)) + (values.last == "1" ? "c" : "")
        }
        return (found, export.place)
    }

    @Test func `requests come as they are settled, and going on loses none and repeats none`() throws {
        let worker = worker()
        worker.record([.intent(intent(id(101))), end(102), .intent(intent(id(103)))])
        worker.record([end(104)])
        let first = try ids()
        #expect(first.ids == ["102", "104"])
        // An older request that ends later stands behind the place.
        worker.record([end(101)])
        let second = try ids(first.place)
        #expect(second.ids == ["101"])
        #expect(try ids(second.place).ids == [] && ids(second.place).place == second.place)
        worker.record([end(103), end(105)])
        #expect(try ids(second.place).ids == ["103", "105"])
        #expect(try ids().ids == ["102", "104", "101", "103", "105"])
        #expect(try ids(try #require(ExportPlace("\(first.place)"))).ids == ["101", "103", "105"])
        worker.close()
        #expect(try ids(second.place).ids == ["103", "105"], "without a menshen")
    }

    @Test func `a cursor that is not this chain's is refused, and a range leaves out what is not asked for`() throws {
        let worker = worker()
        for number in 101...120 as ClosedRange<Int64> { worker.record([end(number)]) }
        let begin = id(105).microseconds
        let place = try ids(.start, begin..<begin + 3).place
        #expect(try ids(.start, begin..<begin + 3).ids == ["105", "106", "107"])
        let text = "\(place)"
        let other = text.prefix(while: { $0 != ":" }) + ":" + String(text.suffix(16).reversed())
        let fault = #expect(throws: StoreFault.self) { try ids(try #require(ExportPlace(String(other)))) }
        #expect(fault?.reason.contains("cursor") == true)
        for bad in ["", "x", "1", "1:2", "-1:0011223344556677", "older:x"] {
            #expect(ExportPlace(bad) == nil, "\(bad)")
        }
        worker.close()
    }

    @Test func `what was there before the chain comes first, and a correction once`() throws {
        let first = worker()
        first.record((101...103).map(end))
        first.close()
        try Connection.reading(path).execute("DELETE FROM chain")
        let worker = worker()
        worker.record((104...105).map(end))
        let before = try ids()
        #expect(before.ids == ["101", "102", "103", "104", "105"])
        let done = try CostRecalculation.run(
            path, since: id(102).microseconds / 1_000_000 * 1_000_000, book: PriceBook(PriceOverlay()),
            providers: ["openai": String?.none])
        #expect(done.changed == 5)
        worker.record([end(106)])
        // Whoever had them gets the new figures; whoever begins gets each once.
        #expect(try ids(before.place).ids == ["101c", "102c", "103c", "104c", "105c", "106"])
        #expect(try ids().ids.map { $0.prefix(3) }.sorted() == ["101", "102", "103", "104", "105", "106"])
        worker.close()
    }

    @Test func `many rows are written in steps, each once`() throws {
        let worker = worker()
        worker.record((1...900).map { end(100 + $0) })
        for number in 1...600 as ClosedRange<Int64> { worker.record([end(2000 + number)]) }
        let export = try RecordExport(path, .ndjson, from: .start, range: 0..<Int64.max)
        var lines: [UInt8] = []
        var steps = 0
        while try export.next(&lines) { steps += 1 }
        #expect(lines.split(separator: 10).count == 1500 && steps > 2)
        worker.close()
    }

    @Test func `values are written so that types, NULL and any text survive`() throws {
        let worker = worker()
        var end = settlement(intent(id(1), model: "a,\"b\"\r\nc"))
        end.problem = ""
        end.cost = Cost(Money(picodollars: 9_223_372_036_854_775_807), .priced)
        worker.record([.settled(end)])
        func lines(_ format: ExportFormat) throws -> String {
            let export = try RecordExport(path, format, from: .start, range: 0..<Int64.max)
            var lines: [UInt8] = []
            while try export.next(&lines) {}
            return String(decoding: format.head + lines, as: UTF8.self)
        }
        let csv = try lines(.csv)
        #expect(csv.hasPrefix("request_id,began_us,began,id,caller_uid,"))
        let first = "\(id(1)),1800000000000001,2027-01-15T08:00:00.000001Z,\(id(1).rawValue),1000,"
        #expect(csv.contains(",chain_seq,correction\r\n" + first))
        #expect(csv.contains(#","a,""b""\u000d\u000ac","#) && csv.contains(",complete,\"\",1,"))
        #expect(csv.contains(",9223372036854775807,,priced,,,1,"))
        let json = try lines(.ndjson)
        #expect(json.contains(#""id":"\#(id(1).rawValue)","caller_uid":1000"#) && json.contains(#""problem":"""#))
        #expect(json.contains(#""cost":"9223372036854775807""#) && json.contains(#""token_name":null"#))
        let columns = csv.prefix { $0 != "\r\n" }.split(separator: ",")
        for format in ExportFormat.allCases {
            let schema = String(decoding: format.schema, as: UTF8.self).split(whereSeparator: \.isNewline)
            #expect(schema.count == columns.count + (format == .csv ? 1 : 0))
        }
        worker.close()
    }
}
