// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Brings the usage objects of one answer to the normal form. Reports replace each other and are never added up:
/// providers' numbers are cumulative.
package struct UsageReading: Sendable {
    private let table: UsageTable
    private var counts = [Int64?](repeating: nil, count: UsageSlot.allCases.count)
    private var seconds: Double?
    /// Anthropic's is inside the usage object.
    package private(set) var serviceTier: String?
    private var speed: String?
    private var inferenceGeo: String?
    private var statedCost: Money?
    private var reports: [[UInt8]] = []
    private var modality: String?
    private var lifetimeName: String?
    private(set) var lifetimes: [CacheWrite] = []

    init(_ table: UsageTable) { self.table = table }

    /// Takes a usage object.
    package mutating func add(_ object: [UInt8]) {
        if table.reportsTwice {
            if reports.count > 1 { reports.removeLast() }
        } else if !reports.isEmpty {
            self = UsageReading(table)
        }
        lifetimes = []
        reports.append(object)
        var scanner = JSONScanner(table.paths)
        scanner.feed(object.span)
        for finding in scanner.found { take(finding, table.slots[finding.path]) }
    }

    private mutating func take(_ finding: JSONFinding, _ slot: UsageSlot) {
        switch slot {
        case .seconds: seconds = finding.double.flatMap { $0 >= 0 ? $0 : nil }
        case .serviceTier: serviceTier = finding.string
        case .speed: speed = finding.string ?? speed
        case .inferenceGeo: inferenceGeo = finding.string ?? inferenceGeo
        case .cost: if finding.kind == .number { statedCost = Money(dollars: finding.text) ?? statedCost }
        case .costTicks: if let ticks = finding.count { statedCost = Money(ticks: ticks) ?? statedCost }
        case .lifetimeName: lifetimeName = finding.string
        case .lifetime:
            if let seconds = lifetimeName.flatMap(CacheWrite.seconds), let tokens = self[.lifetimeCount] {
                lifetimes.append(CacheWrite(seconds: seconds, tokens: tokens))
            }
            lifetimeName = nil
            self[.lifetimeCount] = nil
        case .modality: modality = finding.string
        case .modalityIn, .modalityOut:
            if let modality, let count = self[.modalityCount] { add(count, modality, isInput: slot == .modalityIn) }
            modality = nil
            self[.modalityCount] = nil
        default: if let count = finding.count { self[slot] = count }
        }
    }

    private mutating func add(_ count: Int64, _ modality: String, isInput: Bool) {
        let slot: UsageSlot
        switch modality {
        case "AUDIO": slot = isInput ? .audioIn : .audioOut
        case "IMAGE": slot = isInput ? .imageIn : .imageOut
        default: return
        }
        self[slot] = (self[slot] ?? 0) &+ count
    }

    subscript(_ slot: UsageSlot) -> Int64? {
        get { counts[slot.rawValue] }
        set { counts[slot.rawValue] = newValue }
    }

    /// nil before the first report.
    package var usage: Usage? {
        guard let first = reports.first else { return nil }
        var usage = Usage()
        usage.outputTotal = self[.output]
        usage.cacheRead = self[.cacheRead]
        usage.reasoning = self[.reasoning]
        usage.audioIn = self[.audioIn]
        usage.audioOut = self[.audioOut]
        usage.imageIn = self[.imageIn]
        usage.imageOut = self[.imageOut]
        usage.seconds = seconds
        usage.statedCost = statedCost
        usage.speed = speed
        usage.inferenceGeo = inferenceGeo
        table.totals(self, &usage)
        func addOther(_ name: String, _ count: Int64?) {
            if let count { usage.other.append(Usage.Extra(name: name, count: count)) }
        }
        addOther("accepted_prediction_tokens", self[.acceptedPrediction])
        addOther("rejected_prediction_tokens", self[.rejectedPrediction])
        addOther("web_search_requests", self[.webSearches])
        addOther("web_fetch_requests", self[.webFetches])
        usage.raw = reports.count == 1 ? first : [UInt8(ascii: "[")] + first + [UInt8(ascii: ",")] + reports[1] + [93]
        return usage
    }
}
