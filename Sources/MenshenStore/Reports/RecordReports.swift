// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
internal import SQLite

/// Answers questions about recorded requests: from roll-ups, and from the rows of slots that have none, so that the answer is
/// the same with and without them. Never writes. Belongs to one thread.
package final class RecordReports {
    let source: RecordSource
    private var file: RollUpFile?
    private(set) var names: Names
    private var builder: SegmentBuilder

    /// Throws if there is no database that this user may read.
    package init(_ path: String) throws(StoreFault) {
        source = try RecordSource(path)
        file = source.identity.flatMap { [source] in RollUpFile.open(of: source.path, identity: $0) }
        do throws(SQLiteError) {
            names = try Names(file?.connection)
        } catch {
            throw StoreFault(error, path: source.path)
        }
        builder = SegmentBuilder(names)
    }

    /// Rows by bucket, in no order.
    package func rows(_ query: ReportQuery) throws(StoreFault) -> [ReportRow] {
        guard query.edges.count > 1 else { return [] }
        return try answer { () throws(SQLiteError) in
            let tally = ReportTally(query, names)
            try source.snapshot { () throws(SQLiteError) in try add(query.edges, to: tally) }
            return try tally.rows()
        }
    }

    /// Where roll-ups can't be read to their end the answer is made without: what then fails is the database.
    func answer<Answer>(_ make: () throws(SQLiteError) -> Answer) throws(StoreFault) -> Answer {
        do throws(SQLiteError) {
            do throws(SQLiteError) {
                return try make()
            } catch {
                guard let file else { throw error }
                if StoreFault(error, path: file.path).isDamage { RollUpFile.discard(file.path) }
            }
            file = nil
            names = try Names(nil)
            builder = SegmentBuilder(names)
            return try make()
        } catch {
            throw StoreFault(error, path: source.path)
        }
    }

    /// Of when the first and the last record are, in seconds since 1970; nil without any.
    package func span() throws(StoreFault) -> ClosedRange<Int64>? {
        do throws(SQLiteError) {
            guard let first = try source.connection.integer("SELECT min(id) FROM requests"),
                let last = try source.connection.integer("SELECT max(id) FROM requests")
            else { return nil }
            let times = [first, last].map { RequestID(rawValue: $0).microseconds / 1_000_000 }
            return times[0]...max(times[0], times[1])
        } catch {
            throw StoreFault(error, path: source.path)
        }
    }

    /// Times within these seconds of which rows are missing, in their order.
    package func gaps(_ seconds: Range<Int64>) throws(StoreFault) -> [RecordGap] {
        do throws(SQLiteError) {
            let rows = try source.connection.prepare(
                """
                SELECT since, until, missing, reason FROM gaps WHERE until >= ?1 AND since < ?2 AND missing > 0 ORDER BY since
                """, reused: false)
            try rows.bind(1, seconds.lowerBound * 1_000_000)
            try rows.bind(2, seconds.upperBound * 1_000_000)
            var gaps: [RecordGap] = []
            while try rows.step() {
                gaps.append(
                    RecordGap(
                        since: rows.integer(0) ?? 0, until: rows.integer(1) ?? 0, missing: rows.integer(2) ?? 0,
                        reason: rows.text(3) ?? ""))
            }
            return gaps
        } catch {
            throw StoreFault(error, path: source.path)
        }
    }

    private func add(_ edges: [Int64], to tally: ReportTally) throws(SQLiteError) {
        var walk = BucketWalk(edges)
        try eachSlot(in: walk.wholeSlots, for: tally.query) { (slot, segment) throws(SQLiteError) in
            guard let bucket = walk.bucket(of: slot) else { return true }
            try addRows(before: slot * Slot.seconds, &walk, to: tally)
            try tally.add(segment, to: bucket)
            walk.position = (slot + 1) * Slot.seconds
            return true
        }
        try addRows(before: edges[edges.count - 1], &walk, to: tally)
    }

    /// Adds what began from where the walk is to `end` from rows, bucket by bucket.
    private func addRows(before end: Int64, _ walk: inout BucketWalk, to tally: ReportTally) throws(SQLiteError) {
        while let part = walk.nextPart(before: end) {
            builder.clear()
            try source.add(part.seconds, to: builder)
            if builder.count == 0 { continue }
            let bytes = try Segment.encode(builder) { (number) throws(SQLiteError) in number }
            try withSegment(bytes) { (segment) throws(SQLiteError) in try tally.add(segment, to: part.bucket) }
        }
    }

    private func withSegment(
        _ bytes: [UInt8], _ body: (SegmentView) throws(SQLiteError) -> Void
    ) throws(SQLiteError) {
        let outcome = bytes.withUnsafeBytes { buffer in
            Result { () throws(SQLiteError) in
                if let segment = SegmentView(buffer) { try body(segment) }
            }
        }
        try outcome.get()
    }

    /// The roll-ups that count, in order, until `body` says no. One that is not sound in what the query reads of it is none.
    func eachSlot(
        in slots: Range<Int64>, for query: ReportQuery, newestFirst: Bool = false,
        _ body: (Int64, SegmentView) throws(SQLiteError) -> Bool
    ) throws(SQLiteError) {
        // What is older than the first row was deleted with its rows.
        guard let file, let first = try source.nextSlot(slots.lowerBound) else { return }
        let slots = min(first, slots.upperBound)..<slots.upperBound
        if slots.isEmpty { return }
        let late = try source.lateVersions(slots.lowerBound...slots.upperBound)
        let rows = try file.connection.prepare(
            """
            SELECT slot, version, bytes FROM slots WHERE slot >= ?1 AND slot < ?2 ORDER BY slot\(newestFirst ? " DESC" : "")
            """, reused: false)
        try rows.bind(1, slots.lowerBound)
        try rows.bind(2, slots.upperBound)
        while try rows.step() {
            guard let slot = rows.integer(0), rows.integer(1) == late[slot] ?? 0 else { continue }
            let outcome = rows.withBytes(2) { bytes in
                Result { () throws(SQLiteError) -> Bool in
                    guard let bytes, let segment = SegmentView(bytes), segment.isSound(for: query) else { return true }
                    return try body(slot, segment)
                }
            }
            if try !outcome.get() { return }
        }
    }
}

/// Goes through a query's buckets in the order of time.
private struct BucketWalk {
    private let edges: [Int64]
    private var index = 0
    /// What began before it is counted.
    var position: Int64

    init(_ edges: [Int64]) {
        self.edges = edges
        position = edges[0]
    }

    /// Slots that lie in the query's time as a whole.
    var wholeSlots: Range<Int64> {
        let first = (edges[0] + Slot.seconds - 1) / Slot.seconds
        return first..<max(first, edges[edges.count - 1] / Slot.seconds)
    }

    /// nil: it lies across an edge.
    mutating func bucket(of slot: Int64) -> Int? {
        let start = slot * Slot.seconds
        var bucket = index
        while edges[bucket + 1] <= start { bucket += 1 }
        return edges[bucket + 1] >= start + Slot.seconds ? bucket : nil
    }

    /// The next stretch of time in one bucket; nil at `end`.
    mutating func nextPart(before end: Int64) -> (seconds: Range<Int64>, bucket: Int)? {
        guard position < end else {
            position = max(position, end)
            return nil
        }
        while edges[index + 1] <= position { index += 1 }
        let stop = min(end, edges[index + 1])
        defer { position = stop }
        return (position..<stop, index)
    }
}
