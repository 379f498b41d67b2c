// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What an answer cost, in the provider's own numbers brought to one form. nil: not reported. Tokens unless said otherwise.
package struct Usage: Sendable, Equatable {
    /// All input, cached and written to the cache included.
    package var inputTotal: Int64?
    /// Input that was neither read from nor written to a cache.
    package var inputUncached: Int64?
    package var cacheRead: Int64?
    /// Input that was written to a cache, for however long.
    package var cacheWrite: Int64?
    /// All output, reasoning included.
    package var outputTotal: Int64?
    package var reasoning: Int64?
    /// Parts of the totals.
    package var audioIn: Int64?
    package var audioOut: Int64?
    package var imageIn: Int64?
    package var imageOut: Int64?
    /// Of audio, where the provider charges by duration.
    package var seconds: Double?
    /// Counts of one provider alone, under its own names.
    package var other: [Extra] = []
    /// What few answers report: `lifetimes`, `statedCost`, `speed`, `inferenceGeo`.
    var box: Box?
    /// The provider's JSON; an array of two where a stream reports in two parts.
    package var raw: [UInt8] = []

    package struct Extra: Sendable, Equatable {
        package let name: String
        package var count: Int64

        package init(name: String, count: Int64) {
            self.name = name
            self.count = count
        }

        /// A JSON object of several; nil if there are none.
        package static func json(_ extras: [Extra]) -> String? {
            if extras.isEmpty { return nil }
            return "{" + extras.map { "\"\($0.name)\":\($0.count)" }.joined(separator: ",") + "}"
        }

        /// What `json` has made.
        package static func read(json: String) -> [Extra] {
            json.dropFirst().dropLast().split(separator: ",").compactMap { part in
                let halves = part.split(separator: ":", maxSplits: 1)
                guard halves.count == 2, let count = Int64(halves[1]) else { return nil }
                return Extra(name: String(halves[0].dropFirst().dropLast()), count: count)
            }
        }
    }

    package init() {}

    /// What the database calls them, in the order of `counts`.
    package static let countNames: [StaticString] = [
        "input_total", "input_uncached", "cache_read", "cache_write", "output_total", "reasoning", "audio_in",
        "audio_out", "image_in", "image_out",
    ]

    package static let counts: [any WritableKeyPath<Usage, Int64?> & Sendable] = [
        \.inputTotal, \.inputUncached, \.cacheRead, \.cacheWrite, \.outputTotal, \.reasoning, \.audioIn,
        \.audioOut, \.imageIn, \.imageOut,
    ]

    /// Something was reported.
    package var isCounted: Bool {
        seconds != nil || statedCost != nil || !other.isEmpty || Self.counts.contains { self[keyPath: $0] != nil }
    }

    /// Adds what another response used, number by number; what neither reported stays unreported, and what is too large
    /// stops at the largest number. `raw` stays.
    package mutating func add(_ part: Usage) {
        for field in Self.counts {
            if let count = part[keyPath: field] { self[keyPath: field] = Self.sum(self[keyPath: field] ?? 0, count) }
        }
        if part.box != nil {
            for write in part.lifetimes { add(write) }
            if let more = part.statedCost { statedCost = (statedCost ?? .zero) + more }
            speed = part.speed ?? speed
            inferenceGeo = part.inferenceGeo ?? inferenceGeo
        }
        if let more = part.seconds { seconds = (seconds ?? 0) + more }
        for extra in part.other {
            if let index = other.firstIndex(where: { $0.name == extra.name }) {
                other[index].count = Self.sum(other[index].count, extra.count)
            } else {
                other.append(extra)
            }
        }
    }

    static func sum(_ count: Int64, _ more: Int64) -> Int64 {
        let (sum, isOver) = count.addingReportingOverflow(more)
        return isOver ? .max : sum
    }
}

/// How far usage can be trusted. The raw values are what the database and the journal say.
package enum UsageState: String, Sendable, CaseIterable {
    /// The provider's numbers of an answer that came to its end.
    case reported
    /// The provider's numbers so far; the answer broke off or was left.
    case partial
    /// Reserved: numbers of menshen's own. Nothing produces them; usage is never guessed from text.
    case estimated
    /// It cost something and the provider did not say what.
    case unknown
    /// There is nothing to report: nothing was asked for that costs, or the provider refused.
    case none
}
