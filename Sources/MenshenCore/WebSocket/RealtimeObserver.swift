// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Reads what the responses of one WebSocket used, from the text messages of an OpenAI provider: `response.done` of
/// Realtime, `response.completed` and its kin of Responses. Each is billed for itself, so their counts are added up.
package struct RealtimeObserver: MessageConsumer, Sendable {
    /// The sum of what was reported; nil if nothing was. `raw` is a JSON array of the reports, as many as there is room.
    package private(set) var usage: Usage?
    /// Responses that reported what they used.
    package private(set) var responses: Int64 = 0
    /// A response was begun, and its end has not come.
    package var hasOpenResponse: Bool { begun > ended }
    /// A response was begun or has ended.
    package var hasWorked: Bool { begun > 0 || ended > 0 }
    /// The model and the tier that were named last.
    package private(set) var model: String?
    package private(set) var serviceTier: String?

    private static let rawLimit = 16 << 10
    private static let paths = JSONPaths([
        "type", "response.usage", "response.model", "session.model", "response.service_tier",
    ])

    private var scanner = JSONScanner(paths)
    private var begun: Int64 = 0
    private var ended: Int64 = 0

    package init() {}

    package mutating func begin() { scanner.reset() }

    package mutating func feed(_ piece: Span<UInt8>) { scanner.feed(piece) }

    package mutating func end() {
        guard scanner.isComplete else { return }
        var type: String?
        var report: [UInt8]?
        for finding in scanner.found {
            switch finding.path {
            case 0: type = finding.string
            case 1: report = finding.kind == .object && finding.isWhole ? finding.text : nil
            case 2, 3: model = finding.string ?? model
            default: serviceTier = finding.string ?? serviceTier
            }
        }
        switch type {
        case "response.created": begun &+= 1
        case "response.done", "response.completed", "response.incomplete", "response.failed":
            ended &+= 1
            if let report { add(report) }
        default: break
        }
    }

    private mutating func add(_ report: [UInt8]) {
        var reading = UsageReading(OpenAI.usage)
        reading.add(report)
        guard var part = reading.usage, part.isCounted else { return }
        responses &+= 1
        guard var sum = usage else {
            // An array from the first report on.
            part.raw = [UInt8(ascii: "[")] + report + [UInt8(ascii: "]")]
            if part.raw.count > Self.rawLimit { part.raw = [] }
            return usage = part
        }
        sum.add(part)
        // The closing bracket is replaced by the comma.
        if !sum.raw.isEmpty, sum.raw.count + report.count + 1 <= Self.rawLimit {
            sum.raw[sum.raw.count - 1] = UInt8(ascii: ",")
            sum.raw += report
            sum.raw.append(UInt8(ascii: "]"))
        }
        usage = sum
    }
}
