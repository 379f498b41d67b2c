// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// List prices with what `prices.toml` says in their place: what a request costs. Belongs to one thread, for it remembers what
/// it found.
package final class PriceBook {
    private struct Key: Hashable {
        let provider: String
        let model: String
    }

    /// Rows of one model; none is kept as well.
    private struct Found {
        var own: [PriceRow] = []
        var listed: [PriceRow] = []

        var isEmpty: Bool { own.isEmpty && listed.isEmpty }

        func inForce(_ variant: PriceRow.Variant?, at seconds: Int64) -> PriceRow? {
            own.inForce(variant, at: seconds) ?? listed.inForce(variant, at: seconds)
        }
    }

    /// The provider that charges nothing.
    package static let free = "free"
    /// Callers choose the names, so that there is an end to how many are kept.
    private static let mostKept = 4096

    /// Of the table and the overlay together.
    package let version: String
    private let table: PriceTable
    private let own: [Key: [PriceRow]]
    private var known: [Key: Found] = [:]
    private var ceilings: [String: PriceCeiling?] = [:]

    package init(_ overlay: PriceOverlay = PriceOverlay(), table: PriceTable = .shared) {
        self.table = table
        version = overlay.version.map { "\(table.version), prices.toml \($0)" } ?? table.version
        var own: [Key: [PriceRow]] = [:]
        for row in overlay.rows {
            for model in row.models { own[Key(provider: row.provider, model: model), default: []].append(row) }
        }
        self.own = own
    }

    /// What a request cost that began at a moment, in seconds since 1970. The answer's model is looked for first: a provider may
    /// have answered with another than was asked for. `provider`: the price provider; nil if it has none.
    package func cost(
        provider: String?, answerModel: String?, askedModel: String?, facts: PricedFacts, at seconds: Int64
    ) -> Cost {
        func unpriced(_ reason: String) -> Cost { Cost(nil, .unpriced, reason: reason, priceVersion: version) }

        if facts.usageState == .none || provider == Self.free { return .nothing }
        if let stated = facts.stated { return Cost(stated, .provider) }
        guard let usage = facts.usage, facts.usageState != .unknown else {
            return unpriced("the provider did not say what was used")
        }
        guard let provider else { return unpriced("the provider has no list of prices") }
        guard let answer = answerModel ?? askedModel else { return unpriced("no model was named") }
        var rows = found(provider, answer)
        if rows.isEmpty, let askedModel, askedModel != answer { rows = found(provider, askedModel) }
        guard !rows.isEmpty else { return unpriced("no price for \(AuditText.name(answer)) of \(provider)") }
        do throws(CostSum.Gap) {
            let variant = try Self.variant(facts)
            guard let row = rows.inForce(variant, at: seconds), !row.prices.isEmpty else {
                return unpriced(
                    variant.map { "no price for \($0.rawValue)" } ?? "no price that is in force at this time")
            }
            let money = try CostSum.money(row, usage, facts)
            return Cost(
                money, facts.usageState == .reported ? .priced : .partial, priceVersion: version,
                saved: CostSum.saved(row, usage, facts, beside: money))
        } catch {
            return unpriced(error.reason)
        }
    }

    /// How a request's cost comes about, for the arguments of `cost`; nil where it has none by these prices.
    package func statement(
        provider: String?, answerModel: String?, askedModel: String?, facts: PricedFacts, at seconds: Int64
    ) -> (row: PriceRow, parts: [CostPart])? {
        guard let provider, let usage = facts.usage, let variant = try? Self.variant(facts) else { return nil }
        for model in [answerModel, askedModel].compactMap(\.self) {
            let rows = found(provider, model)
            if rows.isEmpty { continue }
            guard let row = rows.inForce(variant, at: seconds), let parts = CostSum.parts(row, usage, facts) else {
                return nil
            }
            return (row, parts)
        }
        return nil
    }

    /// What so many tokens cost at most, whatever the model; nil if the seller has no prices. Reads all of a seller's rows once.
    package func ceiling(provider: String, input: Int64, output: Int64) -> Money? {
        if ceilings[provider] == nil {
            let rows = own.filter { $0.key.provider == provider }.flatMap(\.value) + table.rows(of: provider)
            ceilings[provider] = .some(PriceCeiling(rows))
        }
        return (ceilings[provider] ?? nil)?.money(input: input, output: output)
    }

    /// The row that says what a model costs at a moment, in seconds since 1970.
    package func row(_ provider: String, _ model: String, _ variant: PriceRow.Variant?, at seconds: Int64) -> PriceRow?
    {
        found(provider, model).inForce(variant, at: seconds)
    }

    /// All rows of a model, those of the overlay first.
    package func rows(_ provider: String, _ model: String) -> [PriceRow] {
        let found = found(provider, model)
        return found.own + found.listed
    }

    private func found(_ provider: String, _ model: String) -> Found {
        let key = Key(provider: provider, model: model)
        if let found = known[key] { return found }
        var rows = Found()
        for name in ModelName.candidates(model) {
            rows.own = own[Key(provider: provider, model: name)] ?? []
            rows.listed = table.rows(provider, name)
            if !rows.isEmpty { break }
        }
        if known.count >= Self.mostKept { known.removeAll() }
        known[key] = rows
        return rows
    }

    /// nil: the standard way. A tier that is none of the variants has no price, and least of all the standard one.
    private static func variant(_ facts: PricedFacts) throws(CostSum.Gap) -> PriceRow.Variant? {
        let tier = (facts.answerTier ?? facts.askedTier ?? "").lowercased()
        var variant = PriceRow.Variant(rawValue: tier)
        if variant == nil, !standardTiers.contains(tier) {
            throw CostSum.Gap(reason: "no price for tier '\(AuditText.name(tier))'")
        }
        switch facts.speed?.lowercased() {
        case nil, "", "standard", "normal": break
        case "fast":
            guard variant == nil || variant == .fast else {
                throw CostSum.Gap(reason: "no price for \(tier) at speed 'fast'")
            }
            variant = .fast
        case let speed?: throw CostSum.Gap(reason: "no price for speed '\(AuditText.name(speed))'")
        }
        return variant
    }

    /// "auto" asks for whatever there is; a provider that has tiers says in its answer which it was.
    private static let standardTiers: Set<String> = ["", "default", "standard", "standard_only", "auto", "on_demand"]
}
