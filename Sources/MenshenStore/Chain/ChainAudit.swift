// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
package import MenshenCore
internal import SQLite

/// Compares the rows with the chain: at one moment, and beside a running daemon.
package final class ChainAudit {
    package enum Finding: Sendable, Equatable {
        /// The row is not as it was written.
        case changed(RequestID)
        /// The chain has it, and the table has not.
        case removed(RequestID)
        /// The table has it, and the chain has not.
        case inserted(RequestID)
        /// A link does not follow from the one before.
        case broken(seq: Int64)
        /// Links that are not there.
        case missing(ClosedRange<Int64>)
        /// A place that was noted earlier is not in the chain.
        case foreign(ChainPlace)
    }

    package struct Outcome: Sendable {
        package var links = 0
        /// Rows that are there and are as the chain says.
        package var rows = 0
        /// Rows from before the chain.
        package var older = 0
        package var recomputed = 0
        package var corrected = 0
        /// When the chain was begun; nil once retention has passed that.
        package var begun: Int64?
        /// Rows that began before were deleted by retention, in microseconds since 1970.
        package var expired: Int64?
        package var head: ChainPlace?
        package var findings: [Finding] = []
    }

    private let connection: Connection
    private let stored: StoredRow
    private let encoder = RowEncoder()
    private let machine = DigestMachine()
    package private(set) var outcome = Outcome()
    /// Of all members, with repetitions.
    private var ids: [Int64] = []
    /// Where rows that are there more than once were written last.
    private var lastOf: [Int64: Int64] = [:]
    private var begin: Int64 = 0
    private var anchors: [(link: Int64, anchor: ChainEntry.Anchor)] = []
    /// Rows whose cost, or more, was changed later by an act that the chain has.
    private(set) var revised: Set<Int64> = []

    /// `path` resolved.
    private init(_ connection: Connection) throws(SQLiteError) {
        self.connection = connection
        stored = try StoredRow(connection)
    }

    /// `place`: one that was noted earlier, and has to be there.
    package static func run(
        _ path: String, place: ChainPlace? = nil, journal: JournalAudit? = nil
    ) throws(StoreFault) -> Outcome {
        let reader = try RecordReader(path)
        guard try reader.hasChain() else { throw .chainless }
        return try reader.use { connection throws(SQLiteError) in
            // One moment, whatever is written meanwhile.
            try connection.execute("BEGIN")
            let audit = try ChainAudit(connection)
            try audit.followLinks(place)
            try audit.compareRows()
            try audit.findInserted()
            try journal?.compare(connection, audit)
            try connection.execute("COMMIT")
            return audit.outcome
        }
    }

    // MARK: The links

    private func followLinks(_ place: ChainPlace?) throws(SQLiteError) {
        let links = try connection.prepare("SELECT \(ChainEntry.columns) FROM chain ORDER BY seq", reused: false)
        var first: ChainEntry?
        var previous: (seq: Int64, hash: [UInt8]?) = (0, nil)
        var isPlaceThere = place.map { $0.seq == 0 } ?? true
        while try links.step() {
            outcome.links += 1
            let seq = links.integer(0) ?? 0
            guard let entry = ChainEntry(links) else {
                outcome.findings.append(.broken(seq: seq))
                previous = (seq, nil)
                continue
            }
            if first == nil {
                first = entry
            } else if seq != previous.seq + 1 {
                outcome.findings.append(.missing(previous.seq + 1...seq - 1))
            } else if let hash = previous.hash, !entry.follows(hash, machine) {
                outcome.findings.append(.broken(seq: seq))
            }
            previous = (seq, entry.hash)
            outcome.head = ChainPlace(entry)
            if place == outcome.head { isPlaceThere = true }
            take(entry)
        }
        try checkBeginning(first)
        if let place, !isPlaceThere, !anchors.contains(where: { Self.covers($0.anchor, place) }) {
            outcome.findings.append(.foreign(place))
        }
    }

    /// Retention has taken the place away; the last of what it took is still known.
    private static func covers(_ anchor: ChainEntry.Anchor, _ place: ChainPlace) -> Bool {
        anchor.seq > place.seq || anchor.seq == place.seq && ChainPlace.mark(anchor.hash) == place.mark
    }

    private func checkBeginning(_ first: ChainEntry?) throws(SQLiteError) {
        guard let first else { return outcome.findings.append(.missing(1...1)) }
        let before = first.seq == 1 ? ChainEntry.origin : anchors.last { $0.anchor.seq == first.seq - 1 }?.anchor.hash
        if let before {
            if !first.follows(before, machine) { outcome.findings.append(.broken(seq: first.seq)) }
        } else {
            outcome.findings.append(.missing(1...first.seq - 1))
        }
    }

    private func take(_ entry: ChainEntry) {
        if let begin = entry.begin {
            self.begin = begin
            outcome.begun = entry.at
        }
        if let anchor = entry.anchor {
            anchors.append((entry.seq, anchor))
            outcome.expired = max(outcome.expired ?? 0, RequestID(rawValue: anchor.bound).microseconds)
        }
        for member in entry.members {
            ids.append(member.id)
            if entry.act == .settled { continue }
            revised.insert(member.id)
            if entry.act == .recomputed { outcome.recomputed += 1 } else { outcome.corrected += 1 }
        }
    }

    // MARK: The rows

    private func compareRows() throws(SQLiteError) {
        ids.sort()
        for (one, other) in zip(ids, ids.dropFirst()) where one == other { lastOf[one] = 0 }
        if !lastOf.isEmpty {
            try eachMember { member, link throws(SQLiteError) in
                if lastOf[member.id] != nil { lastOf[member.id] = link }
            }
        }
        try eachMember { member, link throws(SQLiteError) in
            if let last = lastOf[member.id], last != link { return }
            if try stored.encode(member.id, to: encoder) {
                if isAs(member) { outcome.rows += 1 } else { note(Finding.changed, member.id) }
            } else if !isExpired(member.id, after: link) {
                note(Finding.removed, member.id)
            }
        }
    }

    private func isAs(_ member: ChainEntry.Member) -> Bool {
        var isSame = false
        machine.digest(of: encoder.bytes) { hash in
            isSame =
                hash.loadUnaligned(as: UInt64.self) == member.first
                && hash.loadUnaligned(fromByteOffset: 8, as: UInt64.self) == member.second
        }
        return isSame
    }

    private func note(_ finding: (RequestID) -> Finding, _ id: Int64) {
        outcome.findings.append(finding(RequestID(rawValue: id)))
    }

    /// Retention has deleted it, after that link.
    func isExpired(_ id: Int64, after link: Int64) -> Bool {
        anchors.reversed().prefix { $0.link > link }.contains { id < $0.anchor.bound }
    }

    private func eachMember(
        _ visit: (ChainEntry.Member, _ link: Int64) throws(SQLiteError) -> Void
    ) throws(SQLiteError) {
        let links = try connection.prepare("SELECT \(ChainEntry.columns) FROM chain ORDER BY seq", reused: false)
        while try links.step() {
            guard let entry = ChainEntry(links) else { continue }
            for member in entry.members { try visit(member, entry.seq) }
        }
    }

    /// Both are in the order of their ids.
    private func findInserted() throws(SQLiteError) {
        let rows = try connection.prepare(
            "SELECT id FROM requests WHERE end_state <> 'open' ORDER BY id", reused: false)
        var place = 0
        while try rows.step() {
            guard let id = rows.integer(0) else { continue }
            while place < ids.count, ids[place] < id { place += 1 }
            if place < ids.count, ids[place] == id { continue }
            if id <= begin { outcome.older += 1 } else { note(Finding.inserted, id) }
        }
    }
}

extension StoreFault {
    static let chainless = StoreFault(
        reason: "an older menshen made it, and it has no chain",
        advice: "Start this menshen once; it begins one.")
}

extension RecordReader {
    func hasChain() throws(StoreFault) -> Bool {
        try use { connection throws(SQLiteError) in
            try connection.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'chain'") == 1
        }
    }
}

extension RecordReader {
    /// The last link.
    package func chainHead() throws(StoreFault) -> ChainPlace {
        guard try hasChain() else { throw .chainless }
        return try use { connection throws(SQLiteError) in
            let link = try connection.prepare(
                "SELECT \(ChainEntry.columns) FROM chain ORDER BY seq DESC LIMIT 1", reused: false)
            return try link.step() ? ChainEntry(link).map { ChainPlace($0) } ?? .origin : .origin
        }
    }
}
