// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Sums by bucket and model, and the models that have a colour: by their spend of the last 30 days, so that no other period and no
/// filter gives a model another one.
struct SeriesSums {
    static let styles = ["s1", "s2", "s3", "s4", "s5"]

    /// Of the period's buckets, and of as many before.
    let totals: [ReportSums]
    let before: [ReportSums]
    /// Over the period, by the value of the dimension.
    let byName: [String?: ReportSums]
    private let byBucket: [String?: [ReportSums]]

    /// `rows` answer `period.withBefore`, grouped by one dimension.
    init(_ rows: [ReportRow], _ period: PagePeriod) {
        let places = period.withBefore.now
        var totals = [ReportSums](repeating: ReportSums(), count: period.count)
        var before = totals
        var byName: [String?: ReportSums] = [:]
        var byBucket: [String?: [ReportSums]] = [:]
        for row in rows {
            let name = row.keys.first ?? nil
            if places.contains(row.bucket) {
                let bucket = row.bucket - places.lowerBound
                totals[bucket].add(row.sums)
                byName[name, default: ReportSums()].add(row.sums)
                byBucket[name, default: [ReportSums](repeating: ReportSums(), count: period.count)][bucket].add(
                    row.sums)
            } else if row.bucket < period.count {
                before[row.bucket].add(row.sums)
            }
        }
        (self.totals, self.before, self.byName, self.byBucket) = (totals, before, byName, byBucket)
    }

    /// What a chart compares with; nil: nothing, because records do not go back so far.
    func compared(_ measure: Measure, _ hasBefore: Bool) -> [Int64]? { hasBefore ? before.map(measure.value) : nil }

    var total: ReportSums { totals.reduce(into: ReportSums()) { $0.add($1) } }
    var totalBefore: ReportSums { before.reduce(into: ReportSums()) { $0.add($1) } }

    func buckets(_ name: String?) -> [ReportSums] {
        byBucket[name] ?? [ReportSums](repeating: ReportSums(), count: totals.count)
    }

    /// Names by a measure, highest first; those without a value left out.
    func ranked(_ measure: Measure) -> [String] {
        byName.compactMap { name, sums in name.map { ($0, measure.value(sums), sums[.requests]) } }
            .sorted { ($0.1, $0.2, $1.0) > ($1.1, $1.2, $0.0) }.map(\.0)
    }

    /// Stacks of a chart. `colours`: styles by name; what has none is with the others.
    func stacks(_ measure: Measure, _ colours: [String: String]) -> [ColumnChart.Series] {
        var series = colours.sorted { $0.value < $1.value }.map { name, style in
            ColumnChart.Series(name: name, style: style, values: buckets(name).map(measure.value))
        }
        if colours.isEmpty {
            return [ColumnChart.Series(name: "all", style: "ink", values: totals.map(measure.value))]
        }
        let rest = totals.indices.map { bucket in
            measure.value(totals[bucket]) - series.reduce(0) { $0 + $1.values[bucket] }
        }
        if rest.contains(where: { $0 > 0 }) {
            series.append(ColumnChart.Series(name: "others", style: "sr", values: rest.map { max(0, $0) }))
        }
        return series.filter { $0.values.contains { $0 > 0 } }
    }

    /// Of rows grouped by model over the last 30 days.
    static func colours(_ rows: [ReportRow]) -> [String: String] {
        var sums: [String: (cost: Int64, requests: Int64)] = [:]
        for row in rows {
            guard let name = row.keys.first ?? nil else { continue }
            sums[name, default: (0, 0)].cost += row.sums[.cost]
            sums[name, default: (0, 0)].requests += row.sums[.requests]
        }
        let ranked = sums.sorted {
            ($0.value.cost, $0.value.requests, $1.key) > ($1.value.cost, $1.value.requests, $0.key)
        }
        return Dictionary(uniqueKeysWithValues: zip(ranked.map(\.key), styles))
    }
}
