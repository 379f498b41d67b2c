// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite

/// The writing connection with its prepared statements. Belongs to the store's thread.
final class AuditDatabase {
    let connection: Connection
    let path: String
    /// Steps of the schema that were missing.
    let applied: [String]
    private let identity: [UInt64]?
    private let insertIntent: Statement
    private let insertWhole: Statement
    /// Parameters of `insertWhole` for the answer hold something.
    private var hasAnswerBound = false
    private let insertAttempt: Statement
    private let insertBody: Statement
    private let insertSummary: Statement
    private let bookmark: Statement
    /// Every row with a smaller id is settled; kept in the table `bookmarks`, so that a start need not read all rows to
    /// find those that a crash left open.
    private(set) var settledBelow: Int64

    /// Opens, configures and migrates.
    init(_ place: DatabaseFile.Place, _ settings: StoreSettings) throws(StoreFault) {
        path = place.path
        identity = DatabaseFile.identity(place.path)
        do {
            connection = try Connection(path: place.path, .readWrite, busyMilliseconds: settings.busyMilliseconds)
            let owner = try connection.integer("PRAGMA application_id")
            let isEmpty = try connection.integer("SELECT count(*) FROM sqlite_schema") == 0
            guard isEmpty || owner == Schema.applicationID else { throw Self.foreign }
            try connection.prepareFile(isEmpty: isEmpty, applicationID: Schema.applicationID)
            if let pages = settings.maximumPages { try connection.execute("PRAGMA max_page_count = \(pages)") }
            switch try Schema.migrator.migrate(connection) {
            case .current(let applied): self.applied = applied
            case .newer(let step): throw Self.newer(step)
            }
            // REPLACE: the same statement completes a row, writes one whose intent went to the journal, and may be
            // repeated. Without indexes it costs no more than an UPDATE (measured).
            insertIntent = try connection.prepare(
                """
                INSERT OR REPLACE INTO requests (id, caller_uid, caller_pid, caller_exe, caller_unit, token_name,
                peer_address, method, path, dialect, operation, provider, model, stream, end_state)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 'open')
                """)
            insertWhole = try connection.prepare(
                """
                INSERT OR REPLACE INTO requests (id, caller_uid, caller_pid, caller_exe, caller_unit, token_name,
                peer_address, method, path, dialect, operation, provider, model, stream, status, end_state, problem,
                attempts, ttfb_us, total_us, bytes_in, bytes_out, usage_state, \(Self.answerColumns.joined(separator: ", ")))
                VALUES (\((1...23 + Self.answerColumns.count).map { "?\($0)" }.joined(separator: ", ")))
                """)
            insertAttempt = try connection.prepare(
                """
                INSERT OR REPLACE INTO attempts (request_id, n, provider, status, reason, started_us, ended_us, key_n,
                model) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                """)
            insertBody = try connection.prepare("INSERT OR REPLACE INTO bodies VALUES (?1, ?2, ?3)")
            insertSummary = try connection.prepare(
                """
                INSERT OR REPLACE INTO requests (id, end_state, problem, total_us, count)
                VALUES (?1, 'refused', 'refusals_summarised', ?2, ?3)
                """)
            bookmark = try connection.prepare("UPDATE bookmarks SET id = ?1 WHERE name = 'settled_below'")
            settledBelow = try connection.integer("SELECT id FROM bookmarks WHERE name = 'settled_below'") ?? 0
            logIdentity = DatabaseFile.identity(path + "-wal")
        } catch let fault as StoreFault {
            throw fault
        } catch let error as SQLiteError {
            throw StoreFault(error, path: place.path)
        } catch {
            throw StoreFault(reason: "\(error)", advice: "")
        }
    }

    func write(_ intent: AuditIntent) throws(SQLiteError) {
        try bind(intent, provider: intent.provider, model: intent.model, isStream: intent.isStream, insertIntent)
        try insertIntent.run()
        // The clock stepped back, or another worker was slower to submit.
        if intent.id.rawValue < settledBelow { try moveBookmark(to: intent.id.rawValue) }
    }

