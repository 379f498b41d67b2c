// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// What a page is made from.
struct PageContext {
    let request: PageRequest
    let parameters: PageParameters
    let sources: PageSources

    var live: LiveView { sources.live }
    var reports: RecordReports { sources.reports }
    var now: Int64 { request.now }
    var formToken: String? { request.formToken }
    var period: PagePeriod { parameters.period }
    var clock: PageClock { PageClock(zone: request.zone, now: request.now) }

    /// This page, with all its parameters.
    var address: Address { Address(path: request.path, parameters: parameters.given) }

    /// Another page, about the same time and with the same filters.
    func link(_ path: String...) -> Address { Address(path: path, parameters: parameters.carried) }

    /// There are records of the time before the period, but for 2% of it: else there is nothing to compare with.
    func hasBefore() throws(StoreFault) -> Bool {
        guard let first = try reports.span()?.lowerBound else { return false }
        return first <= period.before[0] + (period.lastEnd - period.since) / 50
    }

    /// Says that rows of the period are missing; nothing where none are.
    func gapNote() throws(StoreFault) -> HTML {
        let gaps = try reports.gaps(period.since..<max(period.until, period.since))
        guard let first = gaps.first, let last = gaps.last else { return .nothing }
        let missing = gaps.reduce(Int64(0)) { $0.saturatingAdd($1.missing) }
        return .note(
            "warn", "\(Figures.counted(missing, "request")) may be missing in these sums",
            """
            <p>The database was not in use between \(clock.moment(first.since / 1_000_000)) and \(clock.moment(last.until / 1_000_000)): \
            \(last.reason). <code>menshen logs --journal</code> may have more.</p>
            """)
    }

    /// Sessions of what is under way, as far as it is recorded: of the last day, a hundred requests at most.
    func openSessions() throws(StoreFault) -> Set<String> {
        var query = LogQuery()
        query.filters = [ReportFilter(.outcome, ["open"])]
        query.after = RequestID(microseconds: (now - 86_400) * 1_000_000)
        query.limit = 100
        return Set(try reports.requests(query).records.compactMap(\.caller.session))
    }

    func query(_ edges: [Int64], by groups: [Dimension] = [], latency: Bool = false) -> ReportQuery {
        ReportQuery(edges: edges, by: groups, where: parameters.filtersOfSums, latency: latency)
    }
}

/// A page before it is put into its frame.
struct Page {
    var status = 200
    let title: String
    var place: Place?
    var main: HTML
    var tables: [DataTable] = []
    /// It is asked for again whenever something happens, where there is a script.
    var followsChanges = false

    /// Entries of the navigation.
    enum Place: String, CaseIterable {
        case overview, usage, log, sessions, tokens, providers, live, system

        var title: String {
            switch self {
            case .overview: "Overview"
            case .usage: "Usage"
            case .log: "Log"
            case .sessions: "Sessions"
            case .tokens: "Budgets"
            case .providers: "Providers"
            case .live: "Under way"
            case .system: "This menshen"
            }
        }

        var address: Address { self == .overview ? Address() : Address(rawValue) }
    }
}
