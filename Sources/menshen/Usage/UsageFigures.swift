// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Sums as a report's cells.
extension ReportSums {
    var requestCell: ReportTable.Cell { .init(Figures.count(self[.requests])) }
    var inputCell: ReportTable.Cell {
        .init(self[.inputTotal] == 0 ? unknownOr("") : Figures.tokens(self[.inputTotal]))
    }
    var outputCell: ReportTable.Cell { .init(self[.outputTotal] == 0 ? "" : Figures.tokens(self[.outputTotal])) }

    var cachedCell: ReportTable.Cell {
        .init(self[.inputTotal] == 0 ? "" : Figures.share(self[.cacheRead], of: self[.inputTotal]))
    }

    var failedCell: ReportTable.Cell {
        .init(self[.requests] == 0 ? "" : Figures.share(self[.failed], of: self[.requests]))
    }

    /// ≥ where requests are missing in it, "unpriced" where none has a cost.
    var spendCell: ReportTable.Cell {
        switch spend {
        case .nothing: .init("–", .dim)
        case .unpriced: .init("unpriced", .yellow)
        case .unknown: .init("?", .yellow)
        case .amount(let money, let isLowerBound): .init((isLowerBound ? "≥" : "") + Figures.money(money))
        }
    }

    /// By caches, the provider's and menshen's own; blank where there is nothing to say.
    var savedCell: ReportTable.Cell {
        if self[.saved] == 0 { return .init(isSavedLowerBound ? "?" : "") }
        return .init((isSavedLowerBound ? "≥" : "") + Figures.money(saved))
    }

    /// Requests whose cost is not in the sum.
    var missing: Int64 { self[.unpriced] + self[.usageUnknown] }

    private func unknownOr(_ text: String) -> String { self[.usageUnknown] > 0 ? "?" : text }
}

/// A report's rows for programs: columns that tell of what, then sums, all as they are.
struct UsageRows {
    enum Value {
        case text(String?)
        case number(Int64?)
        case flag(Bool)
        /// Seconds since 1970.
        case time(Int64)
        /// Picodollars; past 2^53 a number would lose its last digits in JSON.
        case money(Int64)
    }

    private let columns: [String]
    private let hasCost: Bool
    private let hasLatency: Bool
    private var rows: [[Value]] = []

    /// `names`: of the columns that tell of what.
    init(_ names: [String], hasCost: Bool, hasLatency: Bool = false) {
        (self.hasCost, self.hasLatency) = (hasCost, hasLatency)
        columns =
            names + Self.counts.map(\.name)
            + (hasCost ? ["cost", "priced", "unpriced", "partial", "saved", "saved_own", "saved_unknown"] : [])
            + (hasLatency ? Self.shares.map { "ttfb_us_\($0.name)" } : [])
    }

    private static let counts: [(name: String, count: ReportSums.Count)] = [
        ("requests", .requests), ("failed", .failed), ("open", .open), ("lost", .lost), ("input_total", .inputTotal),
        ("input_uncached", .inputUncached), ("cache_read", .cacheRead), ("cache_write", .cacheWrite),
        ("output_total", .outputTotal), ("reasoning", .reasoning), ("cache_hits", .cacheHits),
        ("saved_input", .savedInput), ("saved_output", .savedOutput), ("bytes_in", .bytesIn), ("bytes_out", .bytesOut),
        ("attempts", .attempts), ("usage_unknown", .usageUnknown),
    ]
    private static let shares = [(name: "p50", share: 0.5), (name: "p95", share: 0.95), (name: "p99", share: 0.99)]

    mutating func add(_ values: [Value], _ sums: ReportSums, _ latency: LatencyHistogram? = nil) {
        var row = values + Self.counts.map { .number(sums[$0.count]) }
        if hasCost {
            row += [
                .money(sums[.cost]), .number(sums[.priced]), .number(sums[.unpriced]), .number(sums[.partial]),
                .money(sums[.saved]), .money(sums[.savedHere]), .number(sums[.savedUnknown]),
            ]
        }
        if hasLatency { row += Self.shares.map { .number(latency?.percentile($0.share)) } }
        rows.append(row)
    }

    /// `{"schema": …, "since": …, "until": …, "timezone": …, "missing": …, "rows": […]}`. `missing`: requests whose rows may be missing.
    func json(_ span: UsageSpan, missing: Int64) -> String {
        let lines = rows.map { row in JSONLine.object(zip(columns, row).map { ($0, $1.json) }) }
        let head = JSONLine.object([
            ("schema", .text("menshen.usage.v1")), ("since", .text(ZoneRules.utc.stamp(span.since))),
            ("until", .text(ZoneRules.utc.stamp(span.until))), ("timezone", .text(span.zone.name)),
            ("missing", .number(missing)),
        ])
        return head.dropLast() + ",\"rows\":[" + lines.joined(separator: ",\n") + "]}\n"
    }

    /// RFC 4180, with its head whatever there is; nothing for what is not known.
    var csv: String {
        var output = Array(columns.joined(separator: ",").utf8) + .csvEnd
        for row in rows {
            for (place, value) in row.enumerated() {
                if place > 0 { output.append(UInt8(ascii: ",")) }
                value.append(csvTo: &output)
            }
            output += .csvEnd
        }
        return String(decoding: output, as: UTF8.self)
    }
}

extension UsageRows.Value {
    fileprivate var json: JSONLine.Value {
        switch self {
        case .text(let text): .text(text)
        case .number(let number): .number(number)
        case .flag(let flag): .flag(flag)
        case .time(let time): .text(ZoneRules.utc.stamp(time))
        case .money(let money): .text("\(money)")
        }
    }

    fileprivate func append(csvTo output: inout [UInt8]) {
        switch self {
        case .text(let text): output.append(csv: text ?? "")
        case .number(let number): output += (number.map { "\($0)" } ?? "").utf8
        case .flag(let flag): output += "\(flag)".utf8
        case .time(let time): output += ZoneRules.utc.stamp(time).utf8
        case .money(let money): output += "\(money)".utf8
        }
    }
}
