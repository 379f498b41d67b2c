// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import SQLite
import Testing

@Suite struct ConnectionTests {
    private let directory: String

    init() {
        var template = Array("/tmp/menshen-sqlite-XXXXXX".utf8CString)
        directory = template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, let made = mkdtemp(base) else { preconditionFailure("mkdtemp") }
            return String(cString: made)
        }
    }

    private func withConnection(_ body: (Connection) throws -> Void) throws {
        defer {
            for suffix in ["", "-wal", "-shm"] { unlink(directory + "/test.db" + suffix) }
            rmdir(directory)
        }
        try body(try Connection(path: directory + "/test.db", .readWrite, busyMilliseconds: 0))
    }

    @Test func `values come back as they were bound`() throws {
        try withConnection { connection in
            try connection.execute("CREATE TABLE t (i INTEGER, d REAL, s TEXT, b BLOB)")
            let insert = try connection.prepare("INSERT INTO t VALUES (?1, ?2, ?3, ?4)")
            let long = String(repeating: "門神", count: 2000)
            for text in ["", "short", "a\0b", long, long + long] {
                try insert.bind(1, Int64.min)
                try insert.bind(2, 0.1)
                try insert.bind(3, text)
                try insert.run(4, bytes: Array(text.utf8))
                let row = try connection.prepare("SELECT i, d, s, b FROM t ORDER BY rowid DESC")
                #expect(try row.step())
                #expect(row.integer(0) == .min && row.double(1) == 0.1)
                #expect(row.text(2) == text && row.bytes(3) == Array(text.utf8))
            }
            try insert.bind(1, Int64?.none)
            try insert.bind(2, 1.5)
            try insert.bind(3, String?.none)
            try insert.run()
            let row = try connection.prepare("SELECT i, s, b FROM t ORDER BY rowid DESC")
            #expect(try row.step())
            #expect(row.integer(0) == nil && row.text(1) == nil && row.bytes(2) == nil)
        }
    }

    @Test func `a failing transaction leaves nothing and the next one works`() throws {
        try withConnection { connection in
            try connection.execute("CREATE TABLE t (i INTEGER PRIMARY KEY)")
            #expect(throws: SQLiteError.self) {
                try connection.transaction { () throws(SQLiteError) in
                    try connection.execute("INSERT INTO t VALUES (1)")
                    try connection.execute("INSERT INTO t VALUES (1)")
                }
            }
            #expect(try connection.integer("SELECT count(*) FROM t") == 0)
            try connection.transaction { () throws(SQLiteError) in try connection.execute("INSERT INTO t VALUES (1)") }
            #expect(try connection.integer("SELECT count(*) FROM t") == 1)
            #expect(connection.changes == 1)
        }
    }

    @Test func `an error tells code and statement but no value`() throws {
        try withConnection { connection in
            try connection.execute("CREATE TABLE t (s TEXT UNIQUE)")
            let insert = try connection.prepare("INSERT INTO t VALUES (?1)")
            for _ in 0..<2 {
                try insert.bind(1, "sk-canary")
                do throws(SQLiteError) { try insert.run() } catch {
                    #expect(error.code == 2067 && error.sql == "INSERT INTO t VALUES (?1)")
                    #expect(!error.description.contains("canary"))
                }
            }
            #expect(try connection.integer("SELECT count(*) FROM t") == 1)
        }
    }

    @Test func `a symbolic link and a locked file are refused`() throws {
        try withConnection { connection in
            try connection.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (i)")
            symlink("test.db", directory + "/link.db")
            defer { unlink(directory + "/link.db") }
            #expect(throws: SQLiteError.self) {
                try Connection(path: directory + "/link.db", .readWrite, busyMilliseconds: 0)
            }
            let other = try Connection(path: directory + "/test.db", .readWrite, busyMilliseconds: 0)
            try other.execute("BEGIN IMMEDIATE")
            do throws(SQLiteError) {
                try connection.transaction { () throws(SQLiteError) in
                    try connection.execute("INSERT INTO t VALUES (1)")
                }
                Issue.record("two writers at once")
            } catch {
                #expect(error.kind == .busy)
            }
        }
    }

    @Test func `the log's pages are counted and a checkpoint empties it`() throws {
        try withConnection { connection in
            try connection.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (i); INSERT INTO t VALUES (1)")
            #expect(connection.logPages > 0)
            #expect(try connection.checkpoint(truncating: true))
            var log = stat()
            #expect(stat(directory + "/test.db-wal", &log) == 0 && log.st_size == 0)
            #expect(try connection.integrityCheck() == ["ok"])
        }
    }

    @Test func `migrations are taken once, in order, and a newer schema is left alone`() throws {
        try withConnection { connection in
            let first = Migrator.Step("one", "CREATE TABLE a (i)")
            let second = Migrator.Step("two", "ALTER TABLE a ADD COLUMN j")
            var outcome = try Migrator([first]).migrate(connection)
            #expect(outcome == .current(applied: ["one"]))
            outcome = try Migrator([first, second]).migrate(connection)
            #expect(outcome == .current(applied: ["two"]))
            outcome = try Migrator([first, second]).migrate(connection)
            #expect(outcome == .current(applied: []))
            #expect(try connection.integer("PRAGMA user_version") == 2)
            outcome = try Migrator([first]).migrate(connection)
            #expect(outcome == .newer(step: "two"))
            let broken = Migrator.Step("three", "CREATE TABLE b (i); CREATE TABLE b (i)")
            #expect(throws: SQLiteError.self) { try Migrator([first, second, broken]).migrate(connection) }
            #expect(try connection.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'b'") == 0)
        }
    }
}
