// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenStore

/// `menshen logs -f`: shows each request once, when it has ended. Requests end in another order than they begin, so what was
/// under way is looked at until it has.
struct LogFollower {
    /// Microseconds between looks at the file.
    private static let pause: UInt64 = 250_000
    /// Requests that begin before the newest one seen and are written after it are found for so long. Microseconds.
    private static let overlap: Int64 = 10_000_000

    private let path: String
    private let query: LogQuery
    private var printer: LogPrinter
    /// Shown, of the time that is still looked at.
    private var shown: Set<RequestID>
    private var open: Set<RequestID>
    private var newest: RequestID

    init(_ path: String, _ query: LogQuery, _ first: [RequestRecord], _ printer: LogPrinter) {
        self.path = path
        self.query = query
        self.printer = printer
        let ended = first.filter { $0.answered.endState != "open" }
        shown = Set(ended.map(\.id))
        open = Set(first.filter { $0.answered.endState == "open" }.map(\.id))
        newest = first.first?.id ?? RequestID(microseconds: Int64(Clock.wall()))
    }

    mutating func run() throws {
        ProcessSignal.endOnInterrupt()
        try findOpen()
        let signal = ThreadSignal()
        while true {
            signal.wait(Self.pause)
            // The file may be another one by now.
            guard let reports = try? RecordReports(path) else { continue }
            try look(reports)
        }
    }

    /// What is under way already.
    private mutating func findOpen() throws {
        var all = LogQuery()
        all.filters = [ReportFilter(.outcome, ["open"])]
        all.limit = 1000
        all.after = RequestID(microseconds: newest.microseconds - 86_400_000_000)
        guard let reports = try? RecordReports(path) else { return }
        // Those of the last moments that are not shown were not asked for.
        var ended = LogQuery()
        ended.limit = .max
        ended.after = RequestID(microseconds: newest.microseconds - Self.overlap)
        for record in try RecordsOption.orFault({ try reports.requests(ended) }).records
        where record.answered.endState != "open" {
            shown.insert(record.id)
        }
        open.formUnion(try RecordsOption.orFault { try reports.requests(all) }.records.map(\.id))
    }

    private mutating func look(_ reports: RecordReports) throws {
        let bound = RequestID(microseconds: max(0, newest.microseconds - Self.overlap))
        var all = LogQuery()
        all.limit = 1000
        all.nearestToAfter = true
        all.after = bound
        var ended: [RequestRecord] = []
        while true {
            let page = try RecordsOption.orFault { try reports.requests(all) }.records
            for record in page.reversed() where !shown.contains(record.id) {
                if record.answered.endState == "open" {
                    open.insert(record.id)
                } else {
                    ended.append(record)
                }
            }
            guard page.count == all.limit, let last = page.first else { break }
            all.after = last.id
        }
        for id in open.sorted(by: { $0.rawValue < $1.rawValue }) {
            let record = try RecordsOption.orFault { try reports.request(id) }?.record
            if record?.answered.endState == "open" { continue }
            open.remove(id)
            if let record, !ended.contains(where: { $0.id == id }) { ended.append(record) }
        }
        guard !ended.isEmpty else { return }
        let wanted = ended.filter(query.matches)
        if !wanted.isEmpty { printer.print(wanted, isFirst: false) }
        for record in ended {
            shown.insert(record.id)
            if record.id.rawValue > newest.rawValue { newest = record.id }
        }
        let floor = RequestID(microseconds: max(0, newest.microseconds - Self.overlap))
        shown = shown.filter { $0.rawValue > floor.rawValue }
    }
}
