// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSSL

/// Why there is no secured connection, in words, with what would help. Never holds anything secret.
package struct TLSFault: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    /// The other side has refused us as it would in the handshake, which for TLS 1.3 may be over by then.
    package let isRefusal: Bool

    init(_ description: String, isRefusal: Bool = false) {
        self.description = description
        self.isRefusal = isRefusal
    }

    /// The oldest reason that OpenSSL has written down for this thread.
    static var queue: String {
        let code = ERR_peek_error()
        guard code != 0 else { return "no reason given" }
        guard let reason = ERR_reason_error_string(code) else { return "OpenSSL's error \(code)" }
        return String(cString: reason)
    }

    /// What a failed call of libssl means.
    init(_ ssl: OpaquePointer, error: Int32, _ request: CertificateRequest) {
        guard error == SSL_ERROR_SSL else {
            self.init("TLS failed (\(error))")
            return
        }
        let reason = ERR_GET_REASON(ERR_peek_error())
        let isRefusal = Self.refusals.contains(reason)
        switch request {
        case .unanswered where isRefusal: self.init(Self.wantsOurs, isRefusal: true)
        case .answered(let file) where isRefusal:
            self.init(
                "the other end refuses the certificate of client_certificate_file \(file): \(Self.queue)",
                isRefusal: true)
        default: self.init(Self.words(reason) ?? "TLS failed: \(Self.queue)", isRefusal: isRefusal)
        }
    }

    /// A connection that was closed on what it had asked for.
    init?(silentRefusal request: CertificateRequest) {
        switch request {
        case .none: return nil
        case .unanswered: self.init(Self.wantsOurs, isRefusal: true)
        case .answered(let file):
            self.init(
                "the other end closed the connection on the certificate of client_certificate_file \(file)",
                isRefusal: true)
        }
    }

    private static let wantsOurs =
        "the other end wants a certificate of ours; set client_certificate_file and client_key_file"

    private static let refusals: Set<Int32> = [
        SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, SSL_R_TLSV13_ALERT_MISSING_EXTENSION,
        SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
        SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
        SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, SSL_R_TLSV1_ALERT_UNKNOWN_CA, SSL_R_TLSV1_ALERT_ACCESS_DENIED,
        SSL_R_TLSV1_ALERT_DECRYPT_ERROR, SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
    ]

    private static func words(_ reason: Int32) -> String? {
        switch reason {
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_PACKET_LENGTH_TOO_LONG:
            "the other end does not speak TLS; check base_url's port, and whether it is http://"
        case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, SSL_R_UNSUPPORTED_PROTOCOL:
            "the other end speaks only versions of TLS before 1.2, which nobody should use"
        case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
            "the other end refused the handshake: no cipher in common, or a host name that it does not know"
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: wantsOurs
        case SSL_R_TLSV1_UNRECOGNIZED_NAME: "the other end does not know the host name of base_url"
        default: nil
        }
    }

    static func text(_ text: cssl_text) -> String {
        withUnsafeBytes(of: text.bytes) { String(decoding: $0.prefix(text.used), as: UTF8.self) }
    }

    /// What is wrong with a certificate, or with the list of its authority's revoked ones. `host`: whom it should be for.
    init(certificate: OpaquePointer?, list: OpaquePointer?, error: Int32, host: String) {
        func text(_ make: (OpaquePointer) -> cssl_text) -> String { certificate.map { Self.text(make($0)) } ?? "?" }
        let openSSL = String(cString: X509_verify_cert_error_string(Int(error)))
        switch error {
        case X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID:
            let isEnd = error == X509_V_ERR_CERT_HAS_EXPIRED
            let time = text { cssl_time($0, isEnd ? 1 : 0) }
            let what = isEnd ? "has expired on \(time)" : "is not valid before \(time)"
            self.init(
                "the certificate of \(text(cssl_subject)) \(what); check this machine's clock, else its owner must renew it"
            )
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            self.init("its certificate is for \(text(cssl_names)), not for \(host); check base_url")
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED:
            self.init(
                "no authority that this machine trusts has signed its certificate (\(openSSL); issuer \(text(cssl_issuer))); set ca_file if it uses a private one"
            )
        case X509_V_ERR_CERT_REVOKED:
            self.init(
                "the certificate of \(text(cssl_subject)) is revoked by its issuer \(text(cssl_issuer)), as crl_file says; its owner needs a new one"
            )
        case X509_V_ERR_UNABLE_TO_GET_CRL:
            self.init(
                "crl_file holds no CRL of \(text(cssl_issuer)), which has signed the certificate of \(text(cssl_subject)); add it"
            )
        case X509_V_ERR_CRL_HAS_EXPIRED, X509_V_ERR_CRL_NOT_YET_VALID:
            let isEnd = error == X509_V_ERR_CRL_HAS_EXPIRED
            let time = list.map { Self.text(cssl_list_time($0, isEnd ? 1 : 0)) } ?? "?"
            let what =
                isEnd
                ? "has expired on \(time); fetch its successor"
                : "is not valid before \(time); check this machine's clock"
            self.init("the CRL of \(text(cssl_issuer)) in crl_file \(what)")
        default: self.init("the certificate of \(text(cssl_subject)) is refused: \(openSSL)")
        }
    }
}

/// Whether the other side has asked for a certificate of ours.
enum CertificateRequest {
    case none
    case unanswered
    case answered(file: String)
}
