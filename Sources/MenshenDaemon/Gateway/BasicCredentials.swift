// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
internal import HTTP
internal import MenshenCore

/// User and password of the status page (RFC 7617).
enum BasicCredentials {
    static func match(_ head: RequestHead, user: String?, password: Digest) -> Bool {
        guard let encoded = TokenGate.basicCredential(head), let decoded = Base64.decode(encoded),
            let colon = decoded.firstIndex(of: UInt8(ascii: ":"))
        else { return false }
        // Both are compared, whatever the first says, so the time tells nothing.
        let isUser = Digest(of: decoded[..<colon]) == Digest(of: (user ?? "").utf8)
        let isPassword = Digest(of: decoded[(colon + 1)...]) == password
        return isUser && isPassword
    }
}

/// RFC 4648 §4, for one header field; FoundationEssentials has it, but nothing else here needs that.
enum Base64 {
    static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var output: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        var body = text
        while body.last == UInt8(ascii: "=") { body = body.dropLast() }
        for byte in body {
            guard let value = sextet(byte) else { return nil }
            bits = bits << 6 | value
            count += 6
            if count >= 8 {
                count -= 8
                output.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return output
    }

    private static func sextet(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 65...90: UInt32(byte) - 65
        case 97...122: UInt32(byte) - 71
        case 48...57: UInt32(byte) + 4
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
