// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
internal import Linux
internal import MenshenCore
internal import SQLite

/// Adds links to the chain of a database that it may write to, within the transactions that change the rows: a row and its link
/// are there together, or not at all. Another process may add some too. Belongs to the thread of its connection.
final class ChainWriter {
    let encoder = RowEncoder()
    private let machine = DigestMachine()
    private let connection: Connection
    private let end: Statement
    private let insert: Statement
    private lazy var stored = Result { () throws(SQLiteError) in try StoredRow(connection) }
    private let wall: @Sendable () -> UInt64
    /// Members that the transaction has so far.
    private var settled: [UInt8] = []
    private var corrected: [UInt8] = []
    /// Rows that were written or changed in another way than as a whole; their hashes are made of what is stored.
    private var unread: [(id: Int64, act: ChainEntry.Act)] = []

    init(_ connection: Connection, wall: @escaping @Sendable () -> UInt64) throws(SQLiteError) {
        self.connection = connection
        self.wall = wall
        end = try connection.prepare("SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1")
        insert = try connection.prepare("INSERT INTO chain (seq, at, act, hash, rows) VALUES (?1, ?2, ?3, ?4, ?5)")
    }

    /// Begins a chain where there is none: with whatever rows there are.
    func beginIfNeeded() throws(SQLiteError) {
        if try connection.integer("SELECT seq FROM chain LIMIT 1") != nil { return }
        try connection.transaction { () throws(SQLiteError) in
            var rows: [UInt8] = []
            ChainEntry.append(try connection.integer("SELECT max(id) FROM requests") ?? 0, to: &rows)
            try append(.begun, rows)
        }
    }

    /// A transaction with the links that belong to it.
    func transaction<Answer>(_ body: () throws(SQLiteError) -> Answer) throws(SQLiteError) -> Answer {
        settled.removeAll(keepingCapacity: true)
        corrected.removeAll(keepingCapacity: true)
        unread.removeAll(keepingCapacity: true)
        return try connection.transaction { () throws(SQLiteError) in
            let answer = try body()
            try seal()
            return answer
        }
    }

    // MARK: Rows

    /// The whole row is in the encoder.
    func add(_ id: Int64) { add(id, to: &settled) }

    /// The row is settled, or changed, in the database.
    func note(_ id: Int64, _ act: ChainEntry.Act = .settled) { unread.append((id, act)) }

    private func add(_ id: Int64, to members: inout [UInt8]) {
        ChainEntry.append(id, to: &members)
        machine.digest(of: encoder.bytes) { members.append(contentsOf: $0[..<16]) }
    }

    // MARK: Links

    private func seal() throws(SQLiteError) {
        var recomputed: [UInt8] = []
        for (id, act) in unread {
            guard try stored.get().encode(id, to: encoder) else { continue }
            switch act {
            case .recomputed: add(id, to: &recomputed)
            case .corrected: add(id, to: &corrected)
            case .settled, .begun, .expired: add(id, to: &settled)
            }
        }
        if !settled.isEmpty { try append(.settled, settled) }
        if !corrected.isEmpty { try append(.corrected, corrected) }
        if !recomputed.isEmpty { try append(.recomputed, recomputed) }
    }

    private func append(_ act: ChainEntry.Act, _ rows: [UInt8]) throws(SQLiteError) {
        var (seq, previous) = (Int64(1), ChainEntry.origin)
        if try end.step() {
            seq = (end.integer(0) ?? 0) + 1
            previous = end.bytes(1) ?? []
        }
        end.reset()
        let at = Int64(clamping: wall())
        try insert.bind(1, seq)
        try insert.bind(2, at)
        try insert.bind(3, act.rawValue)
        try insert.bind(4, bytes: ChainEntry.hash(after: previous, seq, at, act, rows, machine))
        try insert.run(5, bytes: rows)
    }

    // MARK: Retention

    /// Rows with smaller ids were deleted in this transaction. Of the links that only they need the last stays as an anchor, so
    /// that the chain can still be followed from there.
    func expire(below bound: Int64) throws(SQLiteError) {
        let links = try connection.prepare(
            "SELECT \(ChainEntry.columns) FROM chain ORDER BY seq LIMIT 5000", reused: false)
        var (seq, hash) = (Int64(0), ChainEntry.origin)
        while try links.step(), let entry = ChainEntry(links), entry.last ?? 0 < bound {
            (seq, hash) = (entry.seq, entry.hash)
        }
        links.reset()
        var rows: [UInt8] = []
        ChainEntry.append(bound, to: &rows)
        ChainEntry.append(seq, to: &rows)
        // First, for it follows the last link, which may be the last to go.
        try append(.expired, rows + hash)
        if seq > 0 { try connection.execute("DELETE FROM chain WHERE seq <= \(seq)") }
    }
}
