// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Secrets that are masked together in whatever is kept. Most texts hold none of them, and finding that out costs about the
/// same whatever their number.
package final class SecretSet: Sendable, ExpressibleByArrayLiteral, CustomReflectable {
    package let members: [Secret]
    /// Those that are looked for.
    private let sought: [Secret]
    /// Of them; no text below that holds any.
    private let shortest: Int
    /// By two neighbouring bytes of a text: how much further the next place may be at which one of them has its first
    /// `shortest` bytes (Wu and Manber, "A fast algorithm for multi-pattern searching", 1994).
    private let shifts: [UInt8]

    /// What is shorter stands in other words as well.
    private static let shortestMasked = 4

    package init(_ members: [Secret]) {
        self.members = members
        sought = members.filter { $0.count >= Self.shortestMasked }
        shortest = sought.map(\.count).min() ?? .max
        guard !sought.isEmpty else {
            shifts = []
            return
        }
        let last = shortest - 1
        var shifts = [UInt8](repeating: UInt8(clamping: last), count: Self.pairs)
        for secret in sought {
            for index in 1...last {
                let pair = Self.pair(secret[index - 1], secret[index])
                shifts[pair] = min(shifts[pair], UInt8(clamping: last - index))
            }
        }
        self.shifts = shifts
    }

    private static let pairs = 1 << 12

    /// Some pairs share a number; that only makes steps shorter.
    private static func pair(_ first: UInt8, _ second: UInt8) -> Int { (Int(first) << 5 ^ Int(second)) & (pairs - 1) }

    package convenience init(arrayLiteral members: Secret...) { self.init(members) }

    package func adding(_ secret: Secret) -> SecretSet {
        members.contains { $0 === secret } ? self : SecretSet(members + [secret])
    }

    /// Whether one of them stands anywhere in `text`, as `mask` would find it.
    package func occurs(in text: Span<UInt8>) -> Bool { find(in: text, from: 0) != nil }

    /// The first of the longest that begins at `start` or later.
    private func find(in text: Span<UInt8>, from start: Int) -> Range<Int>? {
        if text.count < shortest { return nil }
        let shifts = shifts
        var end = start &+ shortest &- 1
        while end < text.count {
            let shift = Int(shifts[Self.pair(text[end &- 1], text[end])])
            if shift > 0 {
                end &+= shift
                continue
            }
            let begin = end &- shortest &+ 1
            let length = sought.reduce(0) { max($0, $1.stands(in: text, at: begin) ? $1.count : 0) }
            if length > 0 { return begin..<begin + length }
            end &+= 1
        }
        return nil
    }

    /// Overwrites every place of them in `text` with asterisks.
    package func mask(in text: inout [UInt8]) {
        guard var place = find(in: text.span, from: 0) else { return }
        // One may begin within another.
        let original = text
        while true {
            for index in place { text[index] = UInt8(ascii: "*") }
            guard let next = find(in: original.span, from: place.lowerBound + 1) else { return }
            place = next
        }
    }

    /// Overwrites the end of a text that was cut off within one of them.
    package func maskBeginning(atEndOf text: inout [UInt8]) {
        let count = sought.map { $0.beginning(atEndOf: text) }.max() ?? 0
        for place in text.count - count..<text.count { text[place] = UInt8(ascii: "*") }
    }

    /// The text with every place of them overwritten.
    package func masked(_ text: String?) -> String? {
        guard let text, text.utf8.count >= shortest, occurs(in: text.utf8.span) else { return text }
        var masked = Array(text.utf8)
        mask(in: &masked)
        return String(decoding: masked, as: UTF8.self)
    }

    package func masked(_ text: String) -> String { masked(Optional(text)) ?? text }

    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}
