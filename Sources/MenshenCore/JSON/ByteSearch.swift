// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Several bytes a step: prompts are long runs without the bytes that matter.
enum ByteSearch {
    /// The high bit of each byte of `word` that is `byte`. Above the lowest of them others may be set too (a borrow), so
    /// only that one counts: `trailingZeroBitCount >> 3` is its place.
    static func marks(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        let difference = word ^ (0x0101_0101_0101_0101 &* UInt64(byte))
        return (difference &- 0x0101_0101_0101_0101) & ~difference & 0x8080_8080_8080_8080
    }

    /// The high bit of each byte of `word` below `bound`, which is at most 128; of these too only the lowest counts.
    static func marks(_ word: UInt64, below bound: UInt8) -> UInt64 {
        (word &- 0x0101_0101_0101_0101 &* UInt64(bound)) & ~word & 0x8080_8080_8080_8080
    }

    /// Whether the byte stands in a text, whose own iterator takes some thirty instructions a byte.
    static func occurs(_ byte: UInt8, in text: String) -> Bool {
        let bytes = text.utf8.span
        for index in bytes.indices where bytes[index] == byte { return true }
        return false
    }

    /// The first quote or backslash from `start` on, or the end. Sixteen bytes a step: prompts are little else.
    static func quoteOrBackslash(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        let count = bytes.count
        let raw = unsafe bytes.bytes
        while index &+ 16 <= count {
            // SAFETY: every bit pattern is a UInt64, and the loads check their bounds.
            let first = unsafe raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            let second = unsafe raw.unsafeLoadUnaligned(fromByteOffset: index &+ 8, as: UInt64.self)
            let marks = quoteOrBackslash(first)
            if marks | quoteOrBackslash(second) != 0 {
                if marks != 0 { return index &+ marks.trailingZeroBitCount >> 3 }
                return index &+ 8 &+ quoteOrBackslash(second).trailingZeroBitCount >> 3
            }
            index &+= 16
        }
        while index < count, bytes[index] != 0x22, bytes[index] != 0x5C { index &+= 1 }
        return index
    }

    /// Where the second of two bytes that stand side by side is; nil if they stand nowhere from `start` on.
    static func second(of first: UInt8, _ second: UInt8, in bytes: Span<UInt8>, from start: Int) -> Int? {
        var index = max(start, 0) &+ 1
        let raw = unsafe bytes.bytes
        while index &+ 8 <= bytes.count {
            // SAFETY: every bit pattern is a UInt64, and the loads check their bounds.
            let left = unsafe raw.unsafeLoadUnaligned(fromByteOffset: index &- 1, as: UInt64.self)
            let right = unsafe raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            var marks = marks(left, first) & marks(right, second)
            // Those above the lowest of either may be wrong.
            while marks != 0 {
                let place = index &+ marks.trailingZeroBitCount >> 3
                if bytes[place] == second, bytes[place &- 1] == first { return place }
                marks &= marks &- 1
            }
            index &+= 8
        }
        while index < bytes.count {
            if bytes[index] == second, bytes[index &- 1] == first { return index }
            index &+= 1
        }
        return nil
    }

    private static func quoteOrBackslash(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let (quote, backslash) = (word ^ (ones &* 0x22), word ^ (ones &* 0x5C))
        return ((quote &- ones) & ~quote | (backslash &- ones) & ~backslash) & 0x8080_8080_8080_8080
    }

    /// Where the plain run of a JSON string that goes on at `start` ends: at a quote, a backslash, a control byte, or
    /// at `limit`.
    static func endOfPlain(_ bytes: Span<UInt8>, from start: Int, limit: Int) -> Int {
        var index = start
        let raw = unsafe bytes.bytes
        while index < limit, index &+ 8 <= bytes.count {
            // SAFETY: every bit pattern is a UInt64, and the load checks its bounds.
            let word = unsafe raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            let marks = marks(word, 0x22) | marks(word, 0x5C) | marks(word, below: 0x20)
            if marks != 0 { return min(limit, index &+ marks.trailingZeroBitCount >> 3) }
            index &+= 8
        }
        while index < limit, bytes[index] != 0x22, bytes[index] != 0x5C, bytes[index] >= 0x20 { index &+= 1 }
        return min(limit, index)
    }

    /// The first eight bytes of a text, first byte lowest, zeros after its end.
    static func head(_ bytes: Span<UInt8>) -> UInt64 {
        // SAFETY: every bit pattern is a UInt64, and the load checks its bounds.
        if bytes.count >= 8 { return unsafe bytes.bytes.unsafeLoadUnaligned(as: UInt64.self) }
        var word: UInt64 = 0
        for index in 0..<min(8, bytes.count) { word |= UInt64(bytes[index]) << (UInt64(index) &* 8) }
        return word
    }

    /// A byte of a short text that is kept in a word, first byte lowest.
    static func byte(_ word: UInt64, _ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: word >> (UInt64(index) &* 8)) }
}
