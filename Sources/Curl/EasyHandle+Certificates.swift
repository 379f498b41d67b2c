// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CCurl

/// Where libcurl speaks TLS itself: to a proxy, and to a provider whose HTTP it speaks.
extension EasyHandle {
    /// Authorities of providers and of proxies, TLS 1.2 or later. Without a file and a directory they are libcurl's own.
    package func trust(file: String?, directory: String?) throws(CurlError) {
        let version = CURL_SSLVERSION_TLSv1_2
        try set(CURLOPT_SSLVERSION, version)
        try set(CURLOPT_PROXY_SSLVERSION, version)
        if file == nil, directory == nil { return }
        // What is nil would stand for libcurl's own, beside the other.
        for option in [CURLOPT_CAINFO, CURLOPT_PROXY_CAINFO] { try set(option, path: file) }
        for option in [CURLOPT_CAPATH, CURLOPT_PROXY_CAPATH] { try set(option, path: directory) }
    }

    /// Certificates that the provider's authorities have revoked, libcurl wants a list of each of them.
    package func refuse(revokedBy file: String) throws(CurlError) { try set(CURLOPT_CRLFILE, path: file) }

    /// What a provider gets that asks for a certificate of ours.
    package func identify(certificate: String, key: String) throws(CurlError) {
        try set(CURLOPT_SSLCERT, path: certificate)
        try set(CURLOPT_SSLKEY, path: key)
    }

    private func set(_ option: CURLoption, path: String?) throws(CurlError) {
        if let path { try set(string: option, path) } else { try set(string: option, nil) }
    }

    /// What a transfer's result means.
    func error(_ code: CURLcode) -> CurlError {
        let ofProxy = verification(CURLINFO_PROXY_SSL_VERIFYRESULT)
        // TLS on a connection that is handed over is a proxy's.
        let isProxys = keepsConnection || ofProxy != 0
        guard code == CURLE_PEER_FAILED_VERIFICATION else {
            return CurlError(code: code.rawValue, isProxys: isProxys)
        }
        let result = ofProxy != 0 ? ofProxy : verification(CURLINFO_SSL_VERIFYRESULT)
        return CurlError(code: code.rawValue, certificate: Self.fault(result), isProxys: isProxys)
    }

    private func verification(_ info: CURLINFO) -> Int {
        var result = 0
        return ccurl_get_long(handle, info, &result) == CURLE_OK ? result : 0
    }

    private static func fault(_ result: Int) -> CurlError.CertificateFault? {
        switch result {
        // libcurl compares the name itself, before it asks OpenSSL for its verdict; later ones have OpenSSL do it.
        case 0, 1, 62, 64: .otherName
        // X509_V_ERR_… of openssl/x509_vfy.h: not yet valid, expired; issuer not found, self-signed, no chain; revoked; no list
        // of revoked ones, or one out of its time.
        case 9, 10: .expired
        case 2, 18, 19, 20, 21, 27: .unknownAuthority
        case 23: .revoked
        case 3, 11, 12: .noList
        default: nil
        }
    }
}
