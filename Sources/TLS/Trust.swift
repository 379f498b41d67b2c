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

    /// The authorities in a file.
    convenience init(file: String) throws(TLSFault) {
        try self.init()
        ERR_clear_error()
        guard X509_STORE_load_file(store, file) == 1 else {
            throw TLSFault("ca_file \(file) holds no certificate that can be read: \(TLSFault.queue)")
        }
    }

    /// The system's, as OpenSSL finds them: SSL_CERT_FILE and SSL_CERT_DIR go first. A directory that `c_rehash` has made costs a
    /// hundredth of the bundle's 15 ms and 700 KiB, and a file for each authority that is met.
    static func system() throws(TLSFault) -> Trust {
        let trust = try Trust()
        let file = text(X509_get_default_cert_file_env()).flatMap(variable)
        let directory = text(X509_get_default_cert_dir_env()).flatMap(variable)
        ERR_clear_error()
        if let file, X509_STORE_load_file(trust.store, file) != 1 {
            throw TLSFault("SSL_CERT_FILE=\(file) holds no certificate that can be read: \(TLSFault.queue)")
        }
        if let directory { X509_STORE_load_path(trust.store, directory) }
        if file != nil || directory != nil { return trust }
        let usual = text(X509_get_default_cert_dir()) ?? "/etc/ssl/certs"
        if isHashed(usual) {
            X509_STORE_load_path(trust.store, usual)
            return trust
        }
        for bundle in ["/etc/ssl/certs/ca-certificates.crt", text(X509_get_default_cert_file())].compactMap(\.self)
        where X509_STORE_load_file(trust.store, bundle) == 1 { return trust }
        throw TLSFault("this machine has no certificates of authorities; install ca-certificates, or set ca_file")
    }

    private static func text(_ pointer: UnsafePointer<CChar>?) -> String? { pointer.map { String(cString: $0) } }

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
