// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CCrypto

/// RFC 2104 with SHA-256.
package enum HMACSHA256 {
    /// 32 bytes.
    package static func code(of message: [UInt8], key: [UInt8]) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let done = HMAC(
            SHA256Method.shared.method, key, Int32(clamping: key.count), message, message.count, &code, &length)
        precondition(done != nil && length == 32, "libcrypto has no HMAC with SHA-256")
        return code
    }
}