    func moveBookmark(to id: Int64) throws(SQLiteError) {
        try bookmark.bind(1, id)
        try bookmark.run()
        settledBelow = id
    }

    func write(_ end: AuditSettlement) throws(SQLiteError) {
        let intent = end.intent
        let id = intent.id.rawValue
        try bind(
            intent, provider: end.answeringProvider, model: end.model ?? intent.model,
            isStream: end.isStream ?? intent.isStream, insertWhole)
        try insertWhole.bind(15, end.status.map(Int64.init))
        try insertWhole.bind(16, end.endState.rawValue)
        try insertWhole.bind(17, end.problem)
        try insertWhole.bind(18, Int64(end.attempts.count))
        try insertWhole.bind(19, end.firstByteMicroseconds)
        try insertWhole.bind(20, end.totalMicroseconds)
        try insertWhole.bind(21, end.bytesIn)
        try insertWhole.bind(22, end.bytesOut)
        try insertWhole.bind(23, end.usageState.rawValue)
        try bindAnswer(of: end)
        try insertWhole.run()
        for index in end.attempts.indices { try write(end.attempts[index], number: index + 1, of: id) }
        if let body = end.requestBody { try write(body, kind: "request", of: id) }
        if let body = end.responseBody { try write(body, kind: "response", of: id) }
    }

    func write(_ summary: RefusalThrottle.Summary) throws(SQLiteError) {
        try insertSummary.bind(1, summary.first.rawValue)
        try insertSummary.bind(2, summary.last.microseconds - summary.first.microseconds)
        try insertSummary.bind(3, summary.count)
        try insertSummary.run()
    }

    /// False when the file, or the log that belongs to it, was deleted or replaced under us: what is written now would vanish
    /// with the connection.
    var isInPlace: Bool {
        guard isFileInPlace else { return false }
        let log = DatabaseFile.identity(path + "-wal")
        if logIdentity == nil { logIdentity = log }
        return log == logIdentity
    }

    private var logIdentity: [UInt64]?

    private var isFileInPlace: Bool { identity != nil && DatabaseFile.identity(path) == identity }

    /// Copies what only the log has into the file, which has lost its log. False if the file is gone too.
    func saveLog() -> Bool {
        guard isFileInPlace else { return false }
        return (try? connection.checkpoint()) != nil
    }

    private func bind(
        _ intent: AuditIntent, provider: String?, model: String?, isStream: Bool?, _ statement: Statement
    ) throws(SQLiteError) {
        let caller = intent.caller
        try statement.bind(1, intent.id.rawValue)
        try statement.bind(2, caller.uid.map(Int64.init))
        try statement.bind(3, caller.pid.map(Int64.init))
        try statement.bind(4, caller.executable)
        try statement.bind(5, caller.unit)
        try statement.bind(6, intent.tokenName)
        try statement.bind(7, caller.address)
        try statement.bind(8, intent.method)
        try statement.bind(9, intent.path)
        try statement.bind(10, intent.dialect.rawValue)
        try statement.bind(11, intent.operation.rawValue)
        try statement.bind(12, provider)
        try statement.bind(13, model)
        try statement.bind(14, isStream.map { $0 ? 1 : 0 })
    }

    /// In the order of `bindAnswer`.
    private static let answerColumns = [
        "messages_in", "messages_out", "answer_model", "finish_reason", "service_tier", "end_user", "input_total",
        "input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output_total", "reasoning", "audio_in",
        "audio_out", "image_in", "image_out", "seconds", "usage_other", "usage_raw", "cache", "cache_source",
        "saved_input", "saved_output",
    ]

