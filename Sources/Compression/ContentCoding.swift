// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// How a body is coded (RFC 9110 §8.4.1, RFC 7932, RFC 8878).
package enum ContentCoding: Sendable, Equatable, CaseIterable {
    case identity, gzip, deflate, brotli, zstd

    /// Reads a Content-Encoding value; empty is identity. nil for what cannot be decoded here: an unknown coding, and one
    /// coding upon another, which no provider sends.
    package init?(fieldValue: some Sequence<UInt8>) {
        var name: [UInt8] = []
        for byte in fieldValue where byte != 0x20 && byte != 0x09 {
            // No name that is known is longer.
            if name.count > 8 { return nil }
            name.append((65...90).contains(byte) ? byte | 0x20 : byte)
        }
        switch String(decoding: name, as: UTF8.self) {
        case "", "identity": self = .identity
        case "gzip", "x-gzip": self = .gzip
        case "deflate": self = .deflate
        case "br": self = .brotli
        case "zstd": self = .zstd
        default: return nil
        }
    }
}
