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

    /// ≥ where requests are missing in it, "unpriced" where all are.
    var spendCell: ReportTable.Cell {
        if self[.requests] == 0 { return .init("–", .dim) }
        if self[.cost] == 0, self[.unpriced] > 0 { return .init("unpriced", .yellow) }
        if self[.priced] == 0, self[.usageUnknown] > 0 { return .init("?", .yellow) }
        return .init((isLowerBound ? "≥" : "") + Figures.money(cost))
    }

    /// Requests whose cost is not in the sum.
    var missing: Int64 { self[.unpriced] + self[.usageUnknown] }

    private func unknownOr(_ text: String) -> String { self[.usageUnknown] > 0 ? "?" : text }
}

/// A report's rows for programs: names of columns, then values.
struct UsageRows {
    enum Value {
        case text(String?)
        case number(Int64?)
    }

    private(set) var rows: [[(name: String, value: Value)]] = []

    mutating func add(
        _ names: [(name: String, value: Value)], _ sums: ReportSums, _ latency: LatencyHistogram?, hasCost: Bool
    ) {
        let counts: [(String, ReportSums.Count)] = [
            ("requests", .requests), ("failed", .failed), ("open", .open), ("lost", .lost),
            ("input_total", .inputTotal),
            ("input_uncached", .inputUncached), ("cache_read", .cacheRead), ("cache_write", .cacheWrite),
            ("output_total", .outputTotal), ("reasoning", .reasoning), ("cache_hits", .cacheHits),
            ("saved_input", .savedInput), ("saved_output", .savedOutput), ("bytes_in", .bytesIn),
            ("bytes_out", .bytesOut),
            ("attempts", .attempts), ("usage_unknown", .usageUnknown),
        ]
        var row = names + counts.map { (name: $0.0, value: Value.number(sums[$0.1])) }
        if hasCost {
            row += [
                // Past 2^53 a number would lose its last digits in JSON.
                ("cost", .text("\(sums[.cost])")), ("priced", .number(sums[.priced])),
                ("unpriced", .number(sums[.unpriced])), ("partial", .number(sums[.partial])),
            ]
        }
        if let latency {
            for (name, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
                row.append(("ttfb_us_\(name)", .number(latency.percentile(share))))
            }
        }
        rows.append(row)
    }

    /// `{"schema": …, "since": …, "until": …, "timezone": …, "rows": […]}`.
    func json(_ span: UsageSpan) -> String {
        let lines = rows.map { row in
            JSONLine.object(
                row.map { member in
                    switch member.value {
                    case .text(let text): (member.name, JSONLine.Value.text(text))
                    case .number(let number): (member.name, JSONLine.Value.number(number))
                    }
                })
        }
        let head = JSONLine.object([
            ("schema", .text("menshen.usage.v1")), ("since", .text(ZoneRules.utc.stamp(span.since))),
            ("until", .text(ZoneRules.utc.stamp(span.until))), ("timezone", .text(span.zone.name)),
        ])
        return head.dropLast() + ",\"rows\":[" + lines.joined(separator: ",\n") + "]}"
    }

    /// RFC 4180; nothing for what is not known.
    var csv: String {
        guard let first = rows.first else { return "" }
        var output = Array(first.map(\.name).joined(separator: ",").utf8)
        for row in rows {
            output += [13, 10]
            for (place, member) in row.enumerated() {
                if place > 0 { output.append(44) }
                switch member.value {
                case .text(let text): output.append(csv: text ?? "")
                case .number(let number): output += (number.map { "\($0)" } ?? "").utf8
                }
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
