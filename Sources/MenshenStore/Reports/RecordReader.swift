// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
internal import SQLite

/// Reads the database of records, on a connection of its own that can't write: whatever is asked, the writer does not wait for
/// it. For menshen's own pages and for commands, also while another process writes. Belongs to one thread. Opening it costs
/// some tenths of a millisecond, so a reader is best kept for one answer, and never sees a file that was replaced meanwhile.
package final class RecordReader {
    package enum Order: Sendable { case newestFirst, oldestFirst }

    private let connection: Connection
    private let path: String

    /// Throws if there is no database that this user may read.
    package init(_ path: String) throws(StoreFault) {
        let path = try DatabaseFile.resolve(path).file
        self.path = path
        let owner: Int64?
        do throws(SQLiteError) {
            connection = try Connection(path: path, .readOnly, busyMilliseconds: 1000)
            owner = try connection.integer("PRAGMA application_id")
        } catch {
            throw StoreFault(error, path: path)
        }
        guard owner == Schema.applicationID else { throw .foreign }
    }

    /// Requests in the order in which they began.
    package func requests(_ order: Order, limit: Int? = nil) throws(StoreFault) -> [RequestSummary] {
        do throws(SQLiteError) {
            let rows = try connection.prepare(
                """
                SELECT \(RecordRow.columns) FROM requests ORDER BY id \(order == .newestFirst ? "DESC" : "ASC") LIMIT ?1
                """, reused: false)
            // Negative: all of them.
            try rows.bind(1, Int64(limit ?? -1))
            var found: [RequestSummary] = []
            while try rows.step() { found.append(RequestSummary(RecordRow(rows))) }
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

/// A row of `requests` as the status page shows it.
package struct RequestSummary: Sendable, Equatable {
    package var id: RequestID
    package var callerUID: UInt32?
    package var executable: String?
    package var unit: String?
    package var tokenName: String?
    /// nil in a summary row of refusals.
    package var method: String?
    package var path: String?
    package var provider: String?
    package var model: String?
    package var isStream: Bool?
    package var status: Int?
    /// "open" until settled, then an `EndState`.
    package var endState: String
    package var problem: String?
    package var attempts: Int
    package var firstByteMicroseconds: Int64?
    package var totalMicroseconds: Int64?
    package var bytesIn: Int64?
    package var bytesOut: Int64?
    /// 1, or the number of refusals a summary row stands for.
    package var count: Int64

    init(_ row: RecordRow) {
        id = RequestID(rawValue: row.integer("id") ?? 0)
        callerUID = row.integer("caller_uid").flatMap { UInt32(exactly: $0) }
        executable = row.text("caller_exe")
        unit = row.text("caller_unit")
        tokenName = row.text("token_name")
        method = row.text("method")
        path = row.text("path")
        provider = row.text("provider")
        model = row.text("model")
        isStream = row.integer("stream").map { $0 != 0 }
        status = row.integer("status").map { Int($0) }
        endState = row.text("end_state") ?? ""
        problem = row.text("problem")
        attempts = Int(row.integer("attempts") ?? 0)
        firstByteMicroseconds = row.integer("ttfb_us")
        totalMicroseconds = row.integer("total_us")
        bytesIn = row.integer("bytes_in")
        bytesOut = row.integer("bytes_out")
        count = row.integer("count") ?? 1
    }
}
