// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What a request's price depends on, as far as it is known; nil: not said.
package struct PricedFacts: Sendable, Equatable {
    package var usage: Usage?
    package var usageState: UsageState
    /// As the answer names it, and as the request asked for it.
    package var answerTier: String?
    package var askedTier: String?
    /// Anthropic's "fast".
    package var speed: String?
    /// For how many seconds the request asked its prefix to be kept, for writes whose lifetime the answer does not say.
    package var cacheLifetime: Int64?
    /// Where the answer was made, where that costs other: Anthropic's `inference_geo`.
    package var inferenceGeo: String?
    /// Calls that are charged one by one, by the names of their units, beside those in `usage.other`.
    package var calls: [Usage.Extra] = []
    /// The usage is that of several answers, as on a WebSocket: which of them were long is not known.
    package var isSum = false
    /// What the provider says it charges.
    package var stated: Money?

    package init(usage: Usage?, usageState: UsageState) {
        self.usage = usage
        self.usageState = usageState
    }
}

extension Usage {
    /// What was written to a cache, by the seconds that it is kept; nil: not said, and so as long as the seller keeps what nobody
    /// asked for otherwise.
    var cacheWrites: [(seconds: Int64?, tokens: Int64)] {
        let known = lifetimes.reduce(0) { Self.sum($0, $1.tokens) }
        return lifetimes.map { ($0.seconds, $0.tokens) } + [(nil, max(0, (cacheWrite ?? 0) - known))]
    }
}
