// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// The checksum of zip and Ethernet (polynomial 0xEDB88320), of bytes that come in pieces.
struct CRC32: Sendable {
    private var register: UInt32 = .max

    var value: UInt32 { ~register }

    mutating func add(_ bytes: Span<UInt8>) {
        var register = register
        let table = Self.table
        for index in bytes.indices {
            register = register &>> 8 ^ table[Int((register ^ UInt32(bytes[index])) & 0xFF)]
        }
        self.register = register
    }

    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { rest, _ in rest & 1 == 0 ? rest &>> 1 : rest &>> 1 ^ 0xEDB8_8320 }
    }
}
