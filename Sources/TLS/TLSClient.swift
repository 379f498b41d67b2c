// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSSL
internal import Synchronization

/// The files of a choice of certificates, all PEM.
package struct TLSFiles: Sendable, Hashable {
    /// Ours, for providers that ask for one: the certificate with what leads to its authority behind it, and its key.
    package struct Identity: Sendable, Hashable {
        package let certificate: String
        package let key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    /// In place of the system's.
    package var authorities: String?
    package var identity: Identity?
    /// Lists of revoked certificates (CRL), of the authorities that sign those of providers.
    package var revocations: String?

    package init(authorities: String? = nil, identity: Identity? = nil, revocations: String? = nil) {
        self.authorities = authorities
        self.identity = identity
        self.revocations = revocations
    }
}

/// How connections are secured: TLS 1.2 or later, with one choice of certificates. Workers and providers share it. The files are
/// read with the first connection, and after a failure with the next.
package final class TLSClient: Sendable {
    /// An SSL_CTX, which threads may share once it is made.
    // SAFETY: SSL_CTX counts its references and locks what it changes (SSL_CTX_new(3)); options are set before it is shared.
    final class Context: @unchecked Sendable {
        let pointer: OpaquePointer

        init(_ files: TLSFiles) throws(TLSFault) {
            let trust = try Trust.reading(files)
            guard let pointer = SSL_CTX_new(TLS_client_method()) else { throw TLSFault("no memory for TLS") }
            self.pointer = pointer
            SSL_CTX_set1_cert_store(pointer, trust.store)
            SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, cssl_verified)
            // Debian's default, whatever openssl.cnf says: keys of 112 bits of security, TLS 1.2.
            SSL_CTX_set_security_level(pointer, 2)
            guard cssl_set_minimum_version(pointer) == 1 else { throw TLSFault("OpenSSL has no TLS 1.2") }
            cssl_set_modes(pointer)
            SSL_CTX_set_cert_cb(pointer, cssl_asked, nil)
            if let identity = files.identity { try identity.use(in: pointer) }
            cssl_keep_tickets(pointer) { ssl, session in
                guard let owner = cssl_owner(ssl), let session else { return 0 }
                Unmanaged<Tickets>.fromOpaque(owner).takeUnretainedValue().add(session)
                return 1
            }
        }

        deinit { SSL_CTX_free(pointer) }
    }

    package let files: TLSFiles
    private let made = Mutex<Context?>(nil)

    package init(_ files: TLSFiles) { self.files = files }

    /// What is wrong with its files.
    package func check() throws(TLSFault) { _ = try context() }

    func context() throws(TLSFault) -> Context {
        try made.withLock { made throws(TLSFault) in
            if let made { return made }
            let context = try Context(files)
            made = context
            return context
        }
    }
}
