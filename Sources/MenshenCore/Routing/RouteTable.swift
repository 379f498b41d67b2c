// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// All providers, and which of them a request goes to.
package struct RouteTable: Sendable {
    package let providers: [Provider]
    package let names: Set<String>

    package init(providers: [Provider]) {
        self.providers = providers
        names = Set(providers.map(\.name))
    }

    /// Index of the provider for a request. Named ones win; else those of the dialect's kind, else all. Among several the
    /// choice is weighted: `draw` is uniform in 0..<1.
    package func choose(_ target: RequestTarget, _ dialect: Dialect, draw: Double) throws(Problem) -> Int {
        if let name = target.providerName, let index = providers.firstIndex(where: { $0.name == name }) {
            if providers[index].weight > 0 { return index }
            throw Problem(.noProvider, status: 503, "Provider '\(name)' is switched off (weight = 0).")
        }
        let enabled = providers.indices.filter { providers[$0].weight > 0 }
        let native = enabled.filter { providers[$0].kind.rawValue == dialect.rawValue }
        let fitting = native.isEmpty ? enabled : native
        let total = fitting.reduce(0) { $0 + providers[$1].weight }
        var rest = Int(draw * Double(total))
        for index in fitting {
            rest -= providers[index].weight
            if rest < 0 { return index }
        }
        throw Problem(
            .noProvider, status: 503, "No provider is configured for this request. See 'menshen config check'.")
    }
}
