// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The limits of one configuration, by whom they concern.
package final class LimitTable: Sendable {
    package let settings: Configuration.Limits
    private let instance: Demand?
    /// In the order of the configuration's.
    private let providers: [Demand?]
    private let models: [(pattern: ModelPattern, demand: Demand)]
    /// No provider and no model has any.
    package let hasNoneOfAttempts: Bool

    package init(_ configuration: Configuration) {
        let settings = configuration.limits
        self.settings = settings
        let all = Demand(.instance, settings.instance, concurrency: settings.concurrency)
        instance = all.isEmpty ? nil : all
        providers = configuration.providers.map {
            $0.limits.isEmpty ? nil : Demand(Holder(.provider, $0.name), $0.limits)
        }
        // A pattern that stands there twice is one holder.
        var holders: [Configuration.Limits.Model] = []
        for model in settings.models {
            if let known = holders.firstIndex(where: { $0.pattern == model.pattern }) {
                holders[known].limits += model.limits
                holders[known].concurrency = [holders[known].concurrency, model.concurrency].compactMap { $0 }.min()
            } else {
                holders.append(model)
            }
        }
        models = holders.map {
            ($0.pattern, Demand(Holder(.model, $0.pattern.description), $0.limits, concurrency: $0.concurrency))
        }
        hasNoneOfAttempts = models.isEmpty && providers.allSatisfy { $0 == nil }
    }

    package var zone: ZoneRules { settings.zone }
    package var errorPause: Int64 { max(1, settings.errorPause.components.seconds) }

    package var hasModels: Bool { !models.isEmpty }

    /// Of a request, whoever answers it. `others`: of the rules by which it is let in.
    package func admission(_ token: AccessToken?, _ others: [Demand]) -> [Demand] {
        var demands: [Demand] = []
        demands.reserveCapacity(others.count + 2)
        if let token, !token.demand.isEmpty { demands.append(token.demand) }
        demands += others
        if let instance { demands.append(instance) }
        return demands
    }

    /// Of one attempt. `model`: that the provider is asked for.
    package func attempt(_ provider: Int, model: String?) -> [Demand] {
        var demands: [Demand] = []
        if let demand = providers[provider] { demands.append(demand) }
        if let model {
            for limited in models where limited.pattern.matches(model) { demands.append(limited.demand) }
        }
        return demands
    }

    /// All that the configuration itself names.
    package var all: [Demand] { [instance].compactMap { $0 } + providers.compactMap { $0 } + models.map(\.demand) }
}
