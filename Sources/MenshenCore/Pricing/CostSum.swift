// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The sum of what one request's parts cost by one row of prices.
struct CostSum {
    /// Why there is no sum.
    struct Gap: Error { let reason: String }

    /// A part is `count` times a price of a quantity; 3,600,000,000 is a multiple of every quantity, 100 is for percents, and a
    /// picodollar is a million attodollars.
    private static let denominator: Int128 = 3_600_000_000 * 100 * 1_000_000

    private let row: PriceRow
    private let facts: PricedFacts
    private let usage: Usage
    private var numerator: Int128 = 0
    /// What was added, where somebody wants to read it.
    private var parts: [CostPart]?
    private var tokenPercent: Int128 = 100
    /// As if there were no caches.
    private var isWithoutCache = false
    /// All input tokens, which say on which side of a line the request is.
    private var input: Int128 = 0

    /// Rounded to the nearest picodollar, halves away from zero, once for the whole request.
    static func money(_ row: PriceRow, _ usage: Usage, _ facts: PricedFacts) throws(Gap) -> Money {
        var sum = CostSum(row, usage, facts)
        try sum.take()
        guard let money = rounded(sum.numerator) else { throw tooMuch }
        return money
    }

    /// What the same would have cost without a cache at the provider, less `money`; nil where none was in use.
    static func saved(_ row: PriceRow, _ usage: Usage, _ facts: PricedFacts, beside money: Money) -> Money? {
        guard usage.cacheRead ?? 0 > 0 || usage.cacheWrites.contains(where: { $0.tokens > 0 }) else { return nil }
        var sum = CostSum(row, usage, facts)
        sum.isWithoutCache = true
        do throws(Gap) { try sum.take() } catch { return nil }
        return rounded(sum.numerator).map { Money(picodollars: $0.picodollars - money.picodollars) }
    }

    /// The same in its parts; nil if there is a gap.
    static func parts(_ row: PriceRow, _ usage: Usage, _ facts: PricedFacts) -> [CostPart]? {
        var sum = CostSum(row, usage, facts)
        sum.parts = []
        do throws(Gap) { try sum.take() } catch { return nil }
        return sum.parts
    }

    private mutating func take() throws(Gap) {
        try takeGeo()
        try takeInput()
        try takeOutput()
        try takeSound()
        try takeCalls()
    }

    private static func rounded(_ numerator: Int128) -> Money? {
        Int64(exactly: (numerator + denominator / 2) / denominator).map { Money(picodollars: $0) }
    }

    private init(_ row: PriceRow, _ usage: Usage, _ facts: PricedFacts) {
        (self.row, self.usage, self.facts) = (row, usage, facts)
    }

    private static var tooMuch: Gap { Gap(reason: "the amount is too large") }

    // MARK: Adding

    private mutating func add(_ count: Int128, _ unit: PriceUnit, named name: String? = nil) throws(Gap) {
        guard count != 0 else { return }
        guard count > 0 else { throw Gap(reason: "the counts contradict each other") }
        guard let price = row.prices[unit] else { throw Gap(reason: "no price for \(name ?? unit.rawValue)") }
        let percent = unit.isToken ? tokenPercent : 100
        let factor = 3_600_000_000 / unit.quantity * percent
        let (part, isOver) = (count * factor).multipliedReportingOverflow(by: price.attodollars(input: input))
        let (sum, isOverToo) = numerator.addingReportingOverflow(part)
        if isOver || isOverToo || sum > .max - Self.denominator { throw Self.tooMuch }
        numerator = sum
        parts?.append(
            CostPart(
                unit: unit, count: Int64(clamping: count),
                price: Money(picodollars: Int64(clamping: price.attodollars(input: input) / 100 * percent / 1_000_000)),
                money: Self.rounded(part) ?? .zero))
    }

    private static func wide(_ count: Int64?) -> Int128 { Int128(count ?? 0) }

    private func isFree(_ unit: PriceUnit) -> Bool {
        row.prices[unit].map(\.isFree) ?? true
    }

    // MARK: Parts

    private mutating func takeGeo() throws(Gap) {
        switch facts.inferenceGeo?.lowercased() {
        case nil, "", "global", "not_available": return
        case "us":
            guard let percent = row.usPercent else { throw Gap(reason: "no price for inference in 'us'") }
            tokenPercent = Int128(percent)
        case let other?: throw Gap(reason: "no price for inference in '\(AuditText.name(other))'")
        }
    }

