// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CNghttp2

/// From nghttp2.
extension Session {
    static func set(_ callbacks: OpaquePointer?) {
        nghttp2_session_callbacks_set_on_header_callback(callbacks) { handle, frame, name, count, value, length, _, _ in
            guard let frame, let stream = Session.stream(handle, frame.pointee.hd.stream_id) else { return 0 }
            let isUsable = stream.received(
                UnsafeRawBufferPointer(start: name, count: count), UnsafeRawBufferPointer(start: value, count: length))
            return isUsable ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
        }
        // nghttp2 would drop the field, and go on.
        nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks) { handle, frame, _, _, _, _, _, _ in
            if let frame { Session.stream(handle, frame.pointee.hd.stream_id)?.breaks(.badField) }
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { handle, _, id, bytes, count, session in
            Session.with(session) { $0.countReceived(count) }
            Session.stream(handle, id)?.received(UnsafeRawBufferPointer(start: bytes, count: count))
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { handle, frame, session in
            guard let frame else { return 0 }
            Session.with(session) { $0.received(frame.pointee, Session.stream(handle, frame.pointee.hd.stream_id)) }
            return 0
        }
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) { handle, frame, code, session in
            guard let frame else { return 0 }
            Session.stream(handle, frame.pointee.hd.stream_id)?.breaks(.violation)
            Session.with(session) { $0.fault = HTTP2Error(code: code) }
            return 0
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { handle, id, code, session in
            guard let stream = Session.stream(handle, id) else { return 0 }
            Session.with(session) { $0.closed(stream, ErrorCode(rawValue: code)) }
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { handle, frame, _ in
            guard let frame, frame.pointee.hd.type == NGHTTP2_HEADERS.rawValue else { return 0 }
            Session.stream(handle, frame.pointee.hd.stream_id)?.isSent = true
            return 0
        }
        nghttp2_session_callbacks_set_send_data_callback(callbacks) { _, _, head, count, source, session in
            guard let head, let source, let pointer = source.pointee.ptr else {
                return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
            }
            return Session.with(session) { session in
                Unmanaged<Stream>.fromOpaque(pointer)._withUnsafeGuaranteedRef { session.send(head, count, of: $0) }
            } ?? NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
        }
    }

    private func received(_ frame: nghttp2_frame, _ stream: Stream?) {
        let isEnd = frame.hd.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        switch nghttp2_frame_type(rawValue: UInt32(frame.hd.type)) {
        case NGHTTP2_HEADERS: stream?.receivedFields(isEnd: isEnd)
        case NGHTTP2_DATA: if isEnd { stream?.ended() }
        case NGHTTP2_RST_STREAM:
            stream?.isReset = true
            hear(ErrorCode(rawValue: frame.rst_stream.error_code))
        case NGHTTP2_GOAWAY:
            goesAway()
            hear(ErrorCode(rawValue: frame.goaway.error_code))
        case NGHTTP2_SETTINGS: if frame.hd.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0 { settingsCame() }
        default: break
        }
    }

    private func hear(_ code: ErrorCode) { if code == .http11Required { wantsHTTP1 = true } }

    @discardableResult
    private static func with<R>(_ pointer: UnsafeMutableRawPointer?, _ body: (Session) -> R) -> R? {
        pointer.map { Unmanaged<Session>.fromOpaque($0)._withUnsafeGuaranteedRef(body) }
    }

    private static func stream(_ handle: OpaquePointer?, _ id: Int32) -> Stream? {
        nghttp2_session_get_stream_user_data(handle, id).map {
            Unmanaged<Stream>.fromOpaque($0).takeUnretainedValue()
        }
    }
}

extension Stream {
    func received(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        listSize += name.count + value.count + 32
        if listSize > Session.maxHeaderList {
            breaks(.tooLarge)
            return false
        }
        // Nobody wants it any more, but the table of fields has to follow.
        guard let delegate else { return true }
        if delegate.streamReceived(name, value) { return true }
        breaks(.unwanted)
        return false
    }

    func received(_ bytes: UnsafeRawBufferPointer) {
        held += bytes.count
        // nghttp2 resets the stream, but hands on what is too much.
        if held > Session.streamWindow { return breaks(.violation) }
        delegate?.streamReceived(bytes)
    }

    func receivedFields(isEnd: Bool) {
        listSize = 0
        if let delegate, !delegate.streamReceivedFields() {
            session?.reset(self, .cancel)
            return breaks(.unwanted)
        }
        if isEnd { ended() }
    }

    func ended() {
        guard delegate != nil else { return }
        session?.ended(self)
        tell { $0.streamEnded() }
    }

    func closed(_ code: ErrorCode) {
        switch code {
        case .refusedStream: tell { $0.streamBroke(.refused) }
        case .http11Required: tell { $0.streamBroke(.needsHTTP1) }
        default: tell { $0.streamBroke(isReset ? .reset(code) : .invalid(.violation)) }
        }
    }

    /// Tells at once: nghttp2 closes it when it has written RST_STREAM.
    func breaks(_ fault: Fault) { tell { $0.streamBroke(.invalid(fault)) } }

    /// Makes the last call.
    func tell(_ call: (any StreamDelegate) -> Void) {
        guard let last = delegate else { return }
        delegate = nil
        call(last)
    }

    func offerBody(_ limit: Int, _ flags: UnsafeMutablePointer<UInt32>) -> Int {
        switch delegate?.streamBody(atMost: limit) {
        case .bytes(let count, let isLast)?:
            flags.pointee |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue
            if isLast { flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue }
            return count
        case .later?, nil: return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
    }
}
