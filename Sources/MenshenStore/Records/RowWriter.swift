// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite

/// Writes rows of one table. REPLACE: the same statement completes a row, writes one whose beginning is elsewhere, and may be
/// repeated. Without indexes it costs no more than an UPDATE (measured).
final class RowWriter<List: ColumnList> {
    enum Part { case beginning, whole }

    private let statement: Statement
    private let part: Part
    /// Number of the columns that the list does not have, which come first.
    private let keys: Int32
    private let columns: [ColumnInfo]
    /// Gets what is written, for its hash.
    private let encoder: RowEncoder?
    private let tags: [UInt16]
    /// Parameters that hold something. Most of what has no value for a column comes after its like, and costs nothing.
    private var bound: UInt128 = 0

    /// `keys`: columns that the list does not have. `constants`: columns with the same value in all rows, as SQL.
    init(
        _ connection: Connection, _ table: String, keys: [String] = [], _ part: Part = .whole,
        constants: KeyValuePairs<String, String> = [:], encoder: RowEncoder? = nil
    ) throws(SQLiteError) {
        columns = List.columns.filter { $0.kind != .summary && (part == .whole || $0.isKnownAtBeginning) }
        self.keys = Int32(keys.count)
        self.part = part
        self.encoder = encoder
        tags = columns.map { RowEncoder.tag($0.name) }
        let names = keys + columns.map(\.name)
        precondition(columns.count <= UInt128.bitWidth)
        let values = names.indices.map { "?\($0 + 1)" } + constants.map(\.value)
        statement = try connection.prepare(
            """
            INSERT OR REPLACE INTO \(table) (\((names + constants.map(\.key)).joined(separator: ", ")))
            VALUES (\(values.joined(separator: ", ")))
            """)
    }

    func write(_ row: List.Row) throws(SQLiteError) {
        try bind(row)
        try statement.run()
    }

    func write(_ row: List.Row, _ first: Int64, _ second: Int64) throws(SQLiteError) {
        try statement.bind(1, first)
        try statement.bind(2, second)
        try write(row)
    }

    @inline(__always)
    private func bind(_ row: List.Row) throws(SQLiteError) {
        var binder = RowBinder(statement, after: keys, bound, encoder, tags)
        try List.visitBeginning(&binder, row)
        if part == .whole { try List.visitEnd(&binder, row) }
        bound = binder.bound
    }

    /// Values in the order of the list.
    func write(_ values: [ColumnValue]) throws(SQLiteError) {
        for (place, value) in zip(keys..., values) {
            switch value {
            case .none: try statement.bindNull(place + 1)
            case .integer(let value): try statement.bind(place + 1, value)
            case .real(let value): try statement.bind(place + 1, value)
            case .text(let value): try statement.bind(place + 1, value)
            }
        }
        // What of them is NULL is bound to NULL once more.
        bound = .max
        try statement.run()
    }

    func write(_ values: [ColumnValue], _ first: Int64, _ second: Int64) throws(SQLiteError) {
        try statement.bind(1, first)
        try statement.bind(2, second)
        try write(values)
    }
}

/// Binds a row's values, column by column.
private struct RowBinder: ColumnVisitor {
    typealias Failure = SQLiteError

    private let statement: Statement
    private let keys: Int32
    private let wasBound: UInt128
    private let encoder: RowEncoder?
    private let tags: [UInt16]
    /// By place in the list, which is a constant where it stands.
    private(set) var bound: UInt128 = 0
    private var place: Int32 = 0

    @inline(__always)
    init(
        _ statement: Statement, after keys: Int32, _ wasBound: UInt128, _ encoder: RowEncoder?, _ tags: [UInt16]
    ) {
        self.encoder = encoder
        self.tags = tags
        self.statement = statement
        self.keys = keys
        self.wasBound = wasBound
    }

    @inline(__always)
    mutating func integer(_: Column, _ value: @autoclosure () -> Int64?) throws(SQLiteError) {
        guard let value = value() else { return try skip() }
        encoder?.add(tag, value)
        try statement.bind(next(), value)
    }

    @inline(__always)
    mutating func real(_: Column, _ value: @autoclosure () -> Double?) throws(SQLiteError) {
        guard let value = value() else { return try skip() }
        encoder?.add(tag, value)
        try statement.bind(next(), value)
    }

    @inline(__always)
    mutating func text(_: Column, _ value: @autoclosure () -> String?) throws(SQLiteError) {
        guard let value = value() else { return try skip() }
        encoder?.add(tag, value)
        try statement.bind(next(), value)
    }

    @inline(__always)
    mutating func request(_: Column, _ value: @autoclosure () -> RequestID?) throws(SQLiteError) {
        guard let value = value() else { return try skip() }
        encoder?.add(tag, value.rawValue)
        try statement.bind(next(), value.rawValue)
    }

    @inline(__always)
    mutating func counts(_: Column, _ value: @autoclosure () -> [Usage.Extra]?) throws(SQLiteError) {
        guard let value = value().flatMap(Usage.Extra.json) else { return try skip() }
        encoder?.add(tag, value)
        try statement.bind(next(), value)
    }

    @inline(__always)
    mutating func summary(_: Column) {}

    private var tag: UInt16 { @inline(__always) get { tags[Int(place)] } }

    @inline(__always)
    private mutating func next() -> Int32 {
        bound |= 1 << UInt128(place)
        place += 1
        return keys + place
    }

    @inline(__always)
    private mutating func skip() throws(SQLiteError) {
        if wasBound & 1 << UInt128(place) != 0 { try statement.bindNull(keys + place + 1) }
        place += 1
    }
}
