// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What one model costs at one seller, from a day on, for one way of serving it. Without prices: it is not sold so any more. A
/// class: requests find it, and none copies it.
package final class PriceRow: Sendable, Equatable {
    /// Other than the standard way of serving. The raw values are what tables and `prices.toml` say.
    package enum Variant: String, Sendable, CaseIterable {
        case batch, flex, priority, fast
    }

    /// The price provider's, in `[[providers]] prices`.
    package let provider: String
    /// In lower case; the first is what `menshen prices` calls it.
    package let models: [String]
    /// nil: it always was so, as far as is known.
    package let effectiveFrom: PriceDate?
    /// nil: the standard way.
    package let variant: Variant?
    /// nil: at all hours.
    package let window: PriceWindow?
    package let prices: [PriceUnit: UnitPrice]
    /// One of them that costs something and is in no usage that menshen reads.
    let uncounted: PriceUnit?
    /// What inference in the United States costs of these prices, in percent; nil: not known.
    package let usPercent: Int?
    /// Sound counts as so many seconds at least.
    package let leastSeconds: Int?
    /// When somebody last compared it with its source.
    package let checked: PriceDate?
    package let source: String

    package init(
        provider: String, models: [String], effectiveFrom: PriceDate? = nil, variant: Variant? = nil,
        window: PriceWindow? = nil, prices: [PriceUnit: UnitPrice], usPercent: Int? = nil, leastSeconds: Int? = nil,
        checked: PriceDate?, source: String
    ) {
        self.provider = provider
        self.models = models
        self.effectiveFrom = effectiveFrom
        self.variant = variant
        self.window = window
        self.prices = prices
        uncounted = PriceUnit.allCases.first { $0.isNeverCounted && prices[$0].map { !$0.isFree } == true }
        self.usPercent = usPercent
        self.leastSeconds = leastSeconds
        self.checked = checked
        self.source = source
    }

    /// As a person has written it; text that makes no sense is a fault.
    package static func read(
        provider: String, model: String, from: String, variant: String, window: String,
        prices: [(name: String, text: String)], checked: PriceDate, source: String
    ) throws(PriceFault) -> PriceRow {
        var fields = PriceFields()
        fields.provider = provider
        fields.models = [model]
        (fields.from, fields.variant, fields.window) = (from, variant, window)
        fields.prices = prices
        (fields.checked, fields.source) = (checked.description, source)
        return try fields.row()
    }

    package static func == (one: PriceRow, other: PriceRow) -> Bool {
        one.provider == other.provider && one.models == other.models && one.effectiveFrom == other.effectiveFrom
            && one.variant == other.variant && one.window == other.window && one.prices == other.prices
            && one.usPercent == other.usPercent && one.leastSeconds == other.leastSeconds
            && one.checked == other.checked && one.source == other.source
    }

    package var model: String { models.first ?? "" }

    /// "input=3 output=15", in the order of the units.
    package var priceText: String {
        var parts = PriceUnit.allCases.compactMap { unit in prices[unit].map { "\(unit.rawValue)=\($0)" } }
        if let usPercent { parts.append("us_percent=\(usPercent)") }
        if let leastSeconds { parts.append("least_seconds=\(leastSeconds)") }
        return parts.joined(separator: " ")
    }
}

extension [PriceRow] {
    /// The row that says what a moment's requests cost, in seconds since 1970: of the latest rows that are in force, the one
    /// whose hours it is, else the one for all hours.
    func inForce(_ variant: PriceRow.Variant?, at seconds: Int64) -> PriceRow? {
        let today = PriceDate(seconds: seconds)
        var latest: PriceDate?
        for row in self where row.variant == variant {
            if let from = row.effectiveFrom, from <= today, latest.map({ $0 < from }) ?? true { latest = from }
        }
        var always: PriceRow?
        for row in self where row.variant == variant && row.effectiveFrom == latest {
            guard let window = row.window else {
                always = always ?? row
                continue
            }
            if window.contains(seconds) { return row }
        }
        return always
    }
}
