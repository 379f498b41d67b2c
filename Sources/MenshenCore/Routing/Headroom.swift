// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// What a provider's answers have last said of the limits of one key: how much of each is left, and until when. Only shown; nothing
/// is decided by it.
package struct Headroom: Sendable, Equatable {
    package enum Unit: String, Sendable {
        case requests, tokens
        case inputTokens = "input_tokens"
        case outputTokens = "output_tokens"
        /// A share of what a subscription allows, whatever that is counted in.
        case subscription
    }

    package struct Limit: Sendable, Equatable {
        package let unit: Unit
        /// "minute", "day", "5h", …, in the provider's word; empty if it does not say.
        package let window: String
        package fileprivate(set) var limit: Int64?
        package fileprivate(set) var remaining: Int64?
        /// In ten-thousandths of the whole.
        package fileprivate(set) var used: Int64?
        /// "allowed", "rejected", …
        package fileprivate(set) var status: String?
        /// When it begins anew: microseconds of Unix time.
        package fileprivate(set) var resetsAt: Int64?
        /// Monotonic microseconds.
        package fileprivate(set) var saidAt: UInt64
    }

    /// OpenAI has 2, Anthropic 6, gateways with windows up to 8.
    package static let maxLimits = 16

    package private(set) var limits: [Limit] = []

    package init() {}

    /// Reads an answer's head. `now`: monotonic microseconds; `wall`: microseconds of Unix time, asked for once if at all.
    package mutating func note(_ head: ResponseHead, at now: UInt64, wall: () -> UInt64) {
        var time: Int64?
        for field in head.fields where field.known == nil {
            guard let name = HeadroomField(head.bytes.span, field.name) else { continue }
            let microseconds = time ?? Int64(clamping: wall())
            time = microseconds
            guard let index = index(of: name, at: now) else { continue }
            limits[index].saidAt = now
            take(name.aspect, head.bytes, field.value, microseconds, &limits[index])
        }
    }

    /// Whether an answer speaks of limits at all.
    package static func isSaid(in head: ResponseHead) -> Bool {
        head.fields.contains { $0.known == nil && HeadroomField(head.bytes.span, $0.name) != nil }
    }

    private mutating func index(of name: HeadroomField, at now: UInt64) -> Int? {
        if let index = limits.firstIndex(where: { $0.unit == name.unit && $0.window == name.window }) { return index }
        guard limits.count < Self.maxLimits else { return nil }
        limits.append(Limit(unit: name.unit, window: name.window, saidAt: now))
        return limits.count - 1
    }

    /// What cannot be read leaves nothing behind: an older number would pass for this answer's.
    private func take(
        _ aspect: HeadroomField.Aspect, _ bytes: [UInt8], _ value: Range<Int>, _ wall: Int64, _ limit: inout Limit
    ) {
        switch aspect {
        case .limit: limit.limit = HeadroomValue.decimal(bytes[value], digits: 0)
        case .remaining: limit.remaining = HeadroomValue.decimal(bytes[value], digits: 0)
        case .utilization: limit.used = HeadroomValue.decimal(bytes[value], digits: 4)
        case .status: limit.status = HeadroomValue.word(bytes[value])
        case .reset: limit.resetsAt = HeadroomValue.reset(bytes[value], wall: wall)
        }
    }
}

/// The name of a header field that speaks of a limit: `x-ratelimit-ASPECT-UNIT[-WINDOW]`, as OpenAI, Azure, Groq, Mistral and Cerebras
/// have it, `anthropic-ratelimit-UNIT-ASPECT`, or `anthropic-ratelimit-unified-WINDOW-ASPECT`.
struct HeadroomField {
    enum Aspect: String, CaseIterable { case limit, remaining, reset, utilization, status }

    let aspect: Aspect
    let unit: Headroom.Unit
    let window: String

    /// Longer names and windows are nobody's.
    private static let maxName = 64
    private static let maxWindow = 15

