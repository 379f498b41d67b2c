// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSSL
internal import Glibc

/// An authority that signs certificates for servers of tests.
// SAFETY: keys and certificates are not changed once they are made.
package final class TestAuthority: @unchecked Sendable {
    /// A certificate with its key.
    // SAFETY: as above.
    package final class Identity: @unchecked Sendable {
        let certificate: OpaquePointer
        let key: OpaquePointer

        init(_ certificate: OpaquePointer, _ key: OpaquePointer) {
            self.certificate = certificate
            self.key = key
        }

        deinit {
            X509_free(certificate)
            EVP_PKEY_free(key)
        }

        /// As PEM; the key encrypted with a passphrase if there is one.
        package func write(certificate path: String? = nil, key keyPath: String? = nil, passphrase: String? = nil)
            throws
        {
            if let path { try TestAuthority.write(path) { PEM_write_bio_X509($0, certificate) } }
            guard let keyPath else { return }
            try TestAuthority.write(keyPath) { file in
                guard let passphrase else { return PEM_write_bio_PrivateKey(file, key, nil, nil, 0, nil, nil) }
                var bytes = Array(passphrase.utf8)
                return PEM_write_bio_PrivateKey(file, key, EVP_aes_128_cbc(), &bytes, Int32(bytes.count), nil, nil)
            }
            guard chmod(keyPath, 0o600) == 0 else { throw TestFailure("no mode of \(keyPath)") }
        }
    }

    private let own: Identity
    private static let day = 86_400

    package init(_ name: String = "menshen's test authority") throws {
        let key = try Self.makeKey()
        let certificate = try Self.make(name, key, from: -1, to: 1)
        try Self.extend(certificate, NID_basic_constraints, "critical,CA:TRUE")
        try Self.extend(certificate, NID_key_usage, "critical,keyCertSign,cRLSign")
        try Self.check(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)))
        try Self.check(X509_sign(certificate, key, EVP_sha256()))
        own = Identity(certificate, key)
    }

    /// `names` as OpenSSL writes them: `DNS:a.test, IP:127.0.0.1`. From and to in days from now.
    package func sign(_ names: String, from: Int = -1, to: Int = 1) throws -> Identity {
        let key = try Self.makeKey()
        let certificate = try Self.make("server", key, from: from, to: to)
        try Self.extend(certificate, NID_subject_alt_name, names)
        try Self.check(X509_set_issuer_name(certificate, X509_get_subject_name(own.certificate)))
        try Self.check(X509_sign(certificate, own.key, EVP_sha256()))
        return Identity(certificate, key)
    }

    /// As `ca_file` wants it.
    package func write(to path: String) throws { try own.write(certificate: path) }

    /// As `crl_file` wants it: what it has revoked. From and to in days from now.
    package func write(revoked: [Identity], to path: String, from: Int = -1, until: Int = 1) throws {
        guard let list = X509_CRL_new() else { throw TestFailure("no list") }
        defer { X509_CRL_free(list) }
        try Self.check(X509_CRL_set_version(list, 1))
        try Self.check(X509_CRL_set_issuer_name(list, X509_get_subject_name(own.certificate)))
        guard let time = ASN1_TIME_new() else { throw TestFailure("no time") }
        defer { ASN1_STRING_free(time) }
        X509_gmtime_adj(time, from * Self.day)
        try Self.check(X509_CRL_set1_lastUpdate(list, time))
        for identity in revoked {
            guard let entry = X509_REVOKED_new() else { throw TestFailure("no entry") }
            X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(identity.certificate))
            X509_REVOKED_set_revocationDate(entry, time)
            try Self.check(X509_CRL_add0_revoked(list, entry))
        }
        X509_gmtime_adj(time, until * Self.day)
        try Self.check(X509_CRL_set1_nextUpdate(list, time))
        try Self.check(X509_CRL_sign(list, own.key, EVP_sha256()))
        try Self.write(path) { PEM_write_bio_X509_CRL($0, list) }
    }

    private static func write(_ path: String, _ body: (OpaquePointer) -> Int32) throws {
        guard let file = BIO_new_file(path, "w") else { throw TestFailure("no \(path)") }
        defer { BIO_free(file) }
        try check(body(file))
    }

    /// Has a server want a certificate of it.
    func isWanted(by context: OpaquePointer) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), own.certificate)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    }

    private static func check(_ result: Int32) throws {
        if result <= 0 { throw TestFailure("libcrypto refuses") }
    }

    private static func makeKey() throws -> OpaquePointer {
        var key: OpaquePointer?
        let context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil)
        defer { EVP_PKEY_CTX_free(context) }
        try check(EVP_PKEY_keygen_init(context))
        try check(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1))
        try check(EVP_PKEY_keygen(context, &key))
        guard let key else { throw TestFailure("no key") }
        return key
    }

    private static func make(_ name: String, _ key: OpaquePointer, from: Int, to: Int) throws -> OpaquePointer {
        guard let certificate = X509_new() else { throw TestFailure("no certificate") }
        try check(X509_set_version(certificate, 2))
        try check(ASN1_INTEGER_set(X509_get_serialNumber(certificate), Int.random(in: 1...Int(Int32.max))))
        guard X509_gmtime_adj(X509_getm_notBefore(certificate), from * day) != nil,
            X509_gmtime_adj(X509_getm_notAfter(certificate), to * day) != nil
        else { throw TestFailure("no time") }
        try check(X509_set_pubkey(certificate, key))
        let subject = X509_get_subject_name(certificate)
        try check(
            X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, Array(name.utf8), Int32(name.utf8.count), -1, 0))
        return certificate
    }

    private static func extend(_ certificate: OpaquePointer, _ kind: Int32, _ value: String) throws {
        guard let made = X509V3_EXT_conf_nid(nil, nil, kind, value) else { throw TestFailure("no extension \(value)") }
        defer { X509_EXTENSION_free(made) }
        try check(X509_add_ext(certificate, made, -1))
    }
}
