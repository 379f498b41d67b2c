// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSSL

/// The server's end of a TLS connection, by libssl on its own: records go in and come out. Belongs to one thread.
package final class TLSPeer {
    private let context: OpaquePointer
    private let ssl: OpaquePointer
    private let input: OpaquePointer
    private let output: OpaquePointer

    /// `protocol`: what it chooses of what is offered. `wanting`: whose certificates the client must have one of.
    package init(
        _ identity: TestAuthority.Identity, protocol name: String? = nil, isTLS12: Bool = false,
        wanting authority: TestAuthority? = nil
    ) throws {
        guard let context = SSL_CTX_new(TLS_server_method()), let input = BIO_new(BIO_s_mem()),
            let output = BIO_new(BIO_s_mem())
        else { throw TestFailure("no memory for TLS") }
        SSL_CTX_use_certificate(context, identity.certificate)
        SSL_CTX_use_PrivateKey(context, identity.key)
        authority?.isWanted(by: context)
        // SSL_OP_NO_TLSv1_3, a macro with a cast.
        if isTLS12 { SSL_CTX_set_options(context, 1 << 29) }
        if name == "h2" {
            SSL_CTX_set_alpn_select_cb(
                context,
                { _, out, length, offered, count, _ in
                    guard let offered else { return SSL_TLSEXT_ERR_NOACK }
                    var index = 0
                    while index < Int(count) {
                        let size = Int(offered[index])
                        if size == 2 {
                            out?.pointee = offered + index + 1
                            length?.pointee = 2
                            return SSL_TLSEXT_ERR_OK
                        }
                        index += 1 + size
                    }
                    return SSL_TLSEXT_ERR_NOACK
                }, nil)
        }
        guard let ssl = SSL_new(context) else { throw TestFailure("no memory for TLS") }
        SSL_set_bio(ssl, input, output)
        SSL_set_accept_state(ssl)
        self.context = context
        self.ssl = ssl
        self.input = input
        self.output = output
    }

    /// Tickets of one server hold for the next with its keys.
    package convenience init(_ identity: TestAuthority.Identity, keysOf other: TLSPeer?, isTLS12: Bool = false) throws {
        try self.init(identity, isTLS12: isTLS12)
        guard let other else { return }
        var keys = [UInt8](repeating: 0, count: 80)
        // SSL_CTX_get_tlsext_ticket_keys and its brother are macros.
        SSL_CTX_ctrl(other.context, SSL_CTRL_GET_TLSEXT_TICKET_KEYS, keys.count, &keys)
        SSL_CTX_ctrl(context, SSL_CTRL_SET_TLSEXT_TICKET_KEYS, keys.count, &keys)
    }

    deinit {
        SSL_free(ssl)
        SSL_CTX_free(context)
    }

    /// Takes records in, and gives back what they say; goes on with the handshake by itself.
    package func take(_ records: [UInt8]) -> [UInt8] {
        if !records.isEmpty { BIO_write(input, records, Int32(records.count)) }
        if SSL_is_init_finished(ssl) == 0 { SSL_do_handshake(ssl) }
        var all: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 32 << 10)
        while SSL_is_init_finished(ssl) == 1 {
            let count = SSL_read(ssl, &piece, Int32(piece.count))
            if count <= 0 { break }
            all += piece.prefix(Int(count))
        }
        ERR_clear_error()
        return all
    }

    package var isUp: Bool { SSL_is_init_finished(ssl) == 1 }
    package var wasResumed: Bool { SSL_session_reused(ssl) == 1 }
    /// The other side has said its goodbye.
    package var heardGoodbye: Bool { SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN != 0 }
    /// Whose certificate the other side has shown.
    package var shownName: String? {
        guard let certificate = SSL_get1_peer_certificate(ssl) else { return nil }
        defer { X509_free(certificate) }
        var line = [CChar](repeating: 0, count: 256)
        return X509_NAME_oneline(X509_get_subject_name(certificate), &line, 256).map { String(cString: $0) }
    }
    /// Whom the other side has asked for.
    package var askedName: String? {
        SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
    }

    package func say(_ bytes: [UInt8]) { if !bytes.isEmpty { SSL_write(ssl, bytes, Int32(bytes.count)) } }
    package func sayGoodbye() { SSL_shutdown(ssl) }
    /// Asks the other side for new keys, too.
    package func changeKeys() { SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) }

    /// Records to be sent.
    package func records() -> [UInt8] {
        var all: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 32 << 10)
        while true {
            let count = BIO_read(output, &piece, Int32(piece.count))
            if count <= 0 { return all }
            all += piece.prefix(Int(count))
        }
    }
}
