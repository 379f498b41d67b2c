// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSSL
internal import Synchronization

/// How connections are secured: TLS 1.2 or later, the other side verified by one choice of authorities. Workers and providers
/// share it. The authorities are read with the first connection, and after a failure with the next.
package final class TLSClient: Sendable {
    /// An SSL_CTX, which threads may share once it is made.
    // SAFETY: SSL_CTX counts its references and locks what it changes (SSL_CTX_new(3)); options are set before it is shared.
    final class Context: @unchecked Sendable {
        let pointer: OpaquePointer

        init(_ trust: Trust) throws(TLSFault) {
            guard let pointer = SSL_CTX_new(TLS_client_method()) else { throw TLSFault("no memory for TLS") }
            self.pointer = pointer
            SSL_CTX_set1_cert_store(pointer, trust.store)
            SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, cssl_verified)
            // Debian's default, whatever openssl.cnf says: keys of 112 bits of security, TLS 1.2.
            SSL_CTX_set_security_level(pointer, 2)
            guard cssl_set_minimum_version(pointer) == 1 else { throw TLSFault("OpenSSL has no TLS 1.2") }
            cssl_set_modes(pointer)
            cssl_keep_tickets(pointer) { ssl, session in
                guard let owner = cssl_owner(ssl), let session else { return 0 }
                Unmanaged<Tickets>.fromOpaque(owner).takeUnretainedValue().add(session)
                return 1
            }
        }

        deinit { SSL_CTX_free(pointer) }
    }

    private let file: String?
    private let made = Mutex<Context?>(nil)

    /// `file`: authorities in place of the system's.
    package init(file: String?) { self.file = file }

    func context() throws(TLSFault) -> Context {
        try made.withLock { made throws(TLSFault) in
            if let made { return made }
            let trust = if let file { try Trust(file: file) } else { try Trust.system() }
            let context = try Context(trust)
            made = context
            return context
        }
    }
}