    private mutating func takeInput() throws(Gap) {
        let written = usage.cacheWrites.reduce(Int128(0)) { $0 + Int128($1.tokens) }
        let fromCache = Self.wide(usage.cacheRead) + written
        let isReported = usage.inputTotal != nil || usage.inputUncached != nil
        guard isReported || fromCache == 0 else { throw Gap(reason: "the input was not reported") }
        input = usage.inputTotal.map { Int128($0) } ?? (Self.wide(usage.inputUncached) + fromCache)
        let uncached = usage.inputUncached.map { Int128($0) } ?? (input - fromCache)
        if !isReported, facts.usageState == .reported, !isFree(.input) {
            throw Gap(reason: "the input was not reported")
        }
        if facts.isSum, row.prices.values.contains(where: { $0.attodollars(input: input) != $0.attodollars }) {
            throw Gap(reason: "which of several answers were long is not known")
        }
        let sound = priced(usage.audioIn, .audioIn, like: .input)
        let images = priced(usage.imageIn, .imageIn, like: .input)
        // Which part of them came from the cache is not among the counts.
        if fromCache > 0, sound > 0 { throw Gap(reason: "how much of the audio was cached is not known") }
        if fromCache > 0, images > 0 { throw Gap(reason: "how much of the images was cached is not known") }
        try add(uncached - sound - images + (isWithoutCache ? fromCache : 0), .input)
        try add(sound, .audioIn)
        try add(images, .imageIn)
        if isWithoutCache { return }
        try add(Self.wide(usage.cacheRead), .cached)
        try takeWrites()
    }

    /// What of the tokens costs other than the rest of them; nothing, if it has the same price.
    private func priced(_ count: Int64?, _ unit: PriceUnit, like rest: PriceUnit) -> Int128 {
        guard let count, count != 0, row.prices[unit] == nil || row.prices[unit] != row.prices[rest] else { return 0 }
        return Int128(count)
    }

    private mutating func takeWrites() throws(Gap) {
        for (said, tokens) in usage.cacheWrites where tokens != 0 {
            if row.prices[.write] != nil {
                // To this seller lifetimes are all the same.
                try add(Int128(tokens), .write)
            } else if let seconds = said ?? facts.cacheLifetime {
                let unit = PriceUnit.lifetimes.first { $0.seconds == seconds }?.unit
                guard let unit, row.prices[unit] != nil else {
                    let name = unit.map { $0.rawValue.dropFirst("write_".count) } ?? "\(seconds) s"
                    throw Gap(reason: "no price for cache writes of \(name)")
                }
                try add(Int128(tokens), unit)
            } else {
                let first = PriceUnit.lifetimes.first { row.prices[$0.unit] != nil }?.unit
                try add(Int128(tokens), first ?? .write, named: "cache writes")
            }
        }
    }

    private mutating func takeOutput() throws(Gap) {
        guard let output = usage.outputTotal else {
            guard facts.usageState != .reported || isFree(.output) else {
                throw Gap(reason: "the output was not reported")
            }
            return
        }
        let sound = priced(usage.audioOut, .audioOut, like: .output)
        let images = priced(usage.imageOut, .imageOut, like: .output)
        // Reasoning is output, and costs the same where no price of its own says otherwise.
        let reasoning = row.prices[.reasoning] == nil ? 0 : Self.wide(usage.reasoning)
        try add(Int128(output) - sound - images - reasoning, .output)
        try add(sound, .audioOut)
        try add(images, .imageOut)
        try add(reasoning, .reasoning)
    }

    private mutating func takeSound() throws(Gap) {
        guard row.prices[.audioHour] != nil else {
            guard usage.seconds ?? 0 == 0 else { throw Gap(reason: "no price for audio_hour") }
            return
        }
        guard let seconds = usage.seconds else { throw Gap(reason: "the duration was not reported") }
        guard seconds >= 0, seconds < 1e9 else { throw Self.tooMuch }
        let microseconds = Int128((seconds * 1e6).rounded())
        let least = Int128(row.leastSeconds ?? 0) * 1_000_000
        try add(microseconds == 0 ? 0 : max(microseconds, least), .audioHour)
    }

    private mutating func takeCalls() throws(Gap) {
        for call in usage.other {
            switch call.name {
            case "web_search_requests": try add(Int128(call.count), .webSearch)
            case "web_fetch_requests": try add(Int128(call.count), .webFetch)
            default: break
            }
        }
        for call in facts.calls where call.count != 0 {
            guard let unit = PriceUnit(rawValue: call.name) else { throw Gap(reason: "no price for \(call.name)") }
            try add(Int128(call.count), unit)
        }
        if row.prices[.request] != nil {
            if facts.isSum { throw Gap(reason: "how many answers there were is not known") }
            try add(1, .request)
        }
        if let unit = row.uncounted { throw Gap(reason: "\(unit.rawValue) has a price and is not reported") }
    }
}
