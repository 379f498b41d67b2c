// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSQLite

/// A result code of SQLite that is not success: the extended code, SQLite's sentence and the statement.
/// Never holds bound values.
package struct SQLiteError: Error, Sendable, Equatable, CustomStringConvertible {
    package let code: Int32
    package let message: String
    /// Empty when the failure is about opening or closing.
    package let sql: String

    /// What a caller can act on.
    package enum Kind: Sendable {
        case busy, full, readOnly, corrupt, notADatabase, cannotOpen, inputOutput, other
    }

    package var kind: Kind {
        switch code & 0xff {
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL: .busy
        case SQLITE_FULL: .full
        case SQLITE_READONLY, SQLITE_PERM: .readOnly
        case SQLITE_CORRUPT: .corrupt
        case SQLITE_NOTADB: .notADatabase
        case SQLITE_CANTOPEN: .cannotOpen
        case SQLITE_IOERR: .inputOutput
        default: .other
        }
    }

    package var description: String {
        sql.isEmpty ? "\(message) (SQLite \(code))" : "\(message) (SQLite \(code)) in: \(sql)"
    }

    /// The failure that `handle` remembers; `code` is what the call returned.
    static func last(_ code: Int32, on handle: OpaquePointer?, sql: String) -> SQLiteError {
        let text = handle.map { sqlite3_errmsg($0) } ?? sqlite3_errstr(code)
        let extended = handle.map { sqlite3_extended_errcode($0) } ?? code
        return SQLiteError(
            code: extended & 0xff == code & 0xff ? extended : code,
            message: text.map { String(cString: $0) } ?? "unknown", sql: sql)
    }
}
