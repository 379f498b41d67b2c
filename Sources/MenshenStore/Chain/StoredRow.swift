// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite

/// Reads rows back as the bytes that their hash is made of. Belongs to the thread of its connection.
final class StoredRow {
    private let row: Statement
    private let tries: Statement
    private let columns = Place.list(RecordColumns.columns, from: 0)
    private let attemptColumns = Place.list(AttemptColumns.columns, from: 1)

    private struct Place {
        let index: Int32
        let tag: UInt16
        let kind: ColumnInfo.Kind

        static func list(_ columns: [ColumnInfo], from first: Int32) -> [Place] {
            columns.enumerated().map {
                Place(index: Int32($0.offset) + first, tag: RowEncoder.tag($0.element.name), kind: $0.element.kind)
            }
        }
    }

    init(_ connection: Connection) throws(SQLiteError) {
        row = try connection.prepare("SELECT \(RecordRow.columns) FROM requests WHERE id = ?1")
        let names = ["n"] + AttemptColumns.columns.map(\.name)
        tries = try connection.prepare(
            "SELECT \(names.joined(separator: ", ")) FROM attempts WHERE request_id = ?1 ORDER BY n")
    }

    /// False: there is no such row.
    func encode(_ id: Int64, to encoder: RowEncoder) throws(SQLiteError) -> Bool {
        encoder.begin()
        try row.bind(1, id)
        defer { row.reset() }
        guard try row.step() else { return false }
        Self.add(row, columns, to: encoder)
        try tries.bind(1, id)
        defer { tries.reset() }
        while try tries.step() {
            encoder.add(RowEncoder.attempt, tries.integer(0) ?? 0)
            Self.add(tries, attemptColumns, to: encoder)
        }
        return true
    }

    private static func add(_ row: Statement, _ columns: [Place], to encoder: RowEncoder) {
        for column in columns {
            switch column.kind {
            case .integer, .request: if let value = row.integer(column.index) { encoder.add(column.tag, value) }
            case .real: if let value = row.double(column.index) { encoder.add(column.tag, value) }
            case .text, .counts: row.withText(column.index) { encoder.add(column.tag, $0) }
            case .summary:
                if let value = row.integer(column.index), value != 1 { encoder.add(RowEncoder.count, value) }
            }
        }
    }
}
