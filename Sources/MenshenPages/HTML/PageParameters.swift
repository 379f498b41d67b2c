// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What the address of a page says behind its question mark.
struct PageParameters: Sendable {
    /// Stands for "no value" among a filter's values.
    static let none = "(none)"
    static let times = ["period", "since", "until"]
    static let filterNames = Dimension.allCases.map(\.rawValue)

    private(set) var given: [Address.Parameter] = []
    private(set) var period: PagePeriod

    /// A parameter that a page does not have, or can't take.
    struct Fault: Error {
        let title: String
        let detail: String
    }

    /// `own`: names that this page has beside those of all.
    init(_ request: PageRequest, own: [String], takesTime: Bool, takesFilters: Bool) throws(Fault) {
        let known = own + (takesTime ? Self.times : []) + (takesFilters ? Self.filterNames : [])
        for parameter in request.parameters where !parameter.value.isEmpty {
            guard known.contains(parameter.name) else { throw Self.unknown(parameter.name, known) }
            given.append(Address.Parameter(name: parameter.name, value: parameter.value))
        }
        period = PagePeriod(PagePeriod.usual, now: request.now, in: request.zone)
        for dimension in takesFilters ? Dimension.allCases : [] { try check(dimension) }
        if takesTime { period = try time(request.now, request.zone) }
    }

    private func time(_ now: Int64, _ zone: ZoneRules) throws(Fault) -> PagePeriod {
        let name = self["period"]
        if let name, name != "custom", !PagePeriod.names.contains(name) {
            throw Fault(
                title: "There is no period “\(name)”",
                detail: "There are \(PagePeriod.names.joined(separator: ", ")), or since= and until=.")
        }
        let isNamed = name != nil && name != "custom"
        guard !isNamed, self["since"] != nil || self["until"] != nil else {
            return PagePeriod(isNamed ? name ?? "" : PagePeriod.usual, now: now, in: zone)
        }
        let until = try moment("until", now, zone) ?? now + 1
        let since = try moment("since", now, zone) ?? Periods.time(-7, after: until, in: zone)
        guard since < until else {
            throw Fault(title: "This time ends before it begins", detail: "since= must be before until=.")
        }
        guard until - since <= 20 * 366 * 86_400,
            let period = PagePeriod(since: since, until: min(until, max(now + 1, since + 60)), now: now, in: zone)
        else { throw Fault(title: "This time is too long", detail: "A page shows at most 20 years.") }
        return period
    }

    private func moment(_ name: String, _ now: Int64, _ zone: ZoneRules) throws(Fault) -> Int64? {
        guard let text = self[name] else { return nil }
        guard let time = Periods.moment(text, now: now, in: zone), time >= 0, time < 1 << 40 else {
            throw Fault(
                title: "“\(text)” is no time",
                detail: "\(name)= takes 2026-11-27, 2026-11-27T14:30, 7d, 24h or seconds since 1970.")
        }
        return time
    }

    private static func unknown(_ name: String, _ known: [String]) -> Fault {
        if known.isEmpty { return Fault(title: "“\(name)” is no parameter of this page", detail: "It has none.") }
        let meant = NearName.of(name, among: known).map { "Did you mean “\($0)”? " } ?? ""
        return Fault(
            title: "“\(name)” is no parameter of this page",
            detail: "\(meant)It has \(known.joined(separator: ", ")).")
    }

    /// The last value of a name.
    subscript(name: String) -> String? { given.last { $0.name == name }?.value }

    /// One of some words; the first of them if nothing is said.
    func choice(_ name: String, _ words: [String]) throws(Fault) -> String {
        guard let value = self[name] else { return words[0] }
        guard words.contains(value) else {
            let meant = NearName.of(value, among: words).map { "Did you mean “\($0)”? " } ?? ""
            throw Fault(
                title: "“\(value)” is nothing that \(name)= takes",
                detail: "\(meant)It takes \(words.joined(separator: ", ")).")
        }
        return value
    }

    /// Parameters that filter, as they were given.
    var filterParameters: [Address.Parameter] { given.filter { Self.filterNames.contains($0.name) } }

    private func values(_ dimension: Dimension) -> [String] {
        given.filter { $0.name == dimension.rawValue }.map(\.value)
    }

    private func check(_ dimension: Dimension) throws(Fault) {
        for value in values(dimension) where value != Self.none && (dimension != .outcome || value != Self.unpriced) {
            guard let objection = ReportFilter.objection(to: value, of: dimension) else { continue }
            throw Fault(title: "“\(value)” is nothing that \(dimension.rawValue)= takes", detail: objection)
        }
    }

    /// Of single requests.
    var filters: [ReportFilter] {
        Dimension.allCases.compactMap { dimension in
            let values = values(dimension)
            if dimension == .outcome { return outcomes(values) }
            return values.isEmpty ? nil : ReportFilter(dimension, values.map { $0 == Self.none ? nil : $0 })
        }
    }

    /// Of sums, which don't tell which of their requests have no price: that is not asked of them.
    var filtersOfSums: [ReportFilter] { filters.filter { !$0.traits.contains(.unpriced) } }

    /// Beside what ends are called, `outcome=unpriced`.
    private static let unpriced = "unpriced"
    var asksForUnpriced: Bool { values(.outcome).contains(Self.unpriced) }

    private func outcomes(_ values: [String]) -> ReportFilter? {
        let named = ReportFilter.ends(values.filter { $0 != Self.none && $0 != Self.unpriced })
        let none = values.contains(Self.none) ? ReportFilter(.outcome, [nil]) : nil
        return [named, none, asksForUnpriced ? .unpriced : nil].compactMap(\.self).reduce(nil as ReportFilter?) {
            $0?.or($1) ?? $1
        }
    }

    var isFiltered: Bool { !filterParameters.isEmpty }

    /// Parameters of time and filters: what a link to another page takes along.
    var carried: [Address.Parameter] {
        given.filter { Self.times.contains($0.name) || Self.filterNames.contains($0.name) }
    }
}
