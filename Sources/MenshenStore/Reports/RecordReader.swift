// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
internal import SQLite

/// Reads the database of records, on a connection of its own that can't write: whatever is asked, the writer does not wait for
/// it. For menshen's own pages and for commands, also while another process writes. Belongs to one thread. Opening it costs
/// some tenths of a millisecond, so a reader is best kept for one answer, and never sees a file that was replaced meanwhile.
package final class RecordReader {
    package enum Order: Sendable { case newestFirst, oldestFirst }

    let connection: Connection
    let path: String

    /// Throws if there is no database that this user may read.
    package init(_ path: String) throws(StoreFault) {
        let (path, directory) = try DatabaseFile.forReading(path)
        self.path = path
        let owner: Int64?
        do throws(SQLiteError) {
            connection = try Connection(path: path, .readOnly, busyMilliseconds: 1000)
            owner = try connection.integer("PRAGMA application_id")
        } catch {
            throw DatabaseFile.unreadable(in: directory, error) ?? StoreFault(error, path: path)
        }
        guard owner == Schema.applicationID else { throw .foreign }
    }

    /// Requests in the order in which they began.
    package func requests(_ order: Order, limit: Int? = nil) throws(StoreFault) -> [RequestRecord] {
        do throws(SQLiteError) {
            let rows = try connection.prepare(
                """
                SELECT \(RecordRow.columns) FROM requests ORDER BY id \(order == .newestFirst ? "DESC" : "ASC") LIMIT ?1
                """, reused: false)
            // Negative: all of them.
            try rows.bind(1, Int64(limit ?? -1))
            var found: [RequestRecord] = []
            while try rows.step() { found.append(RequestRecord(RecordRow(rows))) }
            return found
        } catch {
            throw StoreFault(error, path: path)
        }
    }

    /// Steps through the rows of a query.
    func read(_ query: String, _ visit: (Statement) -> Void) throws(StoreFault) {
        try use { connection throws(SQLiteError) in
            let rows = try connection.prepare(query, reused: false)
            while try rows.step() { visit(rows) }
        }
    }

    /// For whoever asks more than one question.
    func use<Answer>(_ body: (Connection) throws(SQLiteError) -> Answer) throws(StoreFault) -> Answer {
        do throws(SQLiteError) { return try body(connection) } catch { throw StoreFault(error, path: path) }
    }
}

/// A row of `requests`, read by the names of its columns.
struct RecordRow {
    private enum Source {
        case row(Statement)
        case values([String: ColumnValue])
    }

    /// As they stand behind SELECT.
    static let columns = names.joined(separator: ", ")
    private static let names = RecordColumns.columns.map(\.name)
    private static let places = Dictionary(
        uniqueKeysWithValues: names.enumerated().map { ($0.element, Int32($0.offset)) })

    private let source: Source

    init(_ row: Statement) { source = .row(row) }

    /// What is not in `values` is NULL.
    init(_ values: [String: ColumnValue]) { source = .values(values) }

    func integer(_ name: String) -> Int64? {
        switch source {
        case .row(let row): return row.integer(Self.place(name))
        case .values(let values):
            guard case .integer(let value) = values[name] else { return nil }
            return value
        }
    }

    func real(_ name: String) -> Double? {
        switch source {
        case .row(let row): return row.double(Self.place(name))
        case .values(let values):
            guard case .real(let value) = values[name] else { return nil }
            return value
        }
    }

    func text(_ name: String) -> String? {
        switch source {
        case .row(let row): return row.text(Self.place(name))
        case .values(let values):
            guard case .text(let value) = values[name] else { return nil }
            return value
        }
    }

    private static func place(_ name: String) -> Int32 {
        guard let place = places[name] else { preconditionFailure("there is no column \(name)") }
        return place
    }
}
