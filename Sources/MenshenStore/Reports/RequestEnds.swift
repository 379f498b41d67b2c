// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
internal import SQLite

/// Requests in the order in which they end, each once: the chain has it, whatever their ids and clocks say, so that none is missed
/// and nothing is looked at twice. Belongs to one thread.
package struct RequestEnds {
    /// Links in one step.
    private static let step = 256

    private let path: String
    /// The last link that was seen, and when it was made: microseconds since 1970.
    private var place = ChainPlace.origin
    private var time: Int64
    /// Summaries of refusals are written again as they grow.
    private var summaries: Set<RequestID> = []

    /// Behind what has ended by now. `now`: microseconds since 1970.
    package init(_ path: String, now: Int64) throws(StoreFault) {
        self.path = path
        time = now
        let reader = try RecordReader(path)
        // What an older menshen has made gets its chain with the next start of this one.
        if try reader.hasChain() { place = try reader.chainHead() }
    }

    /// The next ones; none: that is all for now, or there is no database at the moment.
    package mutating func next() throws(StoreFault) -> [RequestRecord] {
        guard let reader = try? RecordReader(path), try reader.hasChain() else { return [] }
        var ended: [RequestRecord] = []
        // A link may have none of them.
        while ended.isEmpty, try step(reader, &ended) {}
        return ended
    }

    /// False: there are no more links.
    private mutating func step(_ reader: RecordReader, _ ended: inout [RequestRecord]) throws(StoreFault) -> Bool {
        var (place, time, summaries) = (place, time, summaries)
        let hasMore = try reader.use { connection throws(SQLiteError) in
            let last = try Self.seq(of: place, connection, time)
            let links = try connection.prepare(
                "SELECT \(ChainEntry.columns) FROM chain WHERE seq > \(last) ORDER BY seq LIMIT \(Self.step)",
                reused: false)
            let row = try connection.prepare("SELECT \(RecordRow.columns) FROM requests WHERE id = ?1", reused: false)
            var hasMore = false
            while try links.step() {
                guard let entry = ChainEntry(links) else { continue }
                (place, time, hasMore) = (ChainPlace(entry), entry.at, true)
                for member in entry.members where entry.act == .settled {
                    try row.bind(1, member.id)
                    defer { row.reset() }
                    guard try row.step() else { continue }
                    let record = RequestRecord(RecordRow(row))
                    if record.count == 1 || summaries.insert(record.id).inserted { ended.append(record) }
                }
            }
            return hasMore
        }
        (self.place, self.time, self.summaries) = (place, time, summaries)
        return hasMore
    }

    /// Of the last link that was seen. Where that is not there (the chain was begun later, retention took it, or this is another file
    /// by now) it is the last one of before.
    private static func seq(
        of place: ChainPlace, _ connection: Connection, _ time: Int64
    ) throws(SQLiteError) -> Int64 {
        let link = try connection.prepare(
            "SELECT \(ChainEntry.columns) FROM chain WHERE seq = \(place.seq)", reused: false)
        if try link.step(), let entry = ChainEntry(link), ChainPlace(entry) == place { return place.seq }
        return try connection.integer("SELECT max(seq) FROM chain WHERE at <= \(time)") ?? 0
    }
}
