// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import MenshenStore
import SQLite
import Systemd
import Testing

/// The list of columns against the tables that the schema makes.
@Suite struct ColumnListTests {
    private let scratch = Scratch()

    private struct TableColumn: Equatable, Comparable {
        let name: String
        let type: String
        let isRequired: Bool

        static func < (left: Self, right: Self) -> Bool { left.name < right.name }
    }

    private func table(_ name: String, without keys: [String] = []) throws -> [TableColumn] {
        StoreWorker(StoreSettings(databasePath: scratch("menshen.db"), journal: nil)) { _ in }.close()
        let reader = try Connection.reading(scratch("menshen.db"))
        let rows = try reader.prepare(
            "SELECT name, type, \"notnull\" AND dflt_value IS NULL OR pk FROM pragma_table_info('\(name)')",
            reused: false)
        var found: [TableColumn] = []
        while try rows.step() {
            found.append(
                TableColumn(name: rows.text(0) ?? "", type: rows.text(1) ?? "", isRequired: rows.integer(2) == 1))
        }
        // A pragma's rows need it till the end.
        withExtendedLifetime(reader) {}
        return found.filter { !keys.contains($0.name) }.sorted()
    }

    private func listed(_ columns: [ColumnInfo]) -> [TableColumn] {
        columns.map { TableColumn(name: $0.name, type: $0.type, isRequired: $0.isRequired) }.sorted()
    }

    @Test func `the tables have the listed columns, with their types, and no others`() throws {
        #expect(try table("requests") == listed(RecordColumns.columns))
        #expect(try table("attempts", without: ["request_id", "n"]) == listed(AttemptColumns.columns))
    }

    @Test func `each field of the journal is valid and belongs to one column`() {
        let fields = RecordColumns.columns.compactMap(\.fieldName)
        #expect(fields.count == RecordColumns.columns.count - 1, "all but the count of summary rows")
        #expect(Set(fields).count == fields.count)
        for field in fields { #expect(JournalEntry.isValid(key: field) && field.hasPrefix("MENSHEN_"), "\(field)") }
    }

    @Test func `values of one row do not stay for the next`() throws {
        let settings = StoreSettings(databasePath: scratch("menshen.db"), journal: nil)
        let worker = StoreWorker(settings) { _ in }
        var full = settlement(intent(id(1)))
        var usage = Usage()
        usage.inputTotal = 1
        usage.seconds = 2.5
        usage.other = [Usage.Extra(name: "web", count: 3)]
        usage.raw = Array("{}".utf8)
        full.answer = AnswerRecord(
            usage: usage, model: "m", finishReason: "stop", serviceTier: "t", endUser: "u", masking: [])
        full.cache = CacheRecord(.hit, source: id(1), saved: usage)
        full.messagesIn = 4
        full.problem = "p"
        full.attempts[0].key = 2
        full.attempts[0].model = "other"
        let bare = refusal(2)
        worker.record([.settled(full), .refused(bare, authenticated: true), .settled(settlement(intent(id(3))))])
        let reader = try Connection.reading(settings.databasePath)
        let filled = try reader.text(
            """
            SELECT group_concat(coalesce(input_total, '-') || coalesce(seconds, '-') || coalesce(usage_other, '-') ||
            coalesce(finish_reason, '-') || coalesce(cache_source = id, '-') || coalesce(messages_in, '-') ||
            coalesce(caller_uid, '-') || coalesce(model, '-') || coalesce(ttfb_us, '-'), ' ')
            FROM (SELECT * FROM requests ORDER BY id)
            """)
        #expect(filled == #"12.5{"web":3}stop141000gpt-4o45000 --------- ------1000gpt-4o45000"#)
        #expect(
            try reader.text("SELECT group_concat(coalesce(key_n, '-') || coalesce(model, '-')) FROM attempts")
                == "2other,--")
    }
}
