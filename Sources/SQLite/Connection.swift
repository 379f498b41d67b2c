// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSQLite

/// One open database. Belongs to the thread that uses it: SQLite's own mutexes are off and the type is not Sendable.
package final class Connection {
    package enum Access: Sendable {
        case readOnly, readWrite
    }

    private let handle: OpaquePointer
    private var begin: Statement?
    private var commit: Statement?
    private var rollback: Statement?
    /// Pages in the write-ahead log after the last commit of this connection.
    package private(set) var logPages: Int32 = 0

    /// Opens the file, creating it for `.readWrite`. A symbolic link anywhere in `path` is refused, so resolve the
    /// directory first. Waits at most `busyMilliseconds` for another connection's lock. Automatic checkpoints are
    /// off: the owner looks at `logPages` and calls `checkpoint` when nobody waits for it.
    package init(path: String, _ access: Access, busyMilliseconds: Int32) throws(SQLiteError) {
        let mode = access == .readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        let flags = mode | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, flags, nil)
        guard code == SQLITE_OK, let opened else {
            let error = SQLiteError.last(code, on: opened, sql: "")
            sqlite3_close_v2(opened)
            throw error
        }
        handle = opened
        try check(sqlite3_busy_timeout(handle, busyMilliseconds), "")
        // The callback lives as long as the handle, which this object closes in deinit.
        sqlite3_wal_hook(
            handle,
            { context, _, _, pages in
                guard let context else { return SQLITE_OK }
                Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue().logPages = pages
                return SQLITE_OK
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        sqlite3_wal_hook(handle, nil, nil)
        // The v2 form waits for statements that are still alive; the result is then always SQLITE_OK.
        sqlite3_close_v2(handle)
    }

    /// Runs statements that take no values and whose rows nobody wants.
    package func execute(_ sql: String) throws(SQLiteError) {
        try check(sqlite3_exec(handle, sql, nil, nil, nil), sql)
    }

    /// Compiles one statement. `reused` tells SQLite that it will live long.
    package func prepare(_ sql: String, reused: Bool = true) throws(SQLiteError) -> Statement {
        var statement: OpaquePointer?
        let flags = reused ? UInt32(SQLITE_PREPARE_PERSISTENT) : 0
        try check(sqlite3_prepare_v3(handle, sql, -1, flags, &statement, nil), sql)
        guard let statement else { throw SQLiteError(code: SQLITE_MISUSE, message: "no statement", sql: sql) }
        return Statement(statement)
    }

    /// Runs `body` between BEGIN IMMEDIATE and COMMIT; a failure of either or of `body` rolls everything back.
    package func transaction<Result>(_ body: () throws(SQLiteError) -> Result) throws(SQLiteError) -> Result {
        try prepared(&begin, "BEGIN IMMEDIATE").run()
        do {
            let result = try body()
            try prepared(&commit, "COMMIT").run()
            return result
        } catch {
            // Some failures (disk full, I/O) have rolled back already. If ROLLBACK fails too, the first failure is
            // the one to report.
            if sqlite3_get_autocommit(handle) == 0 { try? prepared(&rollback, "ROLLBACK").run() }
            throw error
        }
    }

    /// First column of the first row as an integer; nil without a row.
    package func integer(_ sql: String) throws(SQLiteError) -> Int64? {
        let statement = try prepare(sql, reused: false)
        return try statement.step() ? statement.integer(0) : nil
    }

    /// First column of the first row as text; nil without a row.
    package func text(_ sql: String) throws(SQLiteError) -> String? {
        let statement = try prepare(sql, reused: false)
        return try statement.step() ? statement.text(0) : nil
    }

    /// Rows changed by the last INSERT, UPDATE or DELETE.
    package var changes: Int { Int(sqlite3_changes64(handle)) }

    /// Copies the write-ahead log into the database file: without waiting for anybody, or (`truncating`) waiting as
    /// long as the busy time for readers and then cutting the log to nothing. False if a reader kept it from finishing.
    @discardableResult
    package func checkpoint(truncating: Bool = false) throws(SQLiteError) -> Bool {
        var pages: Int32 = 0
        var done: Int32 = 0
        let mode = truncating ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE
        let code = sqlite3_wal_checkpoint_v2(handle, nil, mode, &pages, &done)
        if code & 0xff == SQLITE_BUSY { return false }
        try check(code, "checkpoint")
        return pages == done
    }

    /// SQLite's own findings, "ok" alone if there are none. Reads the whole file.
    /// `quick`: without a look at whether indices agree with their tables, in a tenth of the time.
    package func integrityCheck(quick: Bool = false) throws(SQLiteError) -> [String] {
        let statement = try prepare(quick ? "PRAGMA quick_check" : "PRAGMA integrity_check", reused: false)
        var findings: [String] = []
        while try statement.step() { findings.append(statement.text(0) ?? "") }
        return findings
    }

    private func prepared(_ slot: inout Statement?, _ sql: String) throws(SQLiteError) -> Statement {
        if let statement = slot { return statement }
        let statement = try prepare(sql)
        slot = statement
        return statement
    }

    private func check(_ code: Int32, _ sql: @autoclosure () -> String) throws(SQLiteError) {
        if code != SQLITE_OK { throw SQLiteError.last(code, on: handle, sql: sql()) }
    }
}
