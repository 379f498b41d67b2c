// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CCrypto

/// SHA-256 of many short messages, one after another, without a context and an array for each. Belongs to one thread.
package final class DigestMachine {
    package static let count = 32

    private let context: OpaquePointer

    package init() {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("no memory for a digest") }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Calls `use` with the 32 bytes.
    package func digest(of message: UnsafeRawBufferPointer, _ use: (UnsafeRawBufferPointer) -> Void) {
        withUnsafeTemporaryAllocation(byteCount: Self.count, alignment: 8) { output in
            let done =
                EVP_DigestInit_ex(context, SHA256Method.shared.method, nil) == 1
                && EVP_DigestUpdate(context, message.baseAddress, message.count) == 1
                && EVP_DigestFinal_ex(context, output.baseAddress, nil) == 1
            precondition(done, "libcrypto has no SHA-256")
            use(UnsafeRawBufferPointer(output))
        }
    }
}
