// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What an answer said of its usage, as it came.
struct UsageReports: Sendable {
    /// Where a stream reports twice.
    private var sum: UsageReading?
    /// Elsewhere the last one is read when somebody asks: some servers have one in every event.
    private var last: [UInt8]?
    private var side: [UInt8]?
    /// Events of the stream. Nearly each carries a token or more, which is all that is known of a stream that reports its usage
    /// at its end.
    var events: Int64 = 0
    /// Beside the reports, where the answer names its tier.
    var namedTier: String?

    mutating func add(_ report: [UInt8], _ table: UsageTable) {
        guard table.reportsTwice else { return last = report }
        if sum == nil { sum = UsageReading(table) }
        sum?.add(report)
    }

    mutating func addSide(_ report: [UInt8]) { side = report }

    var serviceTier: String? { namedTier ?? sum?.serviceTier }

    func usage(_ format: AnswerFormat) -> Usage? {
        if let sum { return sum.usage }
        guard let report = last ?? side else { return nil }
        var reading = UsageReading(last == nil ? format.sideUsage : format.usage)
        reading.add(report)
        return reading.usage
    }
}
