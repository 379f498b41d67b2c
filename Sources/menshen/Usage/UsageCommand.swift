// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenStore

struct UsageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage",
        abstract: "Show what was asked for and what it cost: by day, or by model, caller, project, session and more.",
        discussion: """
            Without options: today and the six days before. Reads the records' file, so no menshen need run.
              menshen usage --by model --since 30d
              menshen usage --by project --model '*opus*' --since 2026-11-01
              menshen usage --by caller,project --since yesterday
              menshen usage --sessions            conversations of agents
              menshen usage --blocks              windows of five hours, as subscriptions have them
              menshen usage --budgets             limits, and what is left of them (asks the running menshen)
            """)

    enum Bucket: String, ExpressibleByArgument, CaseIterable { case hour, day, week, month }

    @Option(
        name: .long,
        help:
            "Group by hour, day, week, month, or by one of these or two, as in caller,project: \(Self.dimensions.joined(separator: ", "))."
    )
    var by: String?
    @Option(name: .long, help: "From: 7d, 24h, today, yesterday, 2026-11-01, 2026-11-01T09:30.")
    var since: String?
    @Option(name: .long, help: "Until, in the same forms (default: now).")
    var until: String?
    @Flag(name: .long, help: "Show conversations, the most expensive first.")
    var sessions = false
    @Flag(name: .long, help: "Show windows of five hours of one provider (--provider; default: the one asked most).")
    var blocks = false
    @Flag(name: .long, help: "Show limits and what is left of them.")
    var budgets = false
    @Flag(name: .long, help: "Show which requests are not in the sums, and why.")
    var unpriced = false
    @Flag(name: .long, help: "Leave out money.")
    var noCost = false
    @Option(name: .long, help: "Groups at most, the largest first (default: 20).")
    var top: Int?
    @Flag(name: .long, help: "Print JSON: all rows but for --top, sums exact, money in picodollars as text.")
    var json = false
    @Flag(name: .long, help: "Print CSV with the same columns.")
    var csv = false

    @OptionGroup(title: "Of which requests") var filter: FilterOptions
    @OptionGroup(title: "Appearance") var look: StyleOptions
    @OptionGroup(title: "Records") var records: RecordsOption
    @OptionGroup var daemon: DaemonOption

    static let dimensions = Dimension.allCases.map(\.rawValue)

    mutating func validate() throws {
        if [sessions, blocks, budgets, unpriced, by != nil].filter(\.self).count > 1 {
            throw ValidationError("Say one of --by, --sessions, --blocks, --budgets and --unpriced.")
        }
        if json, csv { throw ValidationError("Say --json or --csv.") }
        if let top, top < 1 { throw ValidationError("--top must be 1 or more.") }
        if top != nil, !sessions, by == nil || by.flatMap(Bucket.init) != nil {
            throw ValidationError(
                "--top is for groups (--sessions, or --by with a dimension); --since and --until choose rows of time.")
        }
        if budgets, since != nil || until != nil || noCost || !filter.isEmpty {
            throw ValidationError(
                "--budgets shows limits as they are now; no time, no filter and no --no-cost goes with it.")
        }
        try checkGroups()
    }

    private func checkGroups() throws {
        guard let by, Bucket(rawValue: by) == nil else { return }
        let words = Self.words(by)
        let names = Bucket.allCases.map(\.rawValue) + Self.dimensions
        if let unknown = words.first(where: { !names.contains($0) }) {
            let near = NearName.of(unknown, among: names).map { " You may mean '\($0)'." } ?? ""
            throw ValidationError(
                "There is nothing to group by that is called '\(unknown)'.\(near) It is one of \(names.joined(separator: ", "))."
            )
        }
        guard groups.count == words.count, Set(words).count == words.count, 1...2 ~= words.count else {
            throw ValidationError(
                "--by takes a length of time, or one or two other names, as in caller,project: not '\(by)'.")
        }
    }

    private static func words(_ by: String) -> [String] {
        by.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    /// Of `--by`; empty where it names a length of time, or nothing.
    private var groups: [Dimension] { by.map { Self.words($0).compactMap(Dimension.init) } ?? [] }

    func run() throws {
        if budgets { return try UsageBudgets(self).run() }
        let (path, zone) = try records.place()
        let reports = try records.open(path)
        let view = UsageView(self, reports, zone)
        let report = UsageReport(view)
        try RecordsOption.orFault {
            if sessions {
                try report.grouped(by: [.session], conversations: true)
            } else if blocks {
                try UsageBlocks(view).run()
            } else if unpriced {
                try UsageGaps(view).run()
            } else if !groups.isEmpty {
                try report.grouped(by: groups)
            } else {
                try report.calendar(by.flatMap(Bucket.init) ?? .day)
            }
        }
    }
}

/// The stretch of time that a report is about.
struct UsageSpan {
    let since: Int64
    let until: Int64
    let now: Int64
    let zone: ZoneRules

    /// `usual`: days before today where nothing is said.
    init(_ command: UsageCommand, _ zone: ZoneRules, now: Int64, usual: Int64) throws {
        self.zone = zone
        self.now = now
        func moment(_ text: String?, _ option: String) throws -> Int64? {
            try text.map { try RecordsOption.moment($0, option, now: now, in: zone) }
        }
        until = min(try moment(command.until, "--until") ?? now, now)
        since = try moment(command.since, "--since") ?? Periods.day(usual, before: until - 1, in: zone)
        guard since < until else {
            throw Terminal.fault("--since must be before --until, and before now.", code: 64)
        }
    }

    /// "21 – 27 November 2026, until 14:36 UTC+1".
    var title: String {
        let first = ZonedTime(since, in: zone)
        let end = ZonedTime(until, in: zone)
        let range = ZonedTime.range(first, ZonedTime(until - 1, in: zone))
        let begins = (first.hour, first.minute) == (0, 0) ? "" : ", from \(first.clock)"
        return range + begins
            + (until == now || end.hour + end.minute > 0 ? ", until \(end.clock) \(end.offsetName)" : "")
    }
}
