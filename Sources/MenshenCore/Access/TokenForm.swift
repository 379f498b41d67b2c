// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// The form of a token that menshen gives out: "mns_", 30 random letters and digits (178 bits), and six that check them, as in
/// GitHub's tokens: a slip of the hand is told from a token that is none, and whoever looks for leaked secrets finds it.
package enum TokenForm {
    package static let prefix = "mns_"
    private static let randomCount = 30
    private static let checkCount = 6
    private static let start = Array(prefix.utf8)
    private static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    package enum Finding: Sendable, Equatable {
        /// Another kind of text, such as a token that somebody chose.
        case foreign
        /// It begins as one of menshen's, and is none.
        case misspelt
        case wellFormed
    }

    /// A new one. `generator` must be fit for secrets.
    package static func make(using generator: inout some RandomNumberGenerator) -> [UInt8] {
        var token = start
        for _ in 0..<randomCount { token.append(digits[Int.random(in: 0..<digits.count, using: &generator)]) }
        return token + check(token[...])
    }

    package static func finding(_ shown: ArraySlice<UInt8>) -> Finding {
        guard shown.starts(with: start) else { return .foreign }
        guard shown.count == start.count + randomCount + checkCount else { return .misspelt }
        return check(shown.dropLast(checkCount)).elementsEqual(shown.suffix(checkCount)) ? .wellFormed : .misspelt
    }

    /// The CRC-32 of what stands before, in the same digits, most significant first.
    private static func check(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var sum = CRC32()
        sum.add(Array(text).span)
        var rest = Int(sum.value)
        var check: [UInt8] = []
        for _ in 0..<checkCount {
            check.append(digits[rest % digits.count])
            rest /= digits.count
        }
        return check.reversed()
    }
}
