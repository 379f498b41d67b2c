// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Brings the usage objects of one answer to the normal form. Reports replace each other and are never added up:
/// providers' numbers are cumulative.
package struct UsageReading: Sendable {
    /// Whose field names and rules.
    package enum Family: Sendable {
        case openAI, anthropic, gemini, converse
    }

    private let family: Family
    private var counts = [Int64?](repeating: nil, count: UsageSlot.allCases.count)
    private var seconds: Double?
    /// Anthropic's is inside the usage object.
    package private(set) var serviceTier: String?
    private var reports: [[UInt8]] = []
    private var modality: String?

    package init(_ family: Family) { self.family = family }

    /// Takes a usage object. Anthropic reports twice, and the second replaces the first field by field; elsewhere the
    /// last report stands alone.
    package mutating func add(_ object: [UInt8]) {
        if family == .anthropic {
            if reports.count > 1 { reports.removeLast() }
        } else if !reports.isEmpty {
            self = UsageReading(family)
        }
        reports.append(object)
        let table = table
        var scanner = JSONScanner(table.paths)
        scanner.feed(object.span)
        for finding in scanner.found { take(finding, table.slots[finding.path]) }
    }

    private var table: UsageTable {
        switch family {
        case .openAI: .openAI
        case .anthropic: .anthropic
        case .gemini: .gemini
        case .converse: .converse
        }
    }

    private mutating func take(_ finding: JSONFinding, _ slot: UsageSlot) {
        switch slot {
        case .seconds: seconds = finding.double.flatMap { $0 >= 0 ? $0 : nil }
        case .serviceTier: serviceTier = finding.string
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

    private subscript(_ slot: UsageSlot) -> Int64? {
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
        switch family {
        case .openAI: splitInput(&usage)
        case .anthropic, .converse: addUpInput(&usage)
        case .gemini: addThoughts(&usage)
        }
        func addOther(_ name: String, _ count: Int64?) {
            if let count { usage.other.append(Usage.Extra(name: name, count: count)) }
        }
        if family == .openAI { addOther("cache_write_tokens", self[.cacheWritten]) }
        addOther("accepted_prediction_tokens", self[.acceptedPrediction])
        addOther("rejected_prediction_tokens", self[.rejectedPrediction])
        addOther("web_search_requests", self[.webSearches])
        addOther("web_fetch_requests", self[.webFetches])
        usage.raw = reports.count == 1 ? first : [UInt8(ascii: "[")] + first + [UInt8(ascii: ",")] + reports[1] + [93]
        return usage
    }

    /// What came from the cache is a part of the input.
    private func splitInput(_ usage: inout Usage) {
        usage.inputTotal = self[.input]
        guard let total = self[.input], let read = self[.cacheRead] else { return }
        let rest = total - read - (self[.cacheWritten] ?? 0)
        if rest >= 0 { usage.inputUncached = rest }
    }

    /// What came from the cache, and what went into it, is counted apart.
    private func addUpInput(_ usage: inout Usage) {
        usage.inputUncached = self[.inputUncached]
        usage.cacheWrite5m = self[.cacheWritten5m]
        usage.cacheWrite1h = self[.cacheWritten1h]
        // Without the split it is the default lifetime's.
        if usage.cacheWrite5m == nil, usage.cacheWrite1h == nil { usage.cacheWrite5m = self[.cacheWritten] }
        let written = self[.cacheWritten] ?? (usage.cacheWrite5m ?? 0) &+ (usage.cacheWrite1h ?? 0)
        usage.inputTotal = self[.inputUncached].map { $0 &+ written &+ (self[.cacheRead] ?? 0) }
    }

    /// Google leaves zeros out, so what is absent beside a total is 0.
    private func addThoughts(_ usage: inout Usage) {
        if let prompt = self[.input] {
            let read = self[.cacheRead] ?? 0
            let total = prompt &+ (self[.toolInput] ?? 0)
            usage.inputTotal = total
            usage.cacheRead = read
            if total >= read { usage.inputUncached = total &- read }
        }
        guard self[.candidates] != nil || self[.reasoning] != nil else { return }
        usage.outputTotal = (self[.candidates] ?? 0) &+ (self[.reasoning] ?? 0)
    }
}
