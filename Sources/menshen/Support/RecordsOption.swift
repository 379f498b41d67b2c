// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon
internal import MenshenStore

/// The records that a report is made of: read from their file, whether a menshen runs or not.
struct RecordsOption: ParsableArguments {
    @OptionGroup var configuration: ConfigurationOption

    @Option(name: .long, help: "Database of records (default: the configuration's).")
    var database: String?

    @Option(name: .long, help: "Time zone of days and times: local, UTC or a name (default: the configuration's).")
    var timezone: String?

    static var now: Int64 { Int64(Clock.wall() / 1_000_000) }

    /// What `--since` and the like name, in seconds since 1970.
    static func moment(_ text: String, _ option: String, now: Int64 = now, in zone: ZoneRules) throws -> Int64 {
        guard let moment = Periods.moment(text, now: now, in: zone) else {
            throw Terminal.fault(
                "\(option) '\(text)' is no time; say 7d, 24h, today, 2026-11-01 or 2026-11-01T09:30.", code: 64)
        }
        return moment
    }

    /// What `--timezone` names; nil where it was not said.
    static func zone(_ name: String?) throws -> ZoneRules? {
        guard let name else { return nil }
        if let rules = ZoneFile.rules(name) { return rules }
        throw Terminal.fault(
            "this system has no time zone '\(name)'; names are those below /usr/share/zoneinfo, such as Europe/Berlin.",
            code: 64)
    }

    /// Where records are, and whose days count. A configuration that is broken or not there has the usual ones.
    func place() throws -> (path: String, zone: ZoneRules) {
        let file = try configuration.path()
        let loaded = ConfigurationFile.load(file).configuration
        if loaded == nil, configuration.config != nil {
            do { _ = try FileReading.bytes(file, limit: 1 << 24) } catch {
                throw Terminal.fault(
                    "the configuration can't be read: \(error). Name another with --config, or leave that out for the usual one.",
                    code: Daemon.configurationFault)
            }
        }
        var zone = loaded?.limits.zone ?? ZoneFile.rules("local") ?? .utc
        if let named = try Self.zone(timezone) { zone = named }
        do {
            return (try database ?? loaded?.storage.path ?? StandardPaths.database(), zone)
        } catch {
            throw Terminal.fault("\(error)", code: 78)
        }
    }

    /// Opens them. `catchingUp`: roll-ups are brought up to date first, with a word on it if that takes long.
    func open(_ path: String, catchingUp: Bool = true) throws -> RecordReports {
        try Self.orFault {
            if catchingUp { Self.catchUp(path) }
            return try RecordReports(path)
        }
    }

    /// What of them there is to see needs no roll-ups, so that they can't be written is no fault.
    private static func catchUp(_ path: String) {
        guard let rollUps = try? RollUps(path) else { return }
        let began = Clock.monotonic()
        let isSeen = StandardStream.error.isTerminal
        var hasSaid = false
        _ = try? rollUps.update(now: now) { share in
            if isSeen, Clock.monotonic() - began > 700_000 {
                StandardStream.error.write("\rAdding up records for the first time: \(Int(share * 100))%")
                hasSaid = true
            }
            return true
        }
        if hasSaid { StandardStream.error.write("\r\u{1b}[K") }
    }

    /// Ends the command with what is wrong with the database.
    static func orFault<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let fault as StoreFault {
            throw Terminal.fault("the records can't be read: \(fault.reason). \(fault.advice)", code: 69)
        }
    }
}

/// `--model` and the like.
struct FilterOptions: ParsableArguments {
    @Option(name: .long, help: "Of this model; '*' stands for anything. This and the others may be repeated.")
    var model: [String] = []
    @Option(name: .long, help: "Of this provider; '-' for none.")
    var provider: [String] = []
    @Option(name: .long, help: "Of this token or user; '-' for callers over TCP without a token.")
    var caller: [String] = []
    @Option(name: .long, help: "Of this program, as it calls itself (claude-code) or by its path.")
    var program: [String] = []
    @Option(name: .long, help: "Of this session; its beginning is enough.")
    var session: [String] = []
    @Option(name: .long, help: "Of this project, by its path or the last part of it.")
    var project: [String] = []
    @Option(name: .long, help: "Of this agent within a session; '-' for the main one.")
    var agent: [String] = []
    @Option(name: .long, help: "Of this Slurm job.")
    var job: [String] = []
    @Option(name: .long, help: "Of this systemd unit.")
    var unit: [String] = []
    @Option(name: .long, help: "Of this operation: chat, messages, embeddings, …")
    var operation: [String] = []
    @Option(name: .long, help: "With this status: 429, 4xx.")
    var status: [String] = []
    @Option(
        name: .long, help: "That ended so: complete, refused, truncated, …, or failed for all that failed."
    )
    var end: [String] = []

