// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The value of Host (RFC 9110 §7.2): a name or an address, and a port. Empty is allowed, a user is not.
enum HostField {
    static func isValid(_ bytes: borrowing Span<UInt8>, _ value: Range<Int>) -> Bool {
        var index = value.lowerBound
        let end = value.upperBound
        if index < end, bytes[index] == UInt8(ascii: "[") {
            index += 1
            while index < end, isAddress(bytes[index]) { index += 1 }
            guard index < end, bytes[index] == UInt8(ascii: "]") else { return false }
            index += 1
        } else {
            while index < end, isName(bytes[index]) { index += 1 }
        }
        if index == end { return true }
        guard bytes[index] == UInt8(ascii: ":") else { return false }
        index += 1
        while index < end, 48...57 ~= bytes[index] { index += 1 }
        return index == end
    }

    /// RFC 3986 §3.2.2: unreserved, percent-encoded, sub-delims.
    private static func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"),
            UInt8(ascii: "%"), UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&")...UInt8(ascii: ","),
            UInt8(ascii: ";"), UInt8(ascii: "="):
            true
        default: false
        }
    }

    private static func isAddress(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ":") || isName(byte) }
}
