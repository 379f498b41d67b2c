// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSSL
internal import Glibc

/// Whom certificates are believed from.
// SAFETY: an X509_STORE has a lock of its own; it is not changed once it is made.
final class Trust: @unchecked Sendable {
    let store: OpaquePointer

    private init() throws(TLSFault) {
        guard let store = X509_STORE_new() else { throw TLSFault("no memory for authorities") }
        self.store = store
        // A certificate that is trusted need not be a root, as libcurl has it, too.
        X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
    }

    deinit { X509_STORE_free(store) }

    /// Of the system or of a file, with what they have revoked if that is given: only the authority that has signed a
    /// provider's certificate needs to have said so.
    static func reading(_ files: TLSFiles) throws(TLSFault) -> Trust {
        let trust = if let file = files.authorities { try Trust(file: file) } else { try system() }
        if let file = files.revocations { try trust.addRevocations(file) }
        return trust
    }

    private func addRevocations(_ file: String) throws(TLSFault) {
        ERR_clear_error()
        guard let lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file()) else {
            throw TLSFault("no memory for authorities")
        }
        guard X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) > 0 else {
            throw TLSFault(
                "crl_file \(file) holds no CRL that can be read: \(TLSFault.queue); it has to be PEM (of a DER file: openssl crl -inform der -in FILE -out NEW)"
            )
        }
        X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK))
    }

    /// The authorities in a file.
    convenience init(file: String) throws(TLSFault) {
        try self.init()
        ERR_clear_error()
        guard X509_STORE_load_file(store, file) == 1 else {
            throw TLSFault("ca_file \(file) holds no certificate that can be read: \(TLSFault.queue)")
        }
    }

    /// The system's. A directory that `c_rehash` has made costs a hundredth of the bundle's 15 ms and 700 KiB, and a file for each
    /// authority that is met.
    static func system() throws(TLSFault) -> Trust {
        let trust = try Trust()
        ERR_clear_error()
        if let places = SystemAuthorities.find() {
            if let file = places.file, X509_STORE_load_file(trust.store, file) != 1 {
                throw TLSFault("SSL_CERT_FILE=\(file) holds no certificate that can be read: \(TLSFault.queue)")
            }
            if let directory = places.directory { X509_STORE_load_path(trust.store, directory) }
            return trust
        }
        let bundles = ["/etc/ssl/certs/ca-certificates.crt", SystemAuthorities.text(X509_get_default_cert_file())]
        for bundle in bundles.compactMap(\.self) where X509_STORE_load_file(trust.store, bundle) == 1 { return trust }
        throw TLSFault("this machine has no certificates of authorities; install ca-certificates, or set ca_file")
    }
}

/// Where the system's authorities stand, as OpenSSL finds them: SSL_CERT_FILE and SSL_CERT_DIR go first.
package struct SystemAuthorities {
    package private(set) var file: String?
    package private(set) var directory: String?

    /// nil: no variable names them, and there is no directory in which one is found by its name.
    package static func find() -> SystemAuthorities? {
        let file = text(X509_get_default_cert_file_env()).flatMap(variable)
        let directory = text(X509_get_default_cert_dir_env()).flatMap(variable)
        if file != nil || directory != nil { return SystemAuthorities(file: file, directory: directory) }
        let usual = text(X509_get_default_cert_dir()) ?? "/etc/ssl/certs"
        return isHashed(usual) ? SystemAuthorities(directory: usual) : nil
    }

    static func text(_ pointer: UnsafePointer<CChar>?) -> String? { pointer.map { String(cString: $0) } }

    private static func variable(_ name: String) -> String? {
        guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { return nil }
        return value
    }

    /// It holds names as `4042bcee.0`.
    private static func isHashed(_ directory: String) -> Bool {
        guard let stream = opendir(directory) else { return false }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in Array(bytes.prefix { $0 != 0 }) }
            if name.count == 10, name.suffix(2) == Array(".0".utf8) { return true }
        }
        return false
    }
}
