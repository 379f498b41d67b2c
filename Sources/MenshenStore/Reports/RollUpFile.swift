// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import MenshenCore
internal import SQLite

/// Sums of past slots, in a file beside the database. All of it can be made anew from the database, so what is of another
/// database, of another layout or damaged is thrown away. Belongs to one thread; other processes may use it at the same time.
final class RollUpFile {
    /// "mnsr".
    private static let applicationID: Int64 = 0x6d6e_7372
    private static let busyMilliseconds: Int32 = 2000

    let connection: Connection
    let path: String

    private init(_ connection: Connection, _ path: String) {
        self.connection = connection
        self.path = path
    }

    static func path(of database: String) -> String { database + "-reports" }

    /// nil if there is none that fits the database.
    static func open(of database: String, identity: Int64) -> RollUpFile? {
        let path = path(of: database)
        guard let connection = try? Connection(path: path, .readOnly, busyMilliseconds: busyMilliseconds),
            (try? isOurs(connection, identity)) == true
        else { return nil }
        return RollUpFile(connection, path)
    }

    /// It is damaged, and made anew when it is next brought up to date.
    static func discard(_ path: String) { for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) } }

    /// Makes it if need be. Another program's file of that name is left alone.
    static func make(for database: String, identity: Int64) throws(StoreFault) -> RollUpFile {
        let place = try DatabaseFile.prepare(path(of: database))
        do throws(StoreFault) {
            return RollUpFile(try prepare(place.path, identity), place.path)
        } catch {
            guard error.isDamage else { throw error }
        }
        discard(place.path)
        let fresh = try DatabaseFile.prepare(path(of: database))
        return RollUpFile(try prepare(fresh.path, identity), fresh.path)
    }

    private static func prepare(_ path: String, _ identity: Int64) throws(StoreFault) -> Connection {
        do throws(SQLiteError) {
            let connection = try Connection(path: path, .readWrite, busyMilliseconds: busyMilliseconds)
            let isEmpty = try connection.integer("SELECT count(*) FROM sqlite_schema") == 0
            let owner = try connection.integer("PRAGMA application_id")
            if isEmpty || owner == applicationID {
                try fit(connection, isEmpty: isEmpty, identity)
                return connection
            }
        } catch {
            throw StoreFault(error, path: path)
        }
        throw .foreign
    }

    private static func fit(_ connection: Connection, isEmpty: Bool, _ identity: Int64) throws(SQLiteError) {
        try connection.prepareFile(isEmpty: isEmpty, applicationID: applicationID)
        if !isEmpty, try isOurs(connection, identity) { return }
        try connection.transaction { () throws(SQLiteError) in
            // Another process may have made it meanwhile.
            if try connection.integer("SELECT count(*) FROM sqlite_schema") != 0, try isOurs(connection, identity) {
                return
            }
            try connection.execute(
                """
                DROP TABLE IF EXISTS origin; DROP TABLE IF EXISTS names; DROP TABLE IF EXISTS slots;
                CREATE TABLE origin (identity INTEGER NOT NULL) STRICT;
                CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
                CREATE TABLE slots (slot INTEGER PRIMARY KEY, version INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
                INSERT INTO origin VALUES (\(identity));
                PRAGMA user_version = \(Segment.format);
                """)
        }
    }

    private static func isOurs(_ connection: Connection, _ identity: Int64) throws(SQLiteError) -> Bool {
        guard try connection.integer("PRAGMA application_id") == applicationID,
            try connection.integer("PRAGMA user_version") == Int64(Segment.format)
        else { return false }
        return try connection.integer("SELECT identity FROM origin") == identity
    }
}
