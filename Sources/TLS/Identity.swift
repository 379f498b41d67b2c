// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSSL
internal import Glibc
internal import Linux

extension TLSFiles.Identity {
    /// Has an SSL_CTX answer with it whoever asks for a certificate of ours.
    func use(in context: OpaquePointer) throws(TLSFault) {
        ERR_clear_error()
        SSL_CTX_set_default_passwd_cb(context, cssl_no_passphrase)
        guard SSL_CTX_use_certificate_chain_file(context, certificate) == 1,
            let own = SSL_CTX_get0_certificate(context)
        else {
            throw TLSFault("client_certificate_file \(certificate) cannot be used: \(TLSFault.queue)")
        }
        try checkTime(of: own)
        let secret = try readKey()
        defer { EVP_PKEY_free(secret) }
        guard X509_check_private_key(own, secret) == 1 else {
            throw TLSFault("client_key_file \(key) does not hold the key of client_certificate_file \(certificate)")
        }
        guard SSL_CTX_use_PrivateKey(context, secret) == 1 else {
            throw TLSFault("client_key_file \(key) cannot be used: \(TLSFault.queue)")
        }
    }

    private func checkTime(of own: OpaquePointer) throws(TLSFault) {
        let isOver = X509_cmp_current_time(X509_get0_notAfter(own)) < 0
        guard isOver || X509_cmp_current_time(X509_get0_notBefore(own)) > 0 else { return }
        let what = isOver ? "has expired on" : "is not valid before"
        let help = isOver ? "; put a new one there" : "; check this machine's clock"
        throw TLSFault(
            "client_certificate_file \(certificate) \(what) \(TLSFault.text(cssl_time(own, isOver ? 1 : 0)))\(help)")
    }

    /// The caller frees it. The file is as private as one with a provider's API key.
    private func readKey() throws(TLSFault) -> OpaquePointer {
        let file: PrivateFile
        do throws(PrivateFileError) { file = try PrivateFile.read(key) } catch {
            throw TLSFault("client_key_file \(error)")
        }
        var isEncrypted: Int32 = 0
        let secret = file.bytes.withUnsafeBytes { bytes in
            let read = cssl_read_key(bytes.baseAddress, Int32(bytes.count), &isEncrypted)
            // SAFETY: nobody else has these bytes, and nobody reads them again.
            if let base = bytes.baseAddress { explicit_bzero(UnsafeMutableRawPointer(mutating: base), bytes.count) }
            return read
        }
        if let secret { return secret }
        if isEncrypted != 0 {
            throw TLSFault(
                "client_key_file \(key) is encrypted, and nobody is there to be asked for its passphrase; decrypt it: (umask 077; openssl pkey -in \(key) -out NEW)"
            )
        }
        throw TLSFault("client_key_file \(key) holds no private key that can be read (PEM): \(TLSFault.queue)")
    }
}
