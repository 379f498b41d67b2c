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

    /// Makes it if need be.
    static func make(for database: String, identity: Int64) throws(StoreFault) -> RollUpFile {
        let place = try DatabaseFile.prepare(path(of: database))
        do throws(SQLiteError) {
            return RollUpFile(try prepare(place.path, identity), place.path)
        } catch {
            guard StoreFault(error, path: place.path).isDamage else { throw StoreFault(error, path: place.path) }
        }
        for suffix in ["", "-wal", "-shm"] { unlink(place.path + suffix) }
        let fresh = try DatabaseFile.prepare(path(of: database))
        do throws(SQLiteError) {
            return RollUpFile(try prepare(fresh.path, identity), fresh.path)
        } catch {
            throw StoreFault(error, path: fresh.path)
        }
    }

    private static func prepare(_ path: String, _ identity: Int64) throws(SQLiteError) -> Connection {
        let connection = try Connection(path: path, .readWrite, busyMilliseconds: busyMilliseconds)
        let isEmpty = try connection.integer("SELECT count(*) FROM sqlite_schema") == 0
        try connection.prepareFile(isEmpty: isEmpty, applicationID: applicationID)
        if !isEmpty, try isOurs(connection, identity) { return connection }
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
        return connection
    }

    private static func isOurs(_ connection: Connection, _ identity: Int64) throws(SQLiteError) -> Bool {
        guard try connection.integer("PRAGMA application_id") == applicationID,
            try connection.integer("PRAGMA user_version") == Int64(Segment.format)
        else { return false }
        return try connection.integer("SELECT identity FROM origin") == identity
    }
}
