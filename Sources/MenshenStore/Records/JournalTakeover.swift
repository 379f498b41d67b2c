// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import Linux
internal import MenshenCore
internal import SQLite
internal import Systemd

/// Brings into the database what only the journal has: entries that an earlier process left there when it died while the
/// database failed, and of this one what it could not keep in memory. How far it has read is written in the same transaction as
/// the rows, so a death at any moment costs nothing, and nothing is written twice. Belongs to the store's thread, and works
/// in small steps while nothing is queued.
struct JournalTakeover {
    /// After a start, so that the first callers do not wait; and between looks, because journald may be late.
    private static let pause: UInt64 = 2_000_000
    /// Entries per step: some milliseconds.
    private static let stepLimit = 64

    /// What the worker knows of the other side.
    struct Sent {
        /// Entries of this process that journald took as the only record.
        let alone: Int
        /// journald took something of this process.
        let isAny: Bool
    }

    private let source: JournalReader.Source?
    /// As `RequestJournal` names the database.
    private let path: String
    private let takenOver: TakenOver
    /// Requests with a smaller id began in an earlier process.
    private let began: RequestID
    private var reader: JournalReader?
    /// When `step` has something to do; nil: nothing in sight.
    private(set) var deadline: UInt64?
    private var quietLooks = 0
    private var hasFound = false
    private var rows = 0
    /// Entries of this process: read since the last report, and reported until then.
    private var own = 0
    private var reported = 0
    private var hasToldUnreadable = false
    /// How many entries of this process were missing when the journal was read to its end; nil: that was told already.
    private var outcome: Int?

    init(_ settings: StoreSettings) {
        source = settings.journalSource
        path = settings.databasePath
        takenOver = settings.takenOver
        began = RequestID(microseconds: Int64(clamping: settings.wall()))
    }

    /// The database is in use: at the start, or again.
    mutating func begin(_ now: UInt64) {
        guard source != nil else { return }
        reader = nil
        quietLooks = 0
        hasFound = false
        deadline = now + Self.pause
    }

    /// The database is not in use any more.
    mutating func stop() {
        reader = nil
        deadline = nil
    }

    /// One bounded piece of work; false if none was due.
    mutating func step(
        _ database: AuditDatabase, _ now: UInt64, _ sent: Sent, _ log: @Sendable (StoreEvent) -> Void
    ) throws(SQLiteError) -> Bool {
        guard let source, let deadline, now >= deadline else { return false }
        let position = reader == nil ? try database.journalPosition() : nil
        let piece: Piece?
        do throws(SystemError) {
            guard reader != nil else {
                reader = try Self.open(source, path, position)
                return true
            }
            piece = try read()
        } catch {
            stop()
            log(.notReadBack(missing: max(0, sent.alone - reported), reason: "\(error)"))
            return true
        }
        guard let piece else {
            endLook(now, sent, log)
            return true
        }
        rows += try database.takeOver(piece.records, upTo: piece.cursor, before: began, tell: takenOver)
        own += piece.own
        hasFound = true
        return true
    }

    /// See `outcome`.
    mutating func takeOutcome() -> Int? {
        defer { outcome = nil }
        return outcome
    }

    // MARK: One look

    private struct Piece {
        var records: [JournalRecord] = []
        var own = 0
        var count = 0
        var cursor: String?
    }

    private static func open(
        _ source: JournalReader.Source, _ path: String, _ cursor: String?
    ) throws(SystemError) -> JournalReader {
        let reader = try JournalReader(source)
        // journald sets the first, so no other user's entry is believed.
        try reader.match("_UID", String(geteuid()))
        try reader.match(JournalRecord.deviceField, JournalRecord.device)
        try reader.match(JournalRecord.databaseField, path)
        try reader.seek(after: cursor)
        return reader
    }

    /// nil at the end of the journal.
    private func read() throws(SystemError) -> Piece? {
        guard let reader else { return nil }
        var piece = Piece()
        while piece.count < Self.stepLimit, let fields = try reader.next() {
            piece.count += 1
            if fields["_PID"]?.first == String(getpid()) { piece.own += 1 }
            if let record = JournalRecord(fields) { piece.records.append(record) }
        }
        piece.cursor = reader.cursor
        return piece.count > 0 ? piece : nil
    }

    private mutating func endLook(_ now: UInt64, _ sent: Sent, _ log: (StoreEvent) -> Void) {
        let isUnreadable = reader?.isEmpty ?? true
        // Another look sees files that were begun since.
        reader = nil
        quietLooks = hasFound ? 0 : quietLooks + 1
        hasFound = false
        // What a process left that is gone has arrived by now.
        guard quietLooks >= (sent.alone > reported ? 2 : 1) else {
            deadline = now + Self.pause
            return
        }
        deadline = nil
        if rows > 0 { log(.takenOver(count: rows)) }
        rows = 0
        let missing = sent.alone - reported - own
        reported = sent.alone
        own = 0
        if !isUnreadable { outcome = max(0, missing) }
        let isWarned = isUnreadable && sent.isAny && !hasToldUnreadable
        guard missing > 0 || isWarned else { return }
        hasToldUnreadable = isUnreadable
        let reason = isUnreadable ? "this user may not read it" : "they are not in it"
        log(.notReadBack(missing: max(0, missing), reason: reason))
    }
}

extension AuditDatabase {
    /// Up to where the journal was taken over; nil: nothing yet.
    func journalPosition() throws(SQLiteError) -> String? {
        try connection.text("SELECT position FROM bookmarks WHERE name = 'journal'")
    }

    /// Writes what has no row, or none that says more; returns how many rows that made or changed. Requests before `before`
    /// that are not seen to end are lost.
    func takeOver(
        _ records: [JournalRecord], upTo position: String?, before began: RequestID, tell takenOver: TakenOver
    ) throws(SQLiteError) -> Int {
        let row = try connection.prepare("SELECT end_state FROM requests WHERE id = ?1", reused: false)
        let mark = try connection.prepare(
            "UPDATE bookmarks SET position = ?1 WHERE name = 'journal'", reused: false)
        return try record { () throws(SQLiteError) -> Int in
            var count = 0
            var earlier: [RequestID] = []
            for record in records {
                try row.bind(1, record.id.rawValue)
                let state = try row.step() ? row.text(0) : nil
                row.reset()
                switch record.content {
                case .end: guard state == nil || state == "open" || state == EndState.lost.rawValue else { continue }
                case .beginning, .summary: guard state == nil else { continue }
                }
                try write(record, isCorrection: state == EndState.lost.rawValue)
                if case .beginning = record.content, record.id.rawValue < began.rawValue { try lose(record.id) }
                count += 1
                if record.id.rawValue < began.rawValue { earlier.append(record.id) }
            }
            // Before the commit, so that no reading that has ended by now has seen them.
            takenOver.tell(earlier)
            if let position {
                try mark.bind(1, position)
                try mark.run()
            }
            return count
        }
    }
}
