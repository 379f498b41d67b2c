// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
internal import MenshenCore
internal import SQLite

/// The file of the tokens that are given out, `access.db`. Whoever changes it waits for the disk: what was said to be done holds
/// after a power cut too.
final class AccessDatabase: KeptDatabase {
    /// "mnsa" (`PRAGMA application_id`).
    static let applicationID: Int64 = 0x6d6e_7361

    private static let migrator = Migrator([
        .init(
            "1 tokens, digests, admin",
            """
            CREATE TABLE tokens (
                id INTEGER PRIMARY KEY,
                name TEXT NOT NULL,
                created INTEGER NOT NULL,
                created_by TEXT NOT NULL,
                expires INTEGER,
                revoked_at INTEGER,
                providers TEXT NOT NULL,
                models TEXT NOT NULL,
                operations TEXT NOT NULL,
                paths TEXT NOT NULL,
                limits TEXT NOT NULL,
                concurrency INTEGER,
                max_errors INTEGER,
                note TEXT
            ) STRICT;
            CREATE UNIQUE INDEX tokens_in_use ON tokens (name) WHERE revoked_at IS NULL;
            CREATE TABLE digests (
                sha256 BLOB PRIMARY KEY NOT NULL,
                token INTEGER NOT NULL REFERENCES tokens (id),
                until INTEGER
            ) STRICT;
            CREATE TABLE admin (
                id INTEGER PRIMARY KEY,
                at INTEGER NOT NULL,
                uid INTEGER NOT NULL,
                pid INTEGER,
                act TEXT NOT NULL,
                target TEXT NOT NULL,
                outcome TEXT NOT NULL
            ) STRICT;
            """)
    ])

    let connection: Connection
    let path: String
    private let file: FileIdentity

    /// Opens, configures and migrates.
    init(_ place: DatabaseFile.Place) throws(StoreFault) {
        path = place.path
        file = FileIdentity(place.path)
        var newerStep: String?
        let owner: Int64?
        do throws(SQLiteError) {
            connection = try Connection(path: place.path, .readWrite, busyMilliseconds: 1000)
            let isEmpty = try connection.integer("SELECT count(*) FROM sqlite_schema") == 0
            owner = isEmpty ? Self.applicationID : try connection.integer("PRAGMA application_id")
            if owner == Self.applicationID {
                try connection.prepareFile(isEmpty: isEmpty, applicationID: Self.applicationID)
                try connection.execute("PRAGMA synchronous = FULL")
                try connection.execute("PRAGMA foreign_keys = ON")
                if case .newer(let step) = try Self.migrator.migrate(connection) { newerStep = step }
            }
        } catch {
            throw Self.fault(error, place.path)
        }
        guard owner == Self.applicationID else {
            throw StoreFault(reason: "it is a database of another program", advice: "Move it away.")
        }
        if let newerStep {
            throw StoreFault(
                reason: "a newer menshen made it (schema step \"\(newerStep)\")", advice: "Update menshen.")
        }
    }

    var isInPlace: Bool { file.isInPlace }

    /// What can be done about it is not what can be done about records.
    static func fault(_ error: SQLiteError, _ path: String) -> StoreFault {
        let fault = StoreFault(error, path: path)
        switch error.kind {
        case .corrupt, .notADatabase:
            return StoreFault(
                reason: fault.reason,
                advice:
                    "Put a copy of it back, or move \(path) with its -wal and -shm away and give out new tokens; then "
                    + "reload menshen.")
        case .full: return StoreFault(reason: fault.reason, advice: "Free space.")
        default: return fault
        }
    }

    /// Whether a token counts in the file of a menshen that may be running; false if that can't be read.
    static func holdsToken(_ path: String) -> Bool {
        (try? reading(path) { connection throws(SQLiteError) in
            try connection.integer("SELECT count(*) FROM tokens WHERE revoked_at IS NULL") ?? 0 > 0
        }) == true
    }

    /// All tokens of such a file, newest first; none if there is no file.
    static func tokens(in path: String) throws(StoreFault) -> [GivenToken] {
        try reading(path) { connection throws(SQLiteError) in try tokens(connection) } ?? []
    }

    /// nil: there is no such file.
    private static func reading<Answer>(
        _ path: String, _ body: (Connection) throws(SQLiteError) -> Answer
    ) throws(StoreFault) -> Answer? {
        guard FileIdentity(path).wasThere else { return nil }
        let file = try DatabaseFile.resolve(path).file
        do throws(SQLiteError) {
            let connection = try Connection(path: file, .readOnly, busyMilliseconds: 1000)
            guard try connection.integer("PRAGMA application_id") == applicationID else { return nil }
            return try body(connection)
        } catch {
            throw fault(error, path)
        }
    }

    // MARK: Reading

    private static let columns = """
        tokens.id, name, created, created_by, expires, revoked_at, providers, models, operations, paths, limits, concurrency,
        max_errors, note, (SELECT max(until) FROM digests WHERE token = tokens.id)
        """

    /// Newest first.
    func tokens() throws(SQLiteError) -> [GivenToken] { try Self.tokens(connection) }

    private static func tokens(_ connection: Connection) throws(SQLiteError) -> [GivenToken] {
        let rows = try connection.prepare("SELECT \(columns) FROM tokens ORDER BY id DESC", reused: false)
        var tokens: [GivenToken] = []
        while try rows.step() { tokens.append(token(rows)) }
        return tokens
    }

    /// The one in use.
    func token(_ name: String) throws(SQLiteError) -> GivenToken? {
        let rows = try connection.prepare(
            "SELECT \(Self.columns) FROM tokens WHERE name = ?1 AND revoked_at IS NULL", reused: false)
        try rows.bind(1, name)
        return try rows.step() ? Self.token(rows) : nil
    }