    private func bindAnswer(of end: AuditSettlement) throws(SQLiteError) {
        guard end.answer != nil || end.messagesIn != nil || end.cache != nil else {
            // Most of what has no answer comes after its like: the parameters are NULL already.
            if hasAnswerBound {
                for index in Self.answerColumns.indices { try insertWhole.bindNull(Int32(24 + index)) }
                hasAnswerBound = false
            }
            return
        }
        hasAnswerBound = true
        let answer = end.answer
        let usage = answer?.usage
        try insertWhole.bind(24, end.messagesIn)
        try insertWhole.bind(25, end.messagesOut)
        try insertWhole.bind(26, answer?.model)
        try insertWhole.bind(27, answer?.finishReason)
        try insertWhole.bind(28, answer?.serviceTier)
        try insertWhole.bind(29, answer?.endUser)
        try insertWhole.bind(30, usage?.inputTotal)
        try insertWhole.bind(31, usage?.inputUncached)
        try insertWhole.bind(32, usage?.cacheRead)
        try insertWhole.bind(33, usage?.cacheWrite5m)
        try insertWhole.bind(34, usage?.cacheWrite1h)
        try insertWhole.bind(35, usage?.outputTotal)
        try insertWhole.bind(36, usage?.reasoning)
        try insertWhole.bind(37, usage?.audioIn)
        try insertWhole.bind(38, usage?.audioOut)
        try insertWhole.bind(39, usage?.imageIn)
        try insertWhole.bind(40, usage?.imageOut)
        if let seconds = usage?.seconds { try insertWhole.bind(41, seconds) } else { try insertWhole.bindNull(41) }
        try insertWhole.bind(42, usage?.otherJSON)
        try insertWhole.bind(43, usage.map { String(decoding: $0.raw, as: UTF8.self) })
        try insertWhole.bind(44, end.cache?.outcome.rawValue)
        try insertWhole.bind(45, end.cache?.source?.rawValue)
        try insertWhole.bind(46, end.cache?.saved?.inputTotal)
        try insertWhole.bind(47, end.cache?.saved?.outputTotal)
    }

    private func write(_ attempt: AttemptRecord, number: Int, of id: Int64) throws(SQLiteError) {
        try insertAttempt.bind(1, id)
        try insertAttempt.bind(2, Int64(number))
        try insertAttempt.bind(3, attempt.provider)
        try insertAttempt.bind(4, attempt.status.map(Int64.init))
        try insertAttempt.bind(5, attempt.reason)
        try insertAttempt.bind(6, attempt.startedMicroseconds)
        try insertAttempt.bind(7, attempt.endedMicroseconds)
        try insertAttempt.bind(8, attempt.key.map(Int64.init))
        try insertAttempt.bind(9, attempt.model)
        try insertAttempt.run()
    }

    private func write(_ body: [UInt8], kind: String, of id: Int64) throws(SQLiteError) {
        try insertBody.bind(1, id)
        try insertBody.bind(2, kind)
        try insertBody.run(3, bytes: body)
    }

    private static let foreign = StoreFault(
        reason: "it is a database of another program",
        advice: "Set [storage.sqlite] path to a file of its own; menshen creates it.")

    private static func newer(_ step: String) -> StoreFault {
        StoreFault(
            reason: "a newer menshen made it (schema step \"\(step)\")",
            advice: "Update menshen or set [storage.sqlite] path to a new file.")
    }
}

extension StoreFault {
    init(_ error: SQLiteError, path: String) {
        switch error.kind {
        case .busy:
            self.init(
                reason: "another program holds its write lock",
                advice: "End that program's transaction; `fuser \(path)` names it.")
        case .full:
            self.init(
                reason: "the disk or the database's size limit is full",
                advice: "Free space or lower [storage] retention_days.")
        case .corrupt, .notADatabase:
            self.init(
                reason: "its content is damaged (\(error))",
                advice: "Move \(path) and its -wal and -shm files away; a new one is made within seconds. "
                    + "`sqlite3 OLD .recover` saves what can be read.")
        case .readOnly, .cannotOpen:
            self.init(
                reason: "it can't be written (\(error))",
                advice: "Look at the owner and mode of the file and its directory, and at mount options.")
        case .inputOutput:
            self.init(reason: "the disk failed (\(error))", advice: "Look at the kernel's log and the disk.")
        case .other:
            self.init(reason: "\(error)", advice: "If it stays, please report it.")
        }
    }
}
