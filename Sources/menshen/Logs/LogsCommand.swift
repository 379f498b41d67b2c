// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenStore

struct LogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Show requests, the newest last; follow them with -f.",
        discussion: """
            Reads the records' file, so no menshen need run.
              menshen logs -n 50 --end failed
              menshen logs -f --caller ci
              menshen logs --since 2026-11-27 --status 4xx --json
              menshen logs --journal-directory /var/log/journal/remote
            What menshen itself has to say is in the journal: journalctl --user -u menshen
            """)

    @Option(name: .shortAndLong, help: "Requests at most (default: 20; with --since all of that time).")
    var number: Int?
    @Flag(name: .shortAndLong, help: "Go on with requests as they end, until Ctrl-C.")
    var follow = false
    @Option(name: .long, help: "From: 7d, 24h, today, 2026-11-01, 2026-11-01T09:30.")
    var since: String?
    @Option(name: .long, help: "Until, in the same forms.")
    var until: String?
    @Option(name: .long, help: "With this text in a name, the path or the problem.")
    var grep: String?
    @Flag(name: .long, help: "Only requests whose cost or usage is not known.")
    var unpriced = false
    @Flag(name: .long, help: "Read the journal in place of the records: what of it this user may read.")
    var journal = false
    @Option(name: .long, help: "The same with the journal files in this directory, such as other hosts'.")
    var journalDirectory: String?
    @Flag(name: .long, help: "Print JSON, one object a line, with all that is recorded.")
    var json = false

    @OptionGroup(title: "Of which requests") var filter: FilterOptions
    @OptionGroup(title: "Appearance") var look: StyleOptions
    @OptionGroup(title: "Records") var records: RecordsOption

    mutating func validate() throws {
        if let number, number < 1 { throw ValidationError("-n must be 1 or more.") }
        if follow, until != nil { throw ValidationError("-f goes on from now; --until would end it.") }
    }

    func run() throws {
        let (path, zone) = try records.place()
        var query = LogQuery()
        query.filters = try filter.filters + (unpriced ? [.unpriced] : [])
        query.text = grep
        query.limit = number ?? (since == nil ? 20 : Int(Int32.max))
        if let since { query.after = RequestID(rawValue: try id(since, "--since", zone).rawValue - 1) }
        if let until { query.before = try id(until, "--until", zone) }
        if journal || journalDirectory != nil { return try showJournal(query, zone) }
        let reports = try records.open(path)
        // Before the first look: what ends meanwhile is in one of both.
        let ends = follow ? try RecordsOption.orFault { try RequestEnds(path, now: Int64(Clock.wall())) } : nil
        let page = try RecordsOption.orFault { try reports.requests(query) }
        var printer = LogPrinter(look.style, zone, isJSON: json, now: RecordsOption.now)
        printer.print(Array(page.records.reversed()), isFirst: true)
        guard let ends else { return }
        var follower = LogFollower(ends, query, page.records, printer)
        try follower.run()
    }

    private func showJournal(_ query: LogQuery, _ zone: ZoneRules) throws {
        var printer = LogPrinter(look.style, zone, isJSON: json, now: RecordsOption.now)
        let place = journalDirectory.map { "the journal in \($0)" } ?? "the journal"
        do {
            let log = try JournalLog(directory: journalDirectory, query)
            if log.isEmpty {
                throw Terminal.fault(
                    "\(place) has nothing that this user may read; members of the group systemd-journal may read all.",
                    code: 69)
            }
            printer.print(try log.requests(), isFirst: true)
            guard follow else { return }
            ProcessSignal.endOnInterrupt()
            while true { printer.print([try log.next()], isFirst: false) }
        } catch let fault as SystemError {
            throw Terminal.fault("\(place) can't be read: \(fault).", code: 69)
        }
    }

    private func id(_ text: String, _ option: String, _ zone: ZoneRules) throws -> RequestID {
        RequestID(microseconds: try RecordsOption.moment(text, option, in: zone) * 1_000_000)
    }
}

/// Prints requests as lines of a table whose columns stay where they are.
struct LogPrinter {
    private let style: ReportStyle
    private let zone: ZoneRules
    private let isJSON: Bool
    private let now: Int64
    private var names = NameBook()

    init(_ style: ReportStyle, _ zone: ZoneRules, isJSON: Bool, now: Int64) {
        (self.style, self.zone, self.isJSON, self.now) = (style, zone, isJSON, now)
    }

    mutating func print(_ records: [RequestRecord], isFirst: Bool) {
        if isJSON {
            for record in records { Terminal.print(RecordJSON.line(record)) }
            return
        }
        if records.isEmpty {
            if isFirst { Terminal.error("There are no such requests.") }
            return
        }
        var table = ReportTable([
            .init(title: "Time"), .init(title: "End", least: 22), .init(title: "Caller", least: 6),
            .init(title: "Program", rank: 4, least: 11), .init(title: "Model", least: 17),
            .init(title: "In", isNumber: true, rank: 5), .init(title: "Cached", isNumber: true, rank: 7),
            .init(title: "Out", isNumber: true, rank: 6), .init(title: "Cost", isNumber: true, rank: 1),
            .init(title: "Total", isNumber: true, rank: 2), .init(title: "Request", rank: 8),
        ])
        for record in records { table.rows.append(ReportTable.Row(cells: cells(record))) }
        let lines = table.lines(style)
        for line in isFirst ? lines[...] : lines.dropFirst() { Terminal.print(line) }
    }

    private mutating func cells(_ record: RequestRecord) -> [ReportTable.Cell] {
        let time = ZonedTime(record.id.microseconds / 1_000_000, in: zone)
        let isToday = time.isSameDay(as: ZonedTime(now, in: zone))
        let clock = isToday ? time.clockWithSeconds : "\(time.shortDate) \(time.clockWithSeconds)"
        let words = OutcomeWords(record)
        let status = record.answered.status.map { "\($0)" } ?? style.ellipsis
        let isOpen = words.mark == .open
        let usage = record.usage
        let isSummary = record.count > 1
        let total = isOpen ? max(0, now * 1_000_000 - record.id.microseconds) : record.answered.totalMicroseconds
        return [
            .init(clock),
            .init("\(style.sign(words.mark)) \(status) \(words.words)", words.ink),
            .init(isSummary ? "-" : names.name(record.value(.caller), of: .caller)),
            .init(ShownName.clean(record.caller.client ?? record.caller.executable ?? " ")),
            .init(
                isSummary
                    ? "\(Figures.count(record.count)) requests" : record.value(.model).map(ShownName.clean) ?? ""),
            .init(usage.inputTotal.map(Figures.tokens) ?? (record.usageState == "unknown" ? "?" : "")),
            .init(
                usage.inputTotal.flatMap { total in usage.cacheRead.map { Figures.share($0, of: total) } } ?? ""),
            .init(usage.outputTotal.map(Figures.tokens) ?? ""),
            .init(isOpen ? "so far" : costText(record)),
            .init(total.map { Figures.duration($0) + (isOpen ? style.ellipsis : "") } ?? ""),
            .init(record.id.description),
        ]
    }

    private func costText(_ record: RequestRecord) -> String {
        guard let cost = record.cost, cost.state != .none else { return "" }
        guard let amount = cost.amount else { return "?" }
        return (cost.state == .partial ? "≥" : "") + Figures.cost(amount)
    }
}

extension OutcomeWords {
    /// Loud only where somebody must look.
    var ink: ReportStyle.Ink? {
        switch mark {
        case .fine, .cached, .left, .off, .open: nil
        case .warning, .refused: .yellow
        case .failed: .red
        }
    }
}
