// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
internal import SQLite

/// Writes settled requests in the order in which they were settled, so that going on from a place loses none and repeats none.
/// What was changed since (`menshen prices recompute`, a `lost` request of which the journal knew more) comes again, marked as
/// a correction, unless this export has not had it before: then it comes once, as it is now. Each step is short, so that
/// menshen's log of the database need not grow. Belongs to one thread.
package final class RecordExport {
    /// Links, or older rows, in one step.
    private static let step = 256

    private let reader: RecordReader
    private let format: ExportFormat
    private let range: Range<Int64>
    private let file: FileIdentity
    package private(set) var place: ExportPlace
    /// Links that retention took away before they were exported.
    package private(set) var isIncomplete = false
    private var isChecked = false
    /// Members among the rows from before the chain; nil: not read yet.
    private var members: Set<Int64>?
    /// Rows that have a correction between the place and `end`, and were not written since.
    private var corrected: Set<Int64> = []
    /// The last link of which `corrected` knows.
    private var end: Int64 = -1

    /// `range`: when requests began, in microseconds since 1970.
    package init(
        _ path: String, _ format: ExportFormat, from place: ExportPlace, range: Range<Int64>
    ) throws(StoreFault) {
        reader = try RecordReader(path)
        file = FileIdentity(try DatabaseFile.resolve(path).file)
        guard try reader.hasChain() else { throw .chainless }
        self.format = format
        self.place = place
        self.range = Self.id(range.lowerBound)..<Self.id(range.upperBound)
    }

    private static func id(_ microseconds: Int64) -> Int64 {
        microseconds >= Int64.max >> 10 ? .max : RequestID(microseconds: max(0, microseconds)).rawValue
    }

    /// The file is still the one that was opened.
    package var isInPlace: Bool { file.isInPlace }

    /// Changes with each commit of another process.
    package func version() throws(StoreFault) -> Int64 {
        try reader.use { connection throws(SQLiteError) in try connection.integer("PRAGMA data_version") ?? 0 }
    }

    /// Appends the next lines; false: there are no more for now.
    package func next(_ output: inout [UInt8]) throws(StoreFault) -> Bool {
        if case .behind(let place) = place, !isChecked, try !hasLink(place) { throw .foreignPlace }
        isChecked = true
        return try reader.use { connection throws(SQLiteError) in
            try connection.execute("BEGIN")
            let hasMore =
                switch place {
                case .older(let id): try writeOlder(connection, id, &output)
                case .behind(let place): try writeLinks(connection, place, &output)
                }
            try connection.execute("COMMIT")
            return hasMore
        }
    }

    // MARK: Rows from before the chain

    private func writeOlder(
        _ connection: Connection, _ last: Int64, _ output: inout [UInt8]
    ) throws(SQLiteError) -> Bool {
        let begin = try Self.begin(connection)
        if members == nil { members = try Self.members(connection, upTo: begin) }
        let from = max(last + 1, range.lowerBound)
        let rows = try connection.prepare(
            """
            SELECT \(RecordRow.columns) FROM requests WHERE id >= \(from) AND id <= \(begin) AND id < \(range.upperBound)
            AND end_state <> 'open' ORDER BY id LIMIT \(Self.step)
            """, reused: false)
        var count = 0
        while try rows.step() {
            count += 1
            let id = rows.integer(0) ?? 0
            place = .older(than: id)
            if members?.contains(id) != true { format.append(rows, link: 0, isCorrection: false, to: &output) }
        }
        if count < Self.step {
            self.members = nil
            place = .behind(ChainPlace.origin)
        }
        return true
    }

    private static func begin(_ connection: Connection) throws(SQLiteError) -> Int64 {
        let first = try connection.prepare(
            "SELECT \(ChainEntry.columns) FROM chain ORDER BY seq LIMIT 1", reused: false)
        return try first.step() ? ChainEntry(first)?.begin ?? 0 : 0
    }

    private static func members(_ connection: Connection, upTo begin: Int64) throws(SQLiteError) -> Set<Int64> {
        if begin == 0 { return [] }
        var found: Set<Int64> = []
        let links = try connection.prepare("SELECT \(ChainEntry.columns) FROM chain", reused: false)
        while try links.step() {
            for member in ChainEntry(links)?.members ?? [] where member.id <= begin { found.insert(member.id) }
        }
        return found
    }

    // MARK: The chain

    /// False: the place is another database's. Retention may have taken it, with links behind it that were not exported yet.
    private func hasLink(_ place: ChainPlace) throws(StoreFault) -> Bool {
        if place.seq == 0 { return true }
        return try reader.use { connection throws(SQLiteError) in
            let link = try connection.prepare(
                "SELECT \(ChainEntry.columns) FROM chain WHERE seq = \(place.seq)", reused: false)
            if try link.step() { return ChainEntry(link).map { ChainPlace($0) == place } ?? false }
            let first = try connection.integer("SELECT min(seq) FROM chain") ?? 0
            isIncomplete = first > place.seq + 1
            return first > place.seq
        }
    }

    private func writeLinks(
        _ connection: Connection, _ last: ChainPlace, _ output: inout [UInt8]
    ) throws(SQLiteError) -> Bool {
        if last.seq >= end { try findCorrections(connection, behind: last.seq) }
        if last.seq >= end { return false }
        let links = try connection.prepare(
            """
            SELECT \(ChainEntry.columns) FROM chain WHERE seq > \(last.seq) AND seq <= \(end)
            ORDER BY seq LIMIT \(Self.step)
            """, reused: false)
        let row = try connection.prepare("SELECT \(RecordRow.columns) FROM requests WHERE id = ?1", reused: false)
        while try links.step() {
            guard let entry = ChainEntry(links) else { continue }
            for member in entry.members where range.contains(member.id) {
                // Once, although it stands in several links of this stretch.
                let isPending = corrected.remove(member.id) != nil
                if entry.act != .settled, !isPending { continue }
                try row.bind(1, member.id)
                if try row.step() {
                    format.append(row, link: entry.seq, isCorrection: entry.act != .settled, to: &output)
                }
                row.reset()
            }
            place = .behind(ChainPlace(entry))
        }
        return true
    }

    private func findCorrections(_ connection: Connection, behind last: Int64) throws(SQLiteError) {
        end = try connection.integer("SELECT max(seq) FROM chain") ?? 0
        corrected.removeAll()
        let links = try connection.prepare(
            """
            SELECT \(ChainEntry.columns) FROM chain
            WHERE seq > \(last) AND seq <= \(end) AND act IN ('corrected', 'recomputed')
            """, reused: false)
        while try links.step() {
            for member in ChainEntry(links)?.members ?? [] { corrected.insert(member.id) }
        }
    }
}

extension ChainPlace {
    /// Before the first link.
    static let origin = ChainPlace(origin: ())
}

extension StoreFault {
    static let foreignPlace = StoreFault(
        reason: "the cursor is of another database, or its chain was changed",
        advice: "'menshen audit verify' tells which; without the cursor the export begins anew.")
}
