// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A value that was found at a wanted path.
package struct JSONFinding: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// `text` is unescaped, and valid UTF-8.
        case string
        /// `text` is as written.
        case number
        case `true`, `false`, null
        /// `text` is the value as written; empty for a value that was also looked into.
        case object, array
    }

    /// Index into the paths of the scan.
    package let path: Int
    package let kind: Kind
    /// Empty if the value is longer than the scanner's limit; see `isWhole`.
    package let text: [UInt8]
    package let isWhole: Bool
    /// An object or array without members, if it was looked into.
    package var isEmpty = false
    /// Where the value stands, quotes and brackets included, in bytes from the start of the text.
    package let range: Range<Int>

    /// nil for anything but a whole string.
    package var string: String? {
        kind == .string && isWhole ? String(decoding: text, as: UTF8.self) : nil
    }

    /// nil for anything but a boolean.
    package var boolean: Bool? {
        switch kind {
        case .true: true
        case .false: false
        default: nil
        }
    }

    /// A count: not negative, below 2^53, also when written as 12.0 or 1e3. nil for anything else.
    package var count: Int64? { kind == .number && isWhole ? JSONNumber.count(text.span) : nil }
    /// nil for anything but a number a Double holds.
    package var double: Double? {
        guard kind == .number, isWhole, let value = Double(String(decoding: text, as: UTF8.self)), value.isFinite
        else { return nil }
        return value
    }
}

enum JSONNumber {
    /// JSON numbers are what JavaScript holds exactly.
    private static let limit: Int64 = 1 << 53

    static func count(_ text: Span<UInt8>) -> Int64? {
        var value: Int64 = 0
        var isPlain = text.count > 0
        for index in text.indices {
            guard case 48...57 = text[index], value < limit else {
                isPlain = false
                break
            }
            value = value * 10 + Int64(text[index] - 48)
        }
        if isPlain { return value < limit ? value : nil }
        var bytes: [UInt8] = []
        for index in text.indices { bytes.append(text[index]) }
        guard let number = Double(String(decoding: bytes, as: UTF8.self)), number >= 0, number < Double(limit),
            number.rounded(.towardZero) == number
        else { return nil }
        return Int64(number)
    }
}
