// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite

/// The writing connection with its prepared statements. Belongs to the store's thread.
package final class AuditDatabase: KeptDatabase {
    let connection: Connection
    let path: String
    /// Steps of the schema that were missing.
    let applied: [String]
    private let file: FileIdentity
    private var log: FileIdentity
    private let beginnings: RowWriter<RecordColumns>
    private let requests: RowWriter<RecordColumns>
    private let attempts: RowWriter<AttemptColumns>
    private let insertBody: Statement
    private let insertSummary: Statement
    private let bookmark: Statement
    let chain: ChainWriter
    /// Every row with a smaller id is settled; kept in the table `bookmarks`, so that a start need not read all rows to
    /// find those that a crash left open.
    private(set) var settledBelow: Int64
    private var late: LateSlots
    private let wall: @Sendable () -> UInt64

    /// Opens, configures and migrates.
    init(_ place: DatabaseFile.Place, _ settings: StoreSettings) throws(StoreFault) {
        path = place.path
        wall = settings.wall
        file = FileIdentity(place.path)
        do {
            connection = try Connection(path: place.path, .readWrite, busyMilliseconds: settings.busyMilliseconds)
            let owner = try connection.integer("PRAGMA application_id")
            let isEmpty = try connection.integer("SELECT count(*) FROM sqlite_schema") == 0
            guard isEmpty || owner == Schema.applicationID else { throw StoreFault.foreign }
            try connection.prepareFile(isEmpty: isEmpty, applicationID: Schema.applicationID)
            if let pages = settings.maximumPages { try connection.execute("PRAGMA max_page_count = \(pages)") }
            switch try Schema.migrator.migrate(connection) {
            case .current(let applied): self.applied = applied
            case .newer(let step): throw Self.newer(step)
            }
            chain = try ChainWriter(connection, wall: settings.wall)
            try chain.beginIfNeeded()
            beginnings = try RowWriter(connection, "requests", .beginning, constants: ["end_state": "'open'"])
            requests = try RowWriter(connection, "requests", encoder: chain.encoder)
            attempts = try RowWriter(
                connection, "attempts", keys: ["request_id", "n"], encoder: chain.encoder)
            insertBody = try connection.prepare("INSERT OR REPLACE INTO bodies VALUES (?1, ?2, ?3)")
            insertSummary = try connection.prepare(
                """
                INSERT OR REPLACE INTO requests (id, end_state, problem, total_us, count)
                VALUES (?1, 'refused', 'refusals_summarised', ?2, ?3)
                """)
            bookmark = try connection.prepare("UPDATE bookmarks SET id = ?1 WHERE name = 'settled_below'")
            settledBelow = try connection.integer("SELECT id FROM bookmarks WHERE name = 'settled_below'") ?? 0
            log = FileIdentity(path + "-wal")
            late = try LateSlots(connection, newest: connection.integer("SELECT max(id) FROM requests") ?? 0)
        } catch let fault as StoreFault {
            throw fault
        } catch let error as SQLiteError {
            throw StoreFault(error, path: place.path)
        } catch {
            throw StoreFault(reason: "\(error)", advice: "")
        }
    }

    /// One transaction in which records are written.
    func record<Result>(_ body: () throws(SQLiteError) -> Result) throws(SQLiteError) -> Result {
        late.begin(wall())
        return try chain.transaction { () throws(SQLiteError) -> Result in
            let result = try body()
            try late.commit()
            return result
        }
    }

    func write(_ intent: AuditIntent) throws(SQLiteError) {
        late.wrote(intent.id.rawValue)
        try beginnings.write(AuditSettlement(beginningWith: intent))
        try noteOpen(intent.id)
    }

    func write(_ end: AuditSettlement) throws(SQLiteError) {
        let id = end.intent.id.rawValue
        late.wrote(id)
        chain.encoder.begin()
        try requests.write(end)
        for index in end.attempts.indices {
            chain.encoder.add(RowEncoder.attempt, Int64(index + 1))
            try attempts.write(end.attempts[index], id, Int64(index + 1))
        }
        chain.add(id)
        if let body = end.requestBody { try write(body, kind: "request", of: id) }
        if let body = end.responseBody { try write(body, kind: "response", of: id) }
    }

    /// What an entry of the journal tells. `isCorrection`: of a request whose end was thought to be known.
    func write(_ record: JournalRecord, isCorrection: Bool) throws(SQLiteError) {
        late.wrote(record.id.rawValue)
        switch record.content {
        case .beginning(let values):
            try beginnings.write(values)
            try noteOpen(record.id)
        case .end(let values, let tries):
            try requests.write(values)
            for (number, values) in tries { try attempts.write(values, record.id.rawValue, Int64(number)) }
            chain.note(record.id.rawValue, isCorrection ? .corrected : .settled)
        case .summary(let summary): try write(summary)
        }
    }

    /// The clock stepped back, or another worker was slower to submit.
    private func noteOpen(_ id: RequestID) throws(SQLiteError) {
        if id.rawValue < settledBelow { try moveBookmark(to: id.rawValue) }
    }

    func moveBookmark(to id: Int64) throws(SQLiteError) {
        try bookmark.bind(1, id)
        try bookmark.run()
        settledBelow = id
    }

    func write(_ summary: RefusalThrottle.Summary) throws(SQLiteError) {
        late.wrote(summary.first.rawValue)
        try insertSummary.bind(1, summary.first.rawValue)
        try insertSummary.bind(2, summary.last.microseconds - summary.first.microseconds)
        try insertSummary.bind(3, summary.count)
        try insertSummary.run()
        chain.note(summary.first.rawValue)
    }

    /// False when the file, or the log that belongs to it, was deleted or replaced under us: what is written now would vanish
    /// with the connection.
    package var isInPlace: Bool {
        guard file.isInPlace else { return false }
        // SQLite makes it with the first write.
        if !log.wasThere { log = FileIdentity(log.path) }
        return log.isInPlace || !log.wasThere
    }

    /// Copies what only the log has into the file, which has lost its log. False if the file is gone too.
    func saveLog() -> Bool { file.isInPlace && (try? connection.checkpoint()) != nil }

    private func write(_ body: [UInt8], kind: String, of id: Int64) throws(SQLiteError) {
        try insertBody.bind(1, id)
        try insertBody.bind(2, kind)
        try insertBody.run(3, bytes: body)
    }

    private static func newer(_ step: String) -> StoreFault {
        StoreFault(
            reason: "a newer menshen made it (schema step \"\(step)\")",
            advice: "Update menshen or set [storage.sqlite] path to a new file.")
    }
}
