// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon
internal import MenshenStore

struct StatuslineCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "statusline",
        abstract: "Print one line for a prompt or a status bar: what was spent today, lately and at what pace.",
        discussion: """
            It never fails: where there is nothing to say it prints an empty line.
              PS1='$(menshen statusline) \\$ '
            For Claude Code, in ~/.claude/settings.json:
              "statusLine": {"type": "command", "command": "menshen statusline --session -"}
            """)

    @Option(name: .long, help: "Also what this session has cost; '-' takes session_id from JSON on standard input.")
    var session: String?
    @Option(name: .long, help: "Columns at most (default: the terminal's, else 80).")
    var width: Int?
    @Flag(name: .long, help: "Do not ask the running menshen for limits.")
    var noLimits = false

    @OptionGroup var records: RecordsOption
    @OptionGroup var daemon: DaemonOption

    func run() {
        // A prompt has no place for them.
        StandardStream.error.silence()
        Terminal.print((try? line()) ?? "")
    }

    private func line() throws -> String {
        let (path, zone) = try records.place()
        let now = RecordsOption.now
        var parts: [String] = []
        if let reports = try? RecordReports(path) {
            parts = try spending(reports, zone, now)
        }
        if !noLimits { parts += pots() }
        return fit(parts)
    }

    private func spending(_ reports: RecordReports, _ zone: ZoneRules, _ now: Int64) throws -> [String] {
        var parts: [String] = []
        let today = Periods.start(of: .day, at: now, in: zone)
        func sums(_ since: Int64, _ filters: [ReportFilter] = []) throws -> ReportSums {
            try reports.rows(ReportQuery(edges: [since, now + 1], where: filters)).first?.sums ?? ReportSums()
        }
        func money(_ sums: ReportSums) -> String { (sums.isLowerBound ? "≥" : "") + Figures.money(sums.cost) }
        if let session = session == "-" ? Self.sessionFromInput() : session, !session.isEmpty {
            let own = try sums(now - 30 * 86_400, [ReportFilter(.session, [session, "\(session)*"])])
            if own[.requests] > 0 { parts.append("\(money(own)) session") }
        }
        let day = try sums(today)
        if day[.requests] > 0 { parts.append("\(money(day)) today") }
        let first = try reports.span()?.lowerBound ?? now
        let windows = try FiveHours.windows(in: now..<now + 1, since: first, now: now + 1) {
            try reports.rows(ReportQuery(edges: $0))
        }
        if let window = windows.last, now < window.end {
            parts.append("\(money(window.sums)) since \(ZonedTime(window.start, in: zone).clock)")
        }
        let hour = try sums(now - 3600)
        if hour[.cost] > 0 { parts.append("\(Figures.money(hour.cost))/h") }
        return parts
    }

    /// Limits that are used up by four fifths, at most three.
    private func pots() -> [String] {
        guard let socket = try? daemon.path(),
            let body = try? AdminClient.ask(socket: socket, "GET", AdminClient.usage, as: "application/json")
        else { return [] }
        return UsageBudgets.read(body).pots.filter { $0.isKnown && $0.share >= 800 }
            .sorted { $0.share > $1.share }.prefix(3)
            .map {
                "\($0.kind == "instance" ? "instance" : ShownName.clean($0.name)) \(Figures.share($0.spent, of: $0.amount))"
            }
    }

    /// What does not fit goes, from the right.
    private func fit(_ parts: [String]) -> String {
        let columns = width ?? StandardStream.output.columns ?? 80
        var line = ""
        for part in parts {
            let longer = line.isEmpty ? part : "\(line) · \(part)"
            if ShownName.width(longer) > columns { break }
            line = longer
        }
        return line
    }

    private static func sessionFromInput() -> String? {
        var text = ""
        while let line = readLine(strippingNewline: false), text.utf8.count < 1 << 20 { text += line }
        return AdminClient.texts(Array(text.utf8), JSONPaths(["session_id"]), limit: 256)[0]
    }
}
