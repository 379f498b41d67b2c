// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Character classes of RFC 9110 §5.6, as one table of bits.
package enum ByteClass {
    private static let token: UInt8 = 1
    private static let value: UInt8 = 2
    private static let target: UInt8 = 4

    private static let table: [UInt8] = (0...255).map { byte -> UInt8 in
        var bits: UInt8 = 0
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: bits |= token
        default: if "!#$%&'*+-.^_`|~".utf8.contains(UInt8(byte)) { bits |= token }
        }
        // VCHAR, SP, HTAB and obs-text; no other control byte.
        if byte == 9 || (byte >= 0x20 && byte != 0x7F) { bits |= value }
        // A request target is visible ASCII; a fragment never goes on the wire.
        if byte > 0x20 && byte < 0x7F && byte != 0x23 { bits |= target }
        return bits
    }

    @inline(__always) package static func isToken(_ byte: UInt8) -> Bool { table[Int(byte)] & token != 0 }
    @inline(__always) package static func isValue(_ byte: UInt8) -> Bool { table[Int(byte)] & value != 0 }
    @inline(__always) package static func isTarget(_ byte: UInt8) -> Bool { table[Int(byte)] & target != 0 }
    @inline(__always) package static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}

extension [UInt8] {
    /// Text of a part of the bytes; bytes that are not UTF-8 become U+FFFD.
    package func text(_ range: Range<Int>) -> String { String(decoding: self[range], as: UTF8.self) }
}
