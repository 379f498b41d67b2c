// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Character classes of RFC 9110 §5.6.
package enum ByteClass {
    /// tchar, a bit for each: digits, letters and !#$%&'*+-.^_`|~
    private static let tokensBelow64: UInt64 = 0x03FF_6CFA_0000_0000
    private static let tokensFrom64: UInt64 = 0x57FF_FFFF_C7FF_FFFE

    @inline(__always) package static func isToken(_ byte: UInt8) -> Bool {
        let bits = byte < 64 ? tokensBelow64 : byte < 128 ? tokensFrom64 : 0
        return bits &>> UInt64(byte) & 1 != 0
    }

    /// VCHAR, SP, HTAB and obs-text; no other control byte.
    @inline(__always) package static func isValue(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7F || byte == 0x09
    }

    /// Visible ASCII; a fragment never goes on the wire.
    @inline(__always) package static func isTarget(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "#")
    }

    @inline(__always) package static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}

extension [UInt8] {
    /// Text of a part of the bytes; bytes that are not UTF-8 become U+FFFD.
    package func text(_ range: Range<Int>) -> String { String(decoding: self[range], as: UTF8.self) }
}