    private static let aspectFirst = Array("x-ratelimit-".utf8)
    private static let unitFirst = Array("anthropic-ratelimit-".utf8)
    private static let unified = Array("unified-".utf8)
    private static let dash = UInt8(ascii: "-")

    private static let aspects = Aspect.allCases.map { (aspect: $0, bytes: Array($0.rawValue.utf8)) }
    private static let units: [(unit: Headroom.Unit, bytes: [UInt8])] = [
        (.requests, Array("requests".utf8)), (.requests, Array("req".utf8)), (.tokens, Array("tokens".utf8)),
        (.inputTokens, Array("input-tokens".utf8)), (.outputTokens, Array("output-tokens".utf8)),
    ]

    /// nil for every other field, told by its first bytes.
    init?(_ bytes: borrowing Span<UInt8>, _ name: Range<Int>) {
        guard name.count > Self.aspectFirst.count, name.count <= Self.maxName else { return nil }
        switch bytes[name.lowerBound] | 0x20 {
        case UInt8(ascii: "x"): self.init(aspectFirst: bytes, name)
        case UInt8(ascii: "a"): self.init(unitFirst: bytes, name)
        default: return nil
        }
    }

    private init?(aspectFirst bytes: borrowing Span<UInt8>, _ name: Range<Int>) {
        guard let rest = Self.rest(bytes, name, after: Self.aspectFirst) else { return nil }
        let end = Self.firstDash(bytes, rest)
        guard let aspect = Self.aspect(bytes, rest.lowerBound..<end) else { return nil }
        self.aspect = aspect
        if end == rest.upperBound {
            unit = .requests
            window = ""
            return
        }
        let what = end + 1..<rest.upperBound
        let unitEnd = Self.firstDash(bytes, what)
        guard let unit = Self.unit(bytes, what.lowerBound..<unitEnd),
            let window = unitEnd == what.upperBound ? "" : Self.window(bytes, unitEnd + 1..<what.upperBound)
        else { return nil }
        self.unit = unit
        self.window = window
    }

    private init?(unitFirst bytes: borrowing Span<UInt8>, _ name: Range<Int>) {
        guard let rest = Self.rest(bytes, name, after: Self.unitFirst) else { return nil }
        var dash = rest.upperBound - 1
        while dash > rest.lowerBound, bytes[dash] != Self.dash { dash -= 1 }
        guard dash > rest.lowerBound, let aspect = Self.aspect(bytes, dash + 1..<rest.upperBound) else { return nil }
        self.aspect = aspect
        let what = rest.lowerBound..<dash
        if let lane = Self.rest(bytes, what, after: Self.unified) {
            // "5h", "7d": the others are not windows ("overage-status").
            guard (48...57).contains(bytes[lane.lowerBound]), let window = Self.window(bytes, lane) else { return nil }
            unit = .subscription
            self.window = window
        } else {
            guard let unit = Self.unit(bytes, what) else { return nil }
            self.unit = unit
            window = ""
        }
    }

    private static func rest(
        _ bytes: borrowing Span<UInt8>, _ name: Range<Int>, after prefix: [UInt8]
    ) -> Range<Int>? {
        let end = name.lowerBound + prefix.count
        guard end < name.upperBound, bytes.equals(prefix, in: name.lowerBound..<end) else { return nil }
        return end..<name.upperBound
    }

    private static func firstDash(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> Int {
        var index = range.lowerBound
        while index < range.upperBound, bytes[index] != dash { index += 1 }
        return index
    }

    private static func aspect(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> Aspect? {
        for known in aspects where bytes.equals(known.bytes, in: range) { return known.aspect }
        return nil
    }

    private static func unit(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> Headroom.Unit? {
        for known in units where bytes.equals(known.bytes, in: range) { return known.unit }
        return nil
    }

    private static func window(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> String? {
        guard !range.isEmpty, range.count <= maxWindow else { return nil }
        return HeadroomValue.word(bytes.copy(range)[...])
    }
}
