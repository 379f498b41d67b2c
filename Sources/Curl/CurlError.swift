// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CCurl

/// A result code of libcurl, other than success.
package struct CurlError: Error, Sendable, Equatable, CustomStringConvertible {
    package let code: UInt32
    /// What is wrong with the other side's certificate, if that is known.
    package let certificate: CertificateFault?
    /// If it is TLS that has failed, it is the proxy's.
    private let isProxys: Bool

    package init(code: UInt32, certificate: CertificateFault? = nil, isProxys: Bool = false) {
        self.code = code
        self.certificate = certificate
        self.isProxys = isProxys
    }

    package var description: String {
        if let certificate { return certificate.words(isProxys: isProxys) }
        return String(cString: curl_easy_strerror(CURLcode(rawValue: code))) + " (\(code))"
    }

    static func check(_ code: CURLcode) throws(CurlError) {
        if code != CURLE_OK { throw CurlError(code: code.rawValue) }
    }

    package enum CertificateFault: Sendable {
        case otherName, expired, unknownAuthority, revoked, noList

        /// With what would help.
        func words(isProxys: Bool) -> String {
            let whose = isProxys ? "the proxy's" : "its"
            return switch self {
            case .otherName:
                "\(whose) certificate is for another host name; check \(isProxys ? "proxy" : "base_url")"
            case .expired:
                "\(whose) certificate has expired or is not valid yet; check this machine's clock, else its owner must renew it"
            case .unknownAuthority:
                "no authority that this machine trusts has signed \(whose) certificate; set ca_file if it uses a private one"
            case .revoked: "\(whose) certificate is revoked, as crl_file says; its owner needs a new one"
            case .noList:
                "crl_file holds no CRL in its time of each authority over \(whose) certificate; fetch them anew"
            }
        }
    }

    /// What went wrong, as far as anybody acts upon it.
    package enum Kind: String, Sendable {
        case resolve, connect, tls, proxy, timeout, receive, send, protocolError = "protocol", aborted, other
    }

    package var kind: Kind {
        switch CURLcode(rawValue: code) {
        case CURLE_COULDNT_RESOLVE_HOST: .resolve
        case CURLE_COULDNT_RESOLVE_PROXY, CURLE_PROXY: .proxy
        case CURLE_COULDNT_CONNECT: .connect
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CRL_BADFILE:
            isProxys ? .proxy : .tls
        case CURLE_OPERATION_TIMEDOUT: .timeout
        case CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE: .receive
        case CURLE_SEND_ERROR: .send
        case CURLE_HTTP2, CURLE_HTTP2_STREAM, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING,
            CURLE_UNSUPPORTED_PROTOCOL:
            .protocolError
        case CURLE_ABORTED_BY_CALLBACK, CURLE_WRITE_ERROR, CURLE_READ_ERROR: .aborted
        default: .other
        }
    }
}

/// libcurl's process-wide state.
package enum CurlGlobal {
    /// Once, before any thread uses libcurl.
    package static func start() throws(CurlError) { try CurlError.check(ccurl_global_init()) }

    package static var version: String { String(cString: curl_version()) }
}
