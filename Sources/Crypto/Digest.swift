// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CCrypto

/// A SHA-256 digest. Equality takes the same time wherever two digests differ, so a token cannot be guessed byte by byte.
package struct Digest: Sendable, Hashable {
    private let bytes: [UInt8]

    package init(of input: some Sequence<UInt8>) {
        let message = Array(input)
        var output = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let done = message.withUnsafeBytes {
            EVP_Digest($0.baseAddress, $0.count, &output, &length, SHA256Method.shared.method, nil)
        }
        precondition(done == 1 && length == 32, "libcrypto has no SHA-256")
        bytes = output
    }

    /// nil unless these are the 32 bytes of one.
    package init?(rawValue: [UInt8]) {
        guard rawValue.count == 32 else { return nil }
        bytes = rawValue
    }

    /// 32 bytes.
    package var rawValue: [UInt8] { bytes }

    /// Its first bytes are as good as all of them.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
    }

    package static func == (left: Digest, right: Digest) -> Bool {
        CRYPTO_memcmp(left.bytes, right.bytes, 32) == 0
    }
}

/// libcrypto's SHA-256, looked up once: EVP_sha256() has it looked up anew for each digest.
// SAFETY: an EVP_MD is immutable once fetched, and EVP_MD_fetch(3) lets threads share it.
struct SHA256Method: @unchecked Sendable {
    static let shared = SHA256Method()
    let method = EVP_MD_fetch(nil, "SHA2-256", nil)
}

/// Overwrites memory in a way the optimiser may not remove.
package func wipe(_ memory: UnsafeMutableRawBufferPointer) {
    if let start = memory.baseAddress { OPENSSL_cleanse(start, memory.count) }
}