    var filters: [ReportFilter] {
        get throws {
            var filters: [ReportFilter] = []
            func add(_ dimension: Dimension, _ values: [String], _ pattern: (String) -> [String] = { [$0] }) {
                if values.isEmpty { return }
                filters.append(ReportFilter(dimension, Self.values(values, pattern)))
            }
            add(.model, model)
            add(.provider, provider)
            add(.caller, caller, Self.callers)
            add(.session, session) { [$0, "\($0)*"] }
            add(.project, project) { $0.hasPrefix("/") ? [$0] : [$0, "*/\($0)"] }
            add(.agent, agent)
            add(.job, job)
            add(.unit, unit)
            add(.operation, operation)
            try Self.check(status, .status, "--status")
            add(.status, status)
            let paths = program.filter { $0.contains("/") }
            let names = program.filter { !$0.contains("/") }
            if paths.isEmpty {
                add(.client, names)
            } else {
                let byPath = ReportFilter(.program, Self.values(paths))
                filters.append(names.isEmpty ? byPath : byPath.or(ReportFilter(.client, Self.values(names))))
            }
            try Self.check(end, .outcome, "--end")
            if let ends = ReportFilter.ends(end) { filters.append(ends) }
            return filters
        }
    }

    /// None of them was given.
    var isEmpty: Bool {
        [model, provider, caller, program, session, project, agent, job, unit, operation, status, end]
            .allSatisfy(\.isEmpty)
    }

    private static func values(
        _ texts: [String], _ pattern: (String) -> [String] = { [$0] }
    ) -> [String?] {
        texts.flatMap { $0 == "-" ? [nil] : pattern($0).map(Optional.some) }
    }

    private static func check(_ values: [String], _ dimension: Dimension, _ option: String) throws {
        for value in values where value != "-" {
            guard let objection = ReportFilter.objection(to: value, of: dimension) else { continue }
            throw Terminal.fault("\(option) '\(ShownName.clean(value))' finds nothing. \(objection)", code: 64)
        }
    }

    /// A token may be named as a user is: what both have asked is meant.
    private static func callers(_ name: String) -> [String] {
        if name.contains("*") || name.hasPrefix("uid:") { return [name] }
        return [name] + ((try? Accounts.user(name)).map { ["uid:\($0.uid)"] } ?? [])
    }
}

/// Names of values as people know them.
struct NameBook {
    private var users: [String: String] = [:]
    /// Last parts of paths that several have.
    private let ambiguous: Set<String>

    /// `values`: those that stand beside each other, so that paths are told apart.
    init(_ values: [String?] = []) {
        var seen: Set<String> = []
        ambiguous = Set(values.compactMap { $0.map(Self.last) }.filter { !seen.insert($0).inserted })
    }

    private static func last(_ path: String) -> String { String(path.split(separator: "/").last ?? Substring(path)) }

    /// nil: there is no value; what that means depends on the dimension.
    mutating func name(_ value: String?, of dimension: Dimension) -> String {
        guard let value else { return Self.nothing(dimension) }
        switch dimension {
        case .caller where value.hasPrefix("uid:"): return user(String(value.dropFirst(4)))
        case .user: return user(value)
        case .project:
            let last = Self.last(value)
            return ShownName.clean(ambiguous.contains(last) ? value : last)
        default: return ShownName.clean(value)
        }
    }

    private mutating func user(_ number: String) -> String {
        if let name = users[number] { return name }
        let found = UInt32(number).flatMap { try? Accounts.user($0)?.name } ?? "uid \(number)"
        users[number] = found
        return found
    }

    private static func nothing(_ dimension: Dimension) -> String {
        switch dimension {
        case .model: "none named"
        case .provider: "none"
        case .caller, .token, .user: "no token"
        case .agent: "main"
        case .status: "no answer"
        default: "not known"
        }
    }
}
