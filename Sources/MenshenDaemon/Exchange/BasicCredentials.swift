// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
internal import HTTP
internal import MenshenCore

/// User and password of menshen's own pages (RFC 7617).
enum BasicCredentials {
    static func match(_ head: RequestHead, user: String?, password: Secret) -> Bool {
        guard let encoded = TokenGate.basicCredential(head), let decoded = Base64.decode(encoded),
            let colon = decoded.firstIndex(of: UInt8(ascii: ":"))
        else { return false }
        // Both are compared, whatever the first says, so the time tells nothing.
        let isUser = Digest(of: decoded[..<colon]) == Digest(of: (user ?? "").utf8)
        let isPassword = Digest(of: decoded[(colon + 1)...]) == password.digest
        return isUser && isPassword
    }
}
