// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// Bytes of a value that is kept, and the unescaping of strings across pieces.
struct JSONText: Sendable {
    enum Outcome { case more, end, bad }

    private(set) var bytes: [UInt8] = []
    /// Bytes that most values have room in.
    private static let usual = 96
    /// More came than the limit; then nothing is kept.
    private(set) var isTooLong = false
    private var limit = 0
    /// 0: none; 1: after a backslash; 2 to 5: so many hexadecimal digits less one are to come.
    private var escape = 0
    private var unit: UInt32 = 0
    /// The first half of a surrogate pair.
    private var high: UInt32 = 0

    mutating func begin(limit: Int) {
        clear()
        if bytes.capacity == 0, limit > 0 { bytes.reserveCapacity(min(limit, Self.usual)) }
        self.limit = limit
    }

    mutating func clear() {
        if !bytes.isEmpty { bytes.removeAll(keepingCapacity: true) }
        isTooLong = false
        escape = 0
        high = 0
    }

    /// An array of its own, so that this one keeps its memory; empty if it is too long. An index of one digit stands in each
    /// chunk of a stream: it is made once.
    func copy() -> [UInt8] {
        switch (bytes.count, bytes.first) {
        case (0, _): []
        case _ where isTooLong: []
        case (1, let byte?) where 48...57 ~= byte: Self.digits[Int(byte &- 48)]
        default: bytes.span.copy(bytes.indices)
        }
    }

    private static let digits: [[UInt8]] = (48...57).map { [$0] }

    mutating func append(_ byte: UInt8) {
        if bytes.count < limit { bytes.append(byte) } else { isTooLong = true }
    }

    mutating func append(_ run: Span<UInt8>) {
        guard bytes.count + run.count <= limit else { return isTooLong = true }
        bytes.append(run, run.indices)
    }

    /// Takes the rest of a string up to its quote.
    mutating func take(_ input: Span<UInt8>, _ index: inout Int) -> Outcome {
        while index < input.count {
            switch escape {
            case 0:
                let begin = index
                index = ByteSearch.endOfPlain(input, from: index, limit: input.count)
                if index > begin {
                    endPair()
                    append(input.extracting(begin..<index))
                }
                guard index < input.count else { return .more }
                if input[index] < 0x20 { return .bad }
                index &+= 1
                if input[index &- 1] == 0x22 {
                    endPair()
                    return .end
                }
                escape = 1
            case 1:
                let byte = input[index]
                index &+= 1
                if byte == UInt8(ascii: "u") {
                    escape = 5
                    unit = 0
                    continue
                }
                guard let plain = Self.plain(byte) else { return .bad }
                endPair()
                append(plain)
                escape = 0
            default:
                guard let digit = Self.digit(input[index]) else { return .bad }
                index &+= 1
                unit = unit << 4 | digit
                escape &-= 1
                if escape == 1 {
                    takeUnit()
                    escape = 0
                }
            }
        }
        return .more
    }

    private mutating func takeUnit() {
        if high != 0, 0xDC00..<0xE000 ~= unit {
            append(scalar: 0x10000 + ((high - 0xD800) << 10 | (unit - 0xDC00)))
            high = 0
            return
        }
        endPair()
        if 0xD800..<0xDC00 ~= unit { high = unit } else { append(scalar: unit) }
    }

    /// Half a pair without its other half.
    private mutating func endPair() {
        guard high != 0 else { return }
        high = 0
        append(scalar: 0xFFFD)
    }

    private mutating func append(scalar: UInt32) {
        for byte in String(Unicode.Scalar(scalar) ?? "\u{FFFD}").utf8 { append(byte) }
    }

    static func plain(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x22, 0x5C, UInt8(ascii: "/"): byte
        case UInt8(ascii: "b"): 8
        case UInt8(ascii: "f"): 12
        case UInt8(ascii: "n"): 10
        case UInt8(ascii: "r"): 13
        case UInt8(ascii: "t"): 9
        default: nil
        }
    }

    static func digit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 48...57: UInt32(byte - 48)
        case 65...70: UInt32(byte - 55)
        case 97...102: UInt32(byte - 87)
        default: nil
        }
    }
}
