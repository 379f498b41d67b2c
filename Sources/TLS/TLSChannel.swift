// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSSL

/// One connection's TLS, without I/O: records that came go in, and what they say comes out; what is to be said goes in, and
/// records come out of the thread's pipe. Belongs to one thread.
package final class TLSChannel {
    package enum Step {
        case needsMore
        case done
        case failed(TLSFault)
    }

    package enum Read {
        case bytes(Int)
        /// Nothing more without more records.
        case nothing
        /// The other side has said that nothing follows.
        case closed
        case failed(TLSFault)
    }

    private let ssl: OpaquePointer
    private let pipe: Pipe
    private let tickets: Tickets
    private let host: String
    /// Of ours; nil: there is none.
    private let certificate: String?
    private var request = CertificateRequest.none
    /// Records that came before their time: behind the end of a handshake, or behind what there was room for.
    private var unread: [UInt8] = []
    private var isUp = false
    /// Something has been said behind the handshake.
    private var isHeard = false
    private var fault: TLSFault?

    /// `host`: a name or an address, as in a URL without brackets. With `offersHTTP2` the other side may choose it.
    package init(_ client: TLSClient, host: String, offersHTTP2: Bool, through pipe: Pipe, _ tickets: Tickets)
        throws(TLSFault)
    {
        let context = try client.context()
        guard let ssl = SSL_new(context.pointer), let method = PipeMethod.shared.method, let bio = BIO_new(method)
        else {
            throw TLSFault("no memory for TLS")
        }
        self.ssl = ssl
        self.pipe = pipe
        self.tickets = tickets
        certificate = client.files.identity?.certificate
        self.host = host.hasSuffix(".") ? String(host.dropLast()) : host
        BIO_set_data(bio, pipe.shared)
        SSL_set_bio(ssl, bio, bio)
        cssl_set_owner(ssl, Unmanaged.passUnretained(tickets).toOpaque())
        try identify()
        let protocols: [UInt8] = offersHTTP2 ? Array("\u{2}h2\u{8}http/1.1".utf8) : Array("\u{8}http/1.1".utf8)
        _ = SSL_set_alpn_protos(ssl, protocols, UInt32(protocols.count))
        if let session = tickets.take() {
            SSL_set_session(ssl, session)
            SSL_SESSION_free(session)
        }
        SSL_set_connect_state(ssl)
    }

    deinit {
        // Else the ticket, which is the connection's own session, would be marked as one of a broken connection.
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        SSL_free(ssl)
    }

    /// Whom the certificate must be for.
    private func identify() throws(TLSFault) {
        let parameters = SSL_get0_param(ssl)
        // An address is no name, and is not sent as one.
        if X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1 { return }
        ERR_clear_error()
        X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        guard X509_VERIFY_PARAM_set1_host(parameters, host, 0) == 1, cssl_set_server_name(ssl, host) == 1 else {
            throw TLSFault("\(host) is no name that a certificate can be for; check base_url")
        }
    }

    /// Goes on with the handshake; first with no records, which makes the hello.
    package func handshake(_ records: UnsafeRawBufferPointer) -> Step {
        ERR_clear_error()
        pipe.forgetRefusal()
        let (result, left) = pipe.lend(records) { SSL_do_handshake(ssl) }
        if pipe.takeAsked() { request = certificate.map { .answered(file: $0) } ?? .unanswered }
        if result == 1 {
            isUp = true
            keepResumed()
            if left > 0 { unread = Array(records.suffix(left)) }
            return .done
        }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .needsMore
        case SSL_ERROR_SSL where pipe.shared.pointee.error != 0:
            let refused = pipe.shared.pointee
            defer { pipe.forgetRefusal() }
            return .failed(
                TLSFault(certificate: refused.refused, list: refused.refused_list, error: refused.error, host: host))
        case let error: return .failed(TLSFault(ssl, error: error, request))
        }
    }

    /// In TLS 1.2 a session may be used more than once, and a short handshake brings no other.
    private func keepResumed() {
        if cssl_is_tls12(ssl) == 1, SSL_session_reused(ssl) == 1, let session = SSL_get1_session(ssl) {
            tickets.add(session)
        }
    }

    /// What it means that the connection ends now without a word: some servers close it, with no alert, on a client whose
    /// certificate they do not like. Those that like it send tickets at once. nil: nothing in particular.
    package var silentRefusal: TLSFault? {
        if isHeard || SSL_SESSION_is_resumable(SSL_get_session(ssl)) == 1 { return nil }
        return TLSFault(silentRefusal: request)
    }

    package var wasResumed: Bool { SSL_session_reused(ssl) == 1 }

    /// The other side has chosen HTTP/2.
    package var speaksHTTP2: Bool {
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &name, &length)
        return length == 2 && name?[0] == UInt8(ascii: "h") && name?[1] == UInt8(ascii: "2")
    }

    /// Something is to be read without further records.
    package var hasMore: Bool { !unread.isEmpty || fault != nil || isUp && (SSL_pending(ssl) > 0 || isClosed) }

    /// How many bytes of records may come, so that all they say has room in `buffer`: a part of a record may wait already.
    package static func intake(for buffer: UnsafeMutableRawBufferPointer) -> Int {
        buffer.count > 2 * Pipe.recordRoom ? buffer.count - Pipe.recordRoom : buffer.count
    }

    /// Reads what records say; they follow those that came before.
    package func read(_ records: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer) -> Read {
        if let fault { return .failed(fault) }
        if unread.isEmpty {
            let (outcome, left) = pipe.lend(records) { read(into: buffer) }
            if left > 0 { unread = Array(records.suffix(left)) }
            return outcome
        }
        unread += records
        let (outcome, left) = unread.withUnsafeBytes { all in pipe.lend(all) { read(into: buffer) } }
        unread.removeFirst(unread.count - left)
        return outcome
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) -> Read {
        var count = 0
        ERR_clear_error()
        while count < buffer.count, let base = buffer.baseAddress {
            var more = 0
            let result = SSL_read_ex(ssl, base + count, buffer.count - count, &more)
            if result == 1 {
                isHeard = true
                count += more
                continue
            }
            switch SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: break
            case SSL_ERROR_ZERO_RETURN where count == 0: return .closed
            case SSL_ERROR_ZERO_RETURN: break
            case let error:
                let fault = TLSFault(ssl, error: error, request)
                self.fault = fault
                if count == 0 { return .failed(fault) }
            }
            break
        }
        return count > 0 ? .bytes(count) : .nothing
    }

    /// The other side has said that nothing follows, so that the end of the connection cuts nothing off.
    package var isClosed: Bool { SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN != 0 }

    /// Makes records of as much as the pipe has room for, and says of how much. nil: it is broken, `read` says how.
    package func write(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var count = 0
        ERR_clear_error()
        while count < bytes.count, pipe.hasRoom, let base = bytes.baseAddress {
            var more = 0
            guard SSL_write_ex(ssl, base + count, bytes.count - count, &more) == 1 else {
                if fault == nil { fault = TLSFault(ssl, error: SSL_get_error(ssl, 0), request) }
                return nil
            }
            count += more
        }
        return count
    }

    /// Says that nothing more follows, where there is still somebody to hear it.
    package func sayGoodbye() {
        guard isUp, fault == nil else { return }
        ERR_clear_error()
        SSL_shutdown(ssl)
    }
}
