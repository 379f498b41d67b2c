// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A request that has ended, on its way to a receiver of telemetry.
package struct SettledRequest: Sendable {
    package private(set) var settlement: AuditSettlement
    /// Of the caller, if it said one.
    package let parent: TraceContext?

    /// Without the bodies unless `withContent`.
    package init(_ settlement: AuditSettlement, parent: TraceContext?, withContent: Bool) {
        self.settlement = settlement
        self.parent = parent
        if withContent { return }
        self.settlement.requestBody = nil
        self.settlement.responseBody = nil
    }

    /// Bytes that it holds besides what every request has.
    package var weight: Int { (settlement.requestBody?.count ?? 0) + (settlement.responseBody?.count ?? 0) }
}

/// A provider as its spans name it.
package struct ProviderPlace: Sendable, Equatable {
    let name: String?
    let address: String
    let port: Int64

    package init(_ provider: Provider) {
        let url = provider.baseURL
        name = GenAINames.provider(prices: provider.prices, kind: provider.kind)
        address = url.socketPath ?? String(url.host)
        port = url.port.flatMap { Int64($0) } ?? (url.isTLS ? 443 : 80)
        isSocket = url.socketPath != nil
    }

    /// A Unix socket has no port.
    let isSocket: Bool
}

/// Makes the spans and the record of requests. Ids come from `generator`.
package struct TelemetryWriter {
    /// Spans of attempts that a request may have; of more the last ones are shown.
    package static let longestWalk = 16

    private let places: [String: ProviderPlace]
    private let sampler: TraceSampler
    /// Of requests that are sampled.
    package private(set) var spans: [OTLPMessage.Value] = []
    /// Of all.
    package private(set) var records: [OTLPMessage.Value] = []

    package init(_ places: [String: ProviderPlace], _ sampler: TraceSampler) {
        self.places = places
        self.sampler = sampler
    }

    package mutating func add(_ request: SettledRequest, using generator: inout some RandomNumberGenerator) {
        let trace =
            request.parent?.traceID
            ?? Self.bytes(of: UInt64.random(in: 1 ... .max, using: &generator))
            + Self.bytes(of: UInt64.random(in: 1 ... .max, using: &generator))
        let own = Self.bytes(of: UInt64.random(in: 1 ... .max, using: &generator))
        let isSampled = sampler.takes(trace, parent: request.parent)
        let story = SpanStory(request, places)
        if isSampled {
            spans.append(.message(story.server(trace, own)))
            let attempts = request.settlement.attempts
            for index in attempts.indices.suffix(Self.longestWalk) {
                let id = Self.bytes(of: UInt64.random(in: 1 ... .max, using: &generator))
                spans.append(.message(story.client(index, trace, id, parent: own)))
            }
        }
        records.append(.message(story.record(trace, own, isSampled: isSampled)))
    }

    private static func bytes(of value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) }
    }
}
