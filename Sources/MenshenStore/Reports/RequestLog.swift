// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
internal import SQLite

/// Which requests of the log are asked for, newest first.
package struct LogQuery: Sendable {
    package var filters: [ReportFilter] = []
    /// Text that a name in it, its path or its problem contains; capital letters of English count as small ones.
    package var text: String?
    /// Older than, and newer than.
    package var before: RequestID?
    package var after: RequestID?
    package var limit = 50
    /// With `after`: the oldest of them rather than the newest, still newest first; for going back to newer pages and for following.
    package var nearestToAfter = false
    /// So many rows are looked at; nil: as many as it takes.
    package var scanLimit: Int?

    package init() {}

    /// Roll-ups may know of slots that have none of them.
    fileprivate var isSelective: Bool { !filters.isEmpty }
}

extension LogQuery {
    fileprivate func passes(_ record: RequestRecord) -> Bool {
        let traits = record.traits
        return filters.allSatisfy { $0.matches(traits, record.value) }
    }

    /// Whether a request is one of those that are asked for, wherever its row was found.
    package func matches(_ record: RequestRecord) -> Bool {
        if let before, record.id.rawValue >= before.rawValue { return false }
        if let after, record.id.rawValue <= after.rawValue { return false }
        guard passes(record) else { return false }
        guard let text = text?.lowercased() else { return true }
        let words =
            Dimension.allCases.map(record.value) + [record.asked.path, record.answered.problem, record.answered.model]
        return words.contains { $0?.lowercased().contains(text) ?? false }
    }
}

/// A stretch of the log.
package struct LogPage: Sendable {
    /// Newest first.
    package var records: [RequestRecord] = []
    /// Where `scanLimit` ended it: the last row that was looked at. nil: there are no more, or `limit` ended it.
    package var lookedTo: RequestID?
}

extension RecordReports {
    /// Requests, newest first. Where roll-ups say that a slot has none of them its rows are not read.
    package func requests(_ query: LogQuery) throws(StoreFault) -> LogPage {
        try answer { () throws(SQLiteError) in
            let search = LogSearch(query, self)
            try source.snapshot { () throws(SQLiteError) in try search.run() }
            return search.page
        }
    }

    /// A request with its attempts; nil if there is none of that id.
    package func request(_ id: RequestID) throws(StoreFault) -> RequestDetail? {
        do throws(SQLiteError) {
            let connection = source.connection
            let rows = try connection.prepare(
                "SELECT \(RecordRow.columns) FROM requests WHERE id = ?1", reused: false)
            try rows.bind(1, id.rawValue)
            guard try rows.step() else { return nil }
            return RequestDetail(
                record: RequestRecord(RecordRow(rows)), attempts: try attempts(of: id),
                requestBodyBytes: try bodyLength(of: id, "request"),
                responseBodyBytes: try bodyLength(of: id, "response"))
        } catch {
            throw StoreFault(error, path: source.path)
        }
    }

    /// A body as it is kept: cut to a limit, and with keys masked. nil if it is not.
    package func body(of id: RequestID, isResponse: Bool) throws(StoreFault) -> [UInt8]? {
        do throws(SQLiteError) {
            let rows = try source.connection.prepare(
                "SELECT bytes FROM bodies WHERE request_id = ?1 AND kind = ?2", reused: false)
            try rows.bind(1, id.rawValue)
            try rows.bind(2, isResponse ? "response" : "request")
            return try rows.step() ? rows.bytes(0) : nil
        } catch {
            throw StoreFault(error, path: source.path)
        }
    }

    private func attempts(of id: RequestID) throws(SQLiteError) -> [RecordedAttempt] {
        let rows = try source.connection.prepare(
            """
            SELECT n, provider, key_n, model, status, reason, started_us, ended_us FROM attempts
            WHERE request_id = ?1 ORDER BY n
            """, reused: false)
        try rows.bind(1, id.rawValue)
        var attempts: [RecordedAttempt] = []
        while try rows.step() {
            attempts.append(
                RecordedAttempt(
                    number: Int(rows.integer(0) ?? 0), provider: rows.text(1) ?? "",
                    key: rows.integer(2).map { Int($0) },
                    model: rows.text(3), status: rows.integer(4).map { Int($0) }, reason: rows.text(5) ?? "",
                    startedMicroseconds: rows.integer(6) ?? 0, endedMicroseconds: rows.integer(7) ?? 0))
        }
        return attempts
    }

