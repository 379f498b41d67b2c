// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A request as `menshen prices cost` reads it: an object with the names of the database's columns.
package struct PricedRequest: Sendable {
    package let provider: String?
    package let model: String?
    package let askedModel: String?
    package let facts: PricedFacts
    /// Seconds since 1970.
    package let time: Int64?

    private enum Field: Int, CaseIterable {
        case provider, model, answerModel, tier, askedTier, speed, lifetime, geo, state, time, cost, seconds
        case writeTTL, webSearches, webFetches, write5m, write30m, write1h, write12h
    }

    private static let paths = JSONPaths(
        [
            "provider", "model", "answer_model", "service_tier", "asked_tier", "speed", "cache_lifetime",
            "inference_geo",
            "usage_state", "time", "cost", "seconds", "cache_write_ttl",
            "usage_other.web_search_requests", "usage_other.web_fetch_requests",
            "usage_other.cache_write_5m", "usage_other.cache_write_30m", "usage_other.cache_write_1h",
            "usage_other.cache_write_12h",
        ] + Usage.countNames)

    private static let named: [(field: Field, name: String)] = [
        (.webSearches, "web_search_requests"), (.webFetches, "web_fetch_requests"), (.write5m, "cache_write_5m"),
        (.write30m, "cache_write_30m"), (.write1h, "cache_write_1h"), (.write12h, "cache_write_12h"),
    ]

    /// nil for what is no JSON object with at least a provider.
    package init?(json line: String) {
        var scanner = JSONScanner(Self.paths)
        scanner.feed(Array(line.utf8).span)
        guard line.first == "{", line.last == "}" else { return nil }
        var texts: [Field: String] = [:]
        var numbers: [Field: JSONFinding] = [:]
        var usage = Usage()
        for finding in scanner.found {
            guard let field = Field(rawValue: finding.path) else {
                let count = Usage.counts[finding.path - Field.allCases.count]
                usage[keyPath: count] = finding.count
                continue
            }
            if let text = finding.string { texts[field] = text } else { numbers[field] = finding }
        }
        guard let provider = texts[.provider] else { return nil }
        usage.seconds = numbers[.seconds]?.double
        usage.take(
            named: Self.named.compactMap { field, name in
                numbers[field]?.count.map { Usage.Extra(name: name, count: $0) }
            }, cacheWriteTTL: numbers[.writeTTL]?.count)
        self.provider = provider
        askedModel = texts[.model]
        model = texts[.answerModel]
        time = numbers[.time]?.count
        var facts = PricedFacts(
            usage: usage.isCounted ? usage : nil,
            usageState: texts[.state].flatMap { UsageState(rawValue: $0) } ?? (usage.isCounted ? .reported : .unknown))
        facts.answerTier = texts[.tier]
        facts.askedTier = texts[.askedTier]
        facts.speed = texts[.speed]
        facts.cacheLifetime = numbers[.lifetime]?.count
        facts.inferenceGeo = texts[.geo]
        facts.stated = numbers[.cost]?.count.map { Money(picodollars: $0) }
        self.facts = facts
    }
}
