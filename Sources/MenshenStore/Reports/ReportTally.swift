// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite

/// Adds segments up to the rows that a query asks for. Belongs to one thread.
final class ReportTally {
    let query: ReportQuery
    private let names: Names
    /// For each choice of each filter what is known of its values.
    private var verdicts: [[[Names.Number: Bool]]]
    /// Rows by bucket and the numbers of their keys.
    private var places: [RowKey: Int] = [:]
    private var keys: [RowKey] = []
    private var sums: [Int64] = []
    private var histograms: [LatencyHistogram] = []
    /// For each combination of the segment at hand its row, or -1.
    private var targets: [Int32] = []

    private struct RowKey: Hashable {
        let bucket: Int
        let numbers: [Names.Number]
    }

    init(_ query: ReportQuery, _ names: Names) {
        self.query = query
        self.names = names
        verdicts = query.filters.map { $0.choices.map { _ in [:] } }
    }

    /// False if nothing in it matches the query's filters.
    @discardableResult
    func add(_ segment: SegmentView, to bucket: Int) throws(SQLiteError) -> Bool {
        targets.removeAll(keepingCapacity: true)
        targets.append(contentsOf: repeatElement(0, count: segment.combinations))
        for index in query.filters.indices { try apply(index, segment) }
        guard targets.contains(0) else { return false }
        findRows(segment, bucket)
        for count in ReportSums.Count.allCases { add(segment[count], count.rawValue) }
        if query.wantsLatency { addLatencies(segment) }
        return true
    }

    private func apply(_ index: Int, _ segment: SegmentView) throws(SQLiteError) {
        let filter = query.filters[index]
        var choices: [(places: SegmentView.Column, passes: [Bool])] = []
        for place in filter.choices.indices {
            let passes = try verdicts(index, place, segment)
            if passes.allSatisfy(\.self) { return }
            choices.append((segment[filter.choices[place].dimension].places, passes))
        }
        // Of the requests of a combination all have failed, or none, for its dimensions say it.
        let counts = filter.traits.counts.map { segment[$0] }
        for combination in targets.indices {
            if choices.contains(where: { $0.passes[Int($0.places[combination])] }) { continue }
            if counts.contains(where: { $0[combination] != 0 }) { continue }
            targets[combination] = -1
        }
    }

    /// Of each value in the segment whether the choice takes it.
    private func verdicts(_ index: Int, _ place: Int, _ segment: SegmentView) throws(SQLiteError) -> [Bool] {
        let choice = query.filters[index].choices[place]
        var passes: [Bool] = []
        for number in segment[choice.dimension].values {
            if let known = verdicts[index][place][number] {
                passes.append(known)
            } else {
                let verdict = choice.matches(try names.text(number))
                verdicts[index][place][number] = verdict
                passes.append(verdict)
            }
        }
        return passes
    }

    private func findRows(_ segment: SegmentView, _ bucket: Int) {
        switch query.groups.count {
        case 0:
            let row = Int32(row(RowKey(bucket: bucket, numbers: [])))
            for combination in targets.indices where targets[combination] == 0 { targets[combination] = row }
        case 1:
            // Rows by the place of their value among the segment's.
            let column = segment[query.groups[0]]
            var rows = [Int32](repeating: -1, count: column.values.count)
            for combination in targets.indices where targets[combination] == 0 {
                let place = Int(column.places[combination])
                if rows[place] < 0 { rows[place] = Int32(row(RowKey(bucket: bucket, numbers: [column.values[place]]))) }
                targets[combination] = rows[place]
            }
        default:
            let columns = query.groups.map { segment[$0] }
            var numbers = [Names.Number](repeating: 0, count: columns.count)
            var last: (numbers: [Names.Number], row: Int32)?
            for combination in targets.indices where targets[combination] == 0 {
                for index in columns.indices {
                    numbers[index] = columns[index].values[Int(columns[index].places[combination])]
                }
                if let last, last.numbers == numbers {
                    targets[combination] = last.row
                    continue
                }
                let row = Int32(row(RowKey(bucket: bucket, numbers: numbers)))
                targets[combination] = row
                last = (numbers, row)
            }
        }
    }

    private func row(_ key: RowKey) -> Int {
        if let place = places[key] { return place }
        let place = keys.count
        places[key] = place
        keys.append(key)
        sums.append(contentsOf: repeatElement(0, count: SegmentBuilder.countWidth))
        if query.wantsLatency { histograms.append(LatencyHistogram()) }
        return place
    }

    private func add(_ column: SegmentView.Column, _ count: Int) {
        if column.width == 0 { return }
        sums.withUnsafeMutableBufferPointer { sums in
            for combination in targets.indices {
                let target = targets[combination]
                if target < 0 { continue }
                let place = Int(target) * SegmentBuilder.countWidth + count
                sums[place] = sums[place].saturatingAdd(Int64(bitPattern: column[combination]))
            }
        }
    }

    private func addLatencies(_ segment: SegmentView) {
        var entry = 0
        for combination in targets.indices {
            let own = Int(segment.latencyOwn[combination])
            let target = Int(targets[combination])
            if target >= 0 {
                for place in entry..<entry + own {
                    histograms[target].add(
                        bucket: Int(segment.latencyBuckets[place]), Int64(segment.latencyCounts[place]))
                }
            }
            entry += own
        }
    }

    func rows() throws(SQLiteError) -> [ReportRow] {
        var rows: [ReportRow] = []
        rows.reserveCapacity(keys.count)
        for (place, key) in keys.enumerated() {
            var texts: [String?] = []
            for number in key.numbers { texts.append(try names.text(number)) }
            var row = ReportRow(bucket: key.bucket, keys: texts, sums: ReportSums())
            for count in ReportSums.Count.allCases {
                row.sums[count] = sums[place * SegmentBuilder.countWidth + count.rawValue]
            }
            if query.wantsLatency { row.firstBytes = histograms[place] }
            rows.append(row)
        }
        return rows
    }
}
