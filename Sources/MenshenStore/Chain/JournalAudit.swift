// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Linux
package import MenshenCore
internal import SQLite
internal import Systemd

/// Compares what the journal says of requests with their rows: two devices that one hand can't change together unnoticed, where
/// the journal is root's, or another machine's.
package final class JournalAudit {
    package struct Outcome: Sendable {
        /// Entries about ended requests of this database.
        package var entries = 0
        /// Entries that the database is still to be given.
        package var pending = 0
        /// Requests that the journal has and the database has not.
        package var absent: [RequestID] = []
        /// Requests whose row says something else, and in which columns.
        package var different: [(id: RequestID, columns: [String])] = []
        package var fault: SystemError?

        package var isClean: Bool { absent.isEmpty && different.isEmpty && fault == nil }
    }

    private static let costs: Set<String> = ["cost", "cost_state", "cost_reason", "price_version", "saved"]

    private let source: JournalReader.Source
    /// As the journal names it.
    private let path: String
    package private(set) var outcome = Outcome()

    /// `directory`: with journal files; nil: this machine's journal. `path`: of the database, as the configuration has it.
    package init(directory: String?, path: String) {
        source = directory.map(JournalReader.Source.directory) ?? .system
        self.path = path
    }

    func compare(_ connection: Connection, _ audit: ChainAudit) throws(SQLiteError) {
        guard let reader = open() else { return }
        let row = try connection.prepare("SELECT \(RecordRow.columns) FROM requests WHERE id = ?1")
        while let fields = next(reader) { try compare(fields, row, audit) }
    }

    private func open() -> JournalReader? {
        do throws(SystemError) {
            let reader = try JournalReader(source)
            try reader.match(JournalRecord.databaseField, path)
            try reader.seek(after: nil)
            return reader
        } catch {
            outcome.fault = error
            return nil
        }
    }

    private func next(_ reader: JournalReader) -> JournalReader.Fields? {
        do throws(SystemError) { return try reader.next() } catch {
            outcome.fault = error
            return nil
        }
    }

    private func compare(
        _ fields: JournalReader.Fields, _ row: Statement, _ audit: ChainAudit
    ) throws(SQLiteError) {
        // What began has an end, or will have one.
        guard let record = JournalRecord(fields), case .end(let values, _) = record.content else { return }
        let id = record.id.rawValue
        outcome.entries += 1
        try row.bind(1, id)
        defer { row.reset() }
        guard try row.step() else {
            if audit.isExpired(id, after: 0) { return }
            let isPending = fields[JournalRecord.deviceField] != nil
            if isPending { outcome.pending += 1 } else { outcome.absent.append(record.id) }
            return
        }
        let differences = zip(RecordColumns.columns.filter { $0.kind != .summary }, values).filter { column, value in
            let isRevised = audit.revised.contains(id) && Self.costs.contains(column.name)
            return !isRevised && !Self.isSame(value, RecordRow(row), column)
        }
        if !differences.isEmpty { outcome.different.append((record.id, differences.map(\.0.name))) }
    }

    /// What an entry does not have, an older menshen may not have written.
    private static func isSame(_ value: ColumnValue, _ row: RecordRow, _ column: ColumnInfo) -> Bool {
        switch value {
        case .none: true
        case .integer(let value): row.integer(column.name) == value
        case .real(let value): row.real(column.name) == value
        case .text(let value) where column.kind == .counts: counts(value) == counts(row.text(column.name) ?? "")
        case .text(let value): row.text(column.name) == value
        }
    }

    /// The journal does not keep their order.
    private static func counts(_ json: String) -> [String] {
        Usage.Extra.read(json: json).map { "\($0.name) \($0.count)" }.sorted()
    }
}
