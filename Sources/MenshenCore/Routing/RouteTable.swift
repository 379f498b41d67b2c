// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// All providers, and which of them a request may go to.
package struct RouteTable: Sendable {
    package let providers: [Provider]
    package let names: Set<String>
    private let dialects: Set<Dialect>
    /// Only then does the choice have to wait for the request's model.
    private let dependsOnModel: Bool
    /// Else the configuration's order is that of priorities.
    private let hasPriorities: Bool
    /// Whether any provider may be asked for another model than the caller's.
    package let replacesModels: Bool
    /// Providers whose key's source may have another key by now.
    package let rereadable: Set<Int>

    /// Whether a provider may get a request, or why not.
    package enum Fit: Sendable, Equatable {
        case fits
        /// Asked for by `/NAME/…`, as no other is.
        case named
        case otherNamed
        case switchedOff
        /// It has another dialect, and somebody has this one.
        case otherDialect
        /// Its `models` do not have the request's.
        case otherModel
        /// The model is an alias that others have.
        case noAlias
    }

    package init(providers: [Provider]) {
        self.providers = providers
        names = Set(providers.map(\.name))
        dialects = Set(
            Dialect.allCases.filter { dialect in providers.contains { $0.turn.weight > 0 && $0.speaks(dialect) } })
        rereadable = Set(providers.indices.filter { providers[$0].key.mayBeReread })
        hasPriorities = Set(providers.map(\.turn.priority)).count > 1
        replacesModels = providers.contains { $0.model != nil || !$0.aliases.isEmpty }
        dependsOnModel = providers.contains { !$0.models.isEmpty || !$0.aliases.isEmpty }
    }

    /// `dialect`, or the common one if several are spoken and this one is not.
    package func spoken(_ dialect: Dialect) -> Dialect {
        if dialects.count < 2 || dialects.contains(dialect) || !dialects.contains(.common) { return dialect }
        return .common
    }

    /// One verdict a provider. nil for `model`: the request names none, or it is not known yet; it then fits every list.
    package func judge(_ target: RequestTarget, _ dialect: Dialect, model: String?) -> [Fit] {
        if let name = target.providerName {
            return providers.map { $0.name != name ? .otherNamed : $0.turn.weight > 0 ? .named : .switchedOff }
        }
        let hasNative = providers.contains { $0.turn.weight > 0 && $0.speaks(dialect) }
        let isAlias =
            model.map { model in
                providers.contains {
                    $0.turn.weight > 0 && (!hasNative || $0.speaks(dialect)) && $0.aliases[model] != nil
                }
            } ?? false
        return providers.map { provider in
            if provider.turn.weight == 0 { return .switchedOff }
            if hasNative, !provider.speaks(dialect) { return .otherDialect }
            guard let model else { return .fits }
            if isAlias { return provider.aliases[model] != nil ? .fits : .noAlias }
            return provider.offers(model) ? .fits : .otherModel
        }
    }

    /// Indices of the providers that may get the request, in configuration order.
    package func fitting(_ target: RequestTarget, _ dialect: Dialect, model: String?) throws(Problem) -> [Int] {
        if providers.count == 1, !dependsOnModel, target.providerName == nil, providers[0].turn.weight > 0 {
            return [0]
        }
        let fits = judge(target, dialect, model: model)
        let indices = fits.indices.filter { fits[$0] == .fits || fits[$0] == .named }
        if !indices.isEmpty { return indices }
        if let name = target.providerName, names.contains(name) {
            throw Problem(.noProvider, status: 503, "Provider '\(name)' is switched off (weight = 0).")
        }
        if let model, fits.contains(.otherModel) {
            throw Problem(
                .modelNotRouted, status: 404,
                "No provider is configured for the model '\(model)'. See providers[].models, and 'menshen route --explain'."
            )
        }
        throw Problem(
            .noProvider, status: 503, "No provider is configured for this request. See 'menshen config check'.")
    }

    /// The order in which providers are tried: the first drawn by weight among those of `available` that have the smallest
    /// priority, then the others by priority, else in configuration order. `draw` is uniform in 0..<1.
    package func order(_ fitting: [Int], available: [Int], draw: Double) -> [Int] {
        if fitting.count == 1 { return fitting }
        var pool = available.isEmpty ? fitting : available
        if hasPriorities {
            let smallest = pool.reduce(Int.max) { min($0, providers[$1].turn.priority) }
            pool.removeAll { providers[$0].turn.priority != smallest }
        }
        let total = pool.reduce(0) { $0 + providers[$1].turn.weight }
        var rest = Int(draw * Double(total))
        let first =
            pool.first { index in
                rest -= providers[index].turn.weight
                return rest < 0
            } ?? pool[pool.count - 1]
        let others = fitting.filter { $0 != first }
        return [first] + (hasPriorities ? byPriority(others) : others)
    }
}

extension RouteTable {
    /// The smallest first; those of one priority keep their order.
    func byPriority(_ indices: [Int]) -> [Int] {
        indices.enumerated().sorted {
            (providers[$0.element].turn.priority, $0.offset) < (providers[$1.element].turn.priority, $1.offset)
        }.map(\.element)
    }
}

extension Provider {
    func speaks(_ dialect: Dialect) -> Bool { kind == dialect }

    /// Which requests it gets, or what it is asked for, depends on their model. `isNamed`: by the path, and `models` do not
    /// count then.
    package func hasModelRule(isNamed: Bool) -> Bool { !isNamed && !models.isEmpty || model != nil || !aliases.isEmpty }

    /// Without a list it is taken to have every model.
    func offers(_ model: String) -> Bool { models.isEmpty || models.contains { $0.matches(model) } }

    /// What is asked of it in place of `model`; nil if that stays.
    package func replacement(for model: String?) -> String? {
        let wanted = self.model ?? model.flatMap { aliases[$0] }
        return wanted == model ? nil : wanted
    }
}