    /// All that were ever given out, as requests are judged by them.
    func issued() throws(SQLiteError) -> IssuedTokens {
        let rows = try connection.prepare(
            "SELECT \(Self.columns), sha256, until FROM digests JOIN tokens ON tokens.id = token", reused: false)
        var entries: [IssuedTokens.Entry] = []
        while try rows.step() {
            guard let digest = rows.bytes(15).flatMap({ Digest(rawValue: $0) }) else { continue }
            entries.append(Self.entry(Self.token(rows), digest, until: rows.integer(16)))
        }
        return IssuedTokens(entries)
    }

    private static func entry(_ given: GivenToken, _ digest: Digest, until: Int64?) -> IssuedTokens.Entry {
        guard let token = given.token(digest, until: until) else {
            return .init(AccessToken(name: given.name, digest: digest), .unreadable)
        }
        if given.revokedAt != nil { return .init(token, .revoked) }
        return .init(token, until == nil ? .valid : .replaced)
    }

    private static func token(_ row: Statement) -> GivenToken {
        var terms = TokenTerms()
        terms.expires = row.integer(4)
        terms.providers = list(row, 6)
        terms.models = list(row, 7)
        terms.operations = list(row, 8)
        terms.paths = list(row, 9)
        terms.limits = list(row, 10)
        terms.concurrency = row.integer(11).map { Int($0) }
        terms.maxErrors = row.integer(12).map { Int($0) }
        terms.note = row.text(13)
        return GivenToken(
            id: row.integer(0) ?? 0, name: row.text(1) ?? "", created: row.integer(2) ?? 0,
            createdBy: row.text(3) ?? "", revokedAt: row.integer(5), terms: terms, graceUntil: row.integer(14))
    }

    /// A text that is no list allows nothing: no operation has that name, and no limit is of that form.
    private static func list(_ row: Statement, _ column: Int32) -> [String] {
        let text = row.text(column) ?? ""
        return FlatObject.texts(Array(text.utf8)) ?? [text]
    }

    // MARK: Writing

    func insert(_ name: String, _ terms: TokenTerms, _ digest: Digest, by who: Administrator, at now: Int64)
        throws(SQLiteError)
    {
        let insert = try connection.prepare(
            """
            INSERT INTO tokens (name, created, created_by, expires, providers, models, operations, paths, limits,
                concurrency, max_errors, note)
            VALUES (?10, ?11, ?12, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id
            """, reused: false)
        try Self.bind(terms, to: insert)
        try insert.bind(10, name)
        try insert.bind(11, now)
        try insert.bind(12, "uid \(who.uid)")
        guard try insert.step(), let id = insert.integer(0) else { return }
        try insert.run()
        try add(digest, to: id)
    }

    func update(_ id: Int64, _ terms: TokenTerms) throws(SQLiteError) {
        let update = try connection.prepare(
            """
            UPDATE tokens SET expires = ?1, providers = ?2, models = ?3, operations = ?4, paths = ?5, limits = ?6,
                concurrency = ?7, max_errors = ?8, note = ?9
            WHERE id = ?10
            """, reused: false)
        try Self.bind(terms, to: update)
        try update.bind(10, id)
        try update.run()
    }

    func revoke(_ id: Int64, at now: Int64) throws(SQLiteError) {
        let update = try connection.prepare("UPDATE tokens SET revoked_at = ?2 WHERE id = ?1", reused: false)
        try update.bind(1, id)
        try update.bind(2, now)
        try update.run()
    }

    /// Those that counted until now count until then; `digest` takes their place.
    func replace(_ id: Int64, _ digest: Digest, until: Int64) throws(SQLiteError) {
        let update = try connection.prepare(
            "UPDATE digests SET until = min(ifnull(until, ?2), ?2) WHERE token = ?1", reused: false)
        try update.bind(1, id)
        try update.bind(2, until)
        try update.run()
        try add(digest, to: id)
    }

    func digests(_ id: Int64) throws(SQLiteError) -> [Digest] {
        let rows = try connection.prepare("SELECT sha256 FROM digests WHERE token = ?1", reused: false)
        try rows.bind(1, id)
        var digests: [Digest] = []
        while try rows.step() {
            if let digest = rows.bytes(0).flatMap({ Digest(rawValue: $0) }) { digests.append(digest) }
        }
        return digests
    }

    func note(_ act: AdministrativeAct, at now: Int64) throws(SQLiteError) {
        let insert = try connection.prepare(
            "INSERT INTO admin (at, uid, pid, act, target, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", reused: false)
        try insert.bind(1, now)
        try insert.bind(2, Int64(act.who.uid))
        try insert.bind(3, act.who.pid.map { Int64($0) })
        try insert.bind(4, act.act)
        try insert.bind(5, act.target)
        try insert.bind(6, act.outcome)
        try insert.run()
    }

    private func add(_ digest: Digest, to id: Int64) throws(SQLiteError) {
        let insert = try connection.prepare("INSERT INTO digests (sha256, token) VALUES (?1, ?2)", reused: false)
        try insert.bind(1, bytes: digest.rawValue)
        try insert.bind(2, id)
        try insert.run()
    }

    private static func bind(_ terms: TokenTerms, to statement: Statement) throws(SQLiteError) {
        try statement.bind(1, terms.expires)
        for (index, texts) in [terms.providers, terms.models, terms.operations, terms.paths, terms.limits].enumerated()
        {
            var list: [UInt8] = []
            list.append(json: texts)
            try statement.bind(Int32(index + 2), String(decoding: list, as: UTF8.self))
        }
        try statement.bind(7, terms.concurrency.map { Int64($0) })
        try statement.bind(8, terms.maxErrors.map { Int64($0) })
        try statement.bind(9, terms.note)
    }
}