    private func bodyLength(of id: RequestID, _ kind: String) throws(SQLiteError) -> Int? {
        let rows = try source.connection.prepare(
            "SELECT length(bytes) FROM bodies WHERE request_id = ?1 AND kind = ?2", reused: false)
        try rows.bind(1, id.rawValue)
        try rows.bind(2, kind)
        return try rows.step() ? rows.integer(0).map { Int($0) } : nil
    }
}

/// Belongs to one thread.
private final class LogSearch {
    private let query: LogQuery
    private let reports: RecordReports
    private let condition: String
    /// What of the log has not been looked at.
    private var rest: Range<Int64>
    private var looked = 0
    private(set) var found: [RequestRecord] = []
    private var lookedTo: RequestID?

    init(_ query: LogQuery, _ reports: RecordReports) {
        self.query = query
        self.reports = reports
        let low = query.after.map { $0.rawValue + 1 } ?? 0
        rest = low..<max(low, query.before?.rawValue ?? Slot.lastID)
        var conditions: [String] = []
        // What SQL can tell needs no look at the row.
        conditions += query.filters.filter(\.choices.isEmpty).map { RollUpColumns.condition($0.traits) }
        if query.text != nil { conditions.append("\(RollUpColumns.words) LIKE ?1 ESCAPE '\\'") }
        condition = conditions.map { " AND \($0)" }.joined()
    }

    var page: LogPage { LogPage(records: query.nearestToAfter ? found.reversed() : found, lookedTo: lookedTo) }
    private var isDone: Bool { rest.isEmpty || found.count >= query.limit || lookedTo != nil }

    func run() throws(SQLiteError) {
        if query.isSelective, !isDone { try jump() }
        try read(rest)
    }

    /// Looks at what comes before slots that have no match, and jumps over those.
    private func jump() throws(SQLiteError) {
        let question = ReportQuery(edges: [], where: query.filters)
        let tally = ReportTally(question, reports.names)
        let slots = Slot.of(rest.lowerBound)..<Slot.of(rest.upperBound - 1) + 1
        try reports.eachSlot(in: slots, for: question, newestFirst: !query.nearestToAfter) {
            (slot, segment) throws(SQLiteError) in
            if try tally.add(segment, to: 0) { return true }
            let ids = Slot.firstID(slot * Slot.seconds)..<Slot.firstID((slot + 1) * Slot.seconds)
            if query.nearestToAfter {
                try read(rest.lowerBound..<max(rest.lowerBound, ids.lowerBound))
                rest = min(max(rest.lowerBound, ids.upperBound), rest.upperBound)..<rest.upperBound
            } else {
                try read(min(rest.upperBound, ids.upperBound)..<rest.upperBound)
                rest = rest.lowerBound..<max(min(rest.upperBound, ids.lowerBound), rest.lowerBound)
            }
            return !isDone
        }
    }

    private func read(_ ids: Range<Int64>) throws(SQLiteError) {
        if isDone || ids.isEmpty { return }
        let ids = try reach(ids)
        let rows = try reports.source.connection.prepare(
            """
            SELECT \(RecordRow.columns) FROM requests
            WHERE id >= \(ids.lowerBound) AND id < \(ids.upperBound)\(condition) ORDER BY id\(order)
            """, reused: false)
        if let text = query.text { try rows.bind(1, "%\(Self.escaped(text))%") }
        while found.count < query.limit, try rows.step() {
            let record = RequestRecord(RecordRow(rows))
            if query.passes(record) { found.append(record) }
        }
        if found.count >= query.limit { lookedTo = nil }
    }

    private var order: String { query.nearestToAfter ? "" : " DESC" }

    /// What of them may be looked at; notes where that ends if it is not all.
    private func reach(_ ids: Range<Int64>) throws(SQLiteError) -> Range<Int64> {
        guard let limit = query.scanLimit else { return ids }
        let rows = try reports.source.connection.prepare(
            """
            SELECT id FROM requests WHERE id >= \(ids.lowerBound) AND id < \(ids.upperBound)
            ORDER BY id\(order) LIMIT \(max(1, limit - looked))
            """, reused: false)
        var last: Int64?
        var count = 0
        while try rows.step() {
            last = rows.integer(0)
            count += 1
        }
        looked += count
        guard looked >= limit, let last else { return ids }
        lookedTo = RequestID(rawValue: last)
        return query.nearestToAfter ? ids.lowerBound..<last + 1 : last..<ids.upperBound
    }

    /// For LIKE.
    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { $0 += "%_\\".contains($1) ? "\\\($1)" : "\($1)" }
    }
}
