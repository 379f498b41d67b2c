// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Eight bytes a step: prompts are long runs without the bytes that matter.
enum ByteSearch {
    /// The high bit of each byte of `word` that is `byte`. Above the lowest of them others may be set too (a borrow), so
    /// only that one counts: `trailingZeroBitCount >> 3` is its place.
    static func marks(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        let difference = word ^ (0x0101_0101_0101_0101 &* UInt64(byte))
        return (difference &- 0x0101_0101_0101_0101) & ~difference & 0x8080_8080_8080_8080
    }

    /// The same for bytes below a space.
    static func controls(_ word: UInt64) -> UInt64 {
        (word &- 0x2020_2020_2020_2020) & ~word & 0x8080_8080_8080_8080
    }

    /// A byte of a short text that is kept in a word, first byte lowest.
    static func byte(_ word: UInt64, _ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: word >> (UInt64(index) &* 8)) }
}
