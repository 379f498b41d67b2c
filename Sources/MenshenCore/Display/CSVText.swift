// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension [UInt8] {
    /// A field of CSV (RFC 4180), in quotes where its text needs them.
    package mutating func append(csv text: String) {
        guard text.utf8.contains(where: { $0 == 34 || $0 == 44 || $0 == 10 || $0 == 13 }) else {
            append(contentsOf: text.utf8)
            return
        }
        append(34)
        for byte in text.utf8 {
            if byte == 34 { append(34) }
            append(byte)
        }
        append(34)
    }
}
