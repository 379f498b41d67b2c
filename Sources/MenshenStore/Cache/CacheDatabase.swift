// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite

/// The cache's connection with its prepared statements. Belongs to the cache's thread.
package final class CacheDatabase: KeptDatabase {
    /// "mnsc" (`PRAGMA application_id`): not the audit database's, so that neither is taken for the other.
    static let applicationID: Int64 = 0x6d6e_7363
    /// 16 MiB.
    private static let sparePages: Int64 = 4096
    /// Rows and their places in three indexes.
    private static let overhead = 512

    /// The answers stand apart: a new time of use would otherwise write a whole answer again.
    private static let migrator = Migrator([
        .init(
            "1 entries, answers",
            """
            CREATE TABLE entries (
                id INTEGER PRIMARY KEY,
                key BLOB NOT NULL UNIQUE,
                stored_us INTEGER NOT NULL,
                expires_us INTEGER NOT NULL,
                used_us INTEGER NOT NULL,
                bytes INTEGER NOT NULL
            ) STRICT;
            CREATE INDEX entries_by_use ON entries (used_us);
            CREATE INDEX entries_by_end ON entries (expires_us);
            CREATE TABLE answers (id INTEGER PRIMARY KEY, answer BLOB NOT NULL) STRICT;
            """)
    ])

    let connection: Connection
    let path: String
    private let file: FileIdentity
    private let find: Statement
    private let insertEntry: Statement
    private let insertAnswer: Statement
    private let deleteEntry: Statement
    private let deleteAnswer: Statement
    private let touch: Statement
    private var nextID: Int64
    private(set) var entries: Int
    private(set) var bytes: Int64

    /// Opens, configures and migrates.
    static func open(_ place: DatabaseFile.Place) throws(CacheFault) -> CacheDatabase {
        do throws(SQLiteError) {
            let connection = try connect(place.path)
            if case .current = try migrator.migrate(connection) { return try CacheDatabase(place, connection) }
        } catch {
            throw .failed(error)
        }
        throw .newer
    }

    private static func connect(_ path: String) throws(SQLiteError) -> Connection {
        let connection = try Connection(path: path, .readWrite, busyMilliseconds: 200)
        let isEmpty = try connection.integer("SELECT count(*) FROM sqlite_schema") == 0
        try connection.prepareFile(isEmpty: isEmpty, applicationID: applicationID)
        return connection
    }

    private init(_ place: DatabaseFile.Place, _ connection: Connection) throws(SQLiteError) {
        path = place.path
        file = FileIdentity(place.path)
        self.connection = connection
        find = try connection.prepare(
            """
            SELECT entries.id, stored_us, expires_us, answer FROM entries LEFT JOIN answers ON answers.id = entries.id
            WHERE key = ?1
            """)
        insertEntry = try connection.prepare(
            "INSERT INTO entries (id, key, stored_us, expires_us, used_us, bytes) VALUES (?1, ?2, ?3, ?4, ?3, ?5)")
        insertAnswer = try connection.prepare("INSERT OR REPLACE INTO answers (id, answer) VALUES (?1, ?2)")
        deleteEntry = try connection.prepare("DELETE FROM entries WHERE id = ?1 RETURNING bytes")
        deleteAnswer = try connection.prepare("DELETE FROM answers WHERE id = ?1")
        touch = try connection.prepare("UPDATE entries SET used_us = max(used_us, ?2) WHERE id = ?1")
        nextID = (try connection.integer("SELECT max(id) FROM answers") ?? 0) + 1
        (entries, bytes) = (0, 0)
        try recount()
    }

    private func recount() throws(SQLiteError) {
        entries = Int(try connection.integer("SELECT count(*) FROM entries") ?? 0)
        bytes = try connection.integer("SELECT sum(bytes) FROM entries") ?? 0
    }

    package var isInPlace: Bool { file.isInPlace }

    struct Found {
        let id: Int64
        let stored: UInt64
        let expires: UInt64
        /// nil unless it was to be read.
        let answer: [UInt8]?
    }

    /// Only an entry that was stored after `storedAfter` and expires after `now` has its answer read.
    func find(_ key: CacheKey, now: UInt64, storedAfter: UInt64) throws(SQLiteError) -> Found? {
        defer { find.reset() }
        try find.bind(1, bytes: key.bytes)
        guard try find.step(), let id = find.integer(0) else { return nil }
        let stored = UInt64(clamping: find.integer(1) ?? 0)
        let expires = UInt64(clamping: find.integer(2) ?? 0)
        let isFresh = now < expires && stored > storedAfter
        return Found(id: id, stored: stored, expires: expires, answer: isFresh ? find.bytes(3) : nil)
    }

    static func size(_ encoded: [UInt8]) -> Int64 { Int64(encoded.count + overhead) }

    func insert(_ key: CacheKey, _ encoded: [UInt8], stored: UInt64, expires: UInt64) throws(SQLiteError) {
        try remove(key)
        let id = nextID
        nextID += 1
        try insertAnswer.bind(1, id)
        try insertAnswer.run(2, bytes: encoded)
        try insertEntry.bind(1, id)
        try insertEntry.bind(2, bytes: key.bytes)
        try insertEntry.bind(3, Int64(clamping: stored))
        try insertEntry.bind(4, Int64(clamping: expires))
        try insertEntry.bind(5, Self.size(encoded))
        try insertEntry.run()
        entries += 1
        bytes += Self.size(encoded)
    }

    func remove(_ key: CacheKey) throws(SQLiteError) {
        if let found = try find(key, now: .max, storedAfter: .max) { try remove(found.id) }
    }

    /// False if it was gone already.
    @discardableResult
    func remove(_ id: Int64) throws(SQLiteError) -> Bool {
        try deleteEntry.bind(1, id)
        let size = try deleteEntry.step() ? deleteEntry.integer(0) : nil
        try deleteEntry.run()
        try deleteAnswer.bind(1, id)
        try deleteAnswer.run()
        guard let size else { return false }
        entries -= 1
        bytes -= size
        return true
    }

    func touch(_ id: Int64, at time: UInt64) throws(SQLiteError) {
        try touch.bind(1, id)
        try touch.bind(2, Int64(clamping: time))
        try touch.run()
    }

    /// Removes the least recently used entries until the rest fits; returns how many.
    func evict(to limit: Int64) throws(SQLiteError) -> Int {
        var count = 0
        while bytes > limit, entries > 0 {
            let before = count
            for id in try ids("SELECT id FROM entries ORDER BY used_us, id LIMIT 64") where bytes > limit {
                if try remove(id) { count += 1 }
            }
            // Only if somebody else has changed the rows.
            if count == before { try recount() }
        }
        return count
    }

    /// Removes up to `limit` entries that have expired; returns how many.
    func expire(now: UInt64, limit: Int) throws(SQLiteError) -> Int {
        let old = try ids("SELECT id FROM entries WHERE expires_us <= \(Int64(clamping: now)) LIMIT \(limit)")
        if old.isEmpty { return 0 }
        try connection.transaction { () throws(SQLiteError) in for id in old { try remove(id) } }
        return old.count
    }

    /// Gives some of the file's free pages back, if there are more than the next answers will fill; false if not.
    func shrink() throws(SQLiteError) -> Bool {
        guard let free = try connection.integer("PRAGMA freelist_count"), free > Self.sparePages else { return false }
        try connection.execute("PRAGMA incremental_vacuum(1024)")
        return true
    }

    private func ids(_ sql: String) throws(SQLiteError) -> [Int64] {
        let rows = try connection.prepare(sql, reused: false)
        var found: [Int64] = []
        while try rows.step() { if let id = rows.integer(0) { found.append(id) } }
        return found
    }
}

/// Why the cache's database can't be opened.
enum CacheFault: Error {
    case failed(SQLiteError)
    /// Another version of menshen made it.
    case newer

    /// What is there is of no use to anybody.
    var isWorthless: Bool {
        switch self {
        case .newer: true
        case .failed(let error):
            switch error.kind {
            // "Other": a table that is not as it should be.
            case .corrupt, .notADatabase, .other: true
            case .busy, .full, .readOnly, .cannotOpen, .inputOutput: false
            }
        }
    }

    func reason(_ path: String) -> String {
        switch self {
        case .newer: "another version of menshen made it"
        case .failed(let error): StoreFault(error, path: path).reason
        }
    }
}
