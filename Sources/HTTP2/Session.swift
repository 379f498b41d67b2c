// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CNghttp2
internal import Glibc

/// Takes what a session sends.
package protocol SessionOutput: AnyObject {
    var count: Int { get }
    func append(_ bytes: UnsafeRawBufferPointer)
}

/// One client connection of HTTP/2 without I/O: what was received goes in, what is to be sent comes out, and streams hear
/// what happened to them. Windows are its own: each stream may be ahead of its reader by `streamWindow`, and what is received
/// is given back to the connection at once, so that a slow reader stops nobody else. Belongs to one thread.
package final class Session {
    /// Bytes of an answer that its reader has not taken.
    package static let streamWindow = 256 << 10
    /// More than all streams may use together.
    static let connectionWindow: Int32 = 32 << 20
    /// Of a head and of trailers, counted as RFC 9113 §6.5.2 does. Announced, and enforced here: nghttp2 does not.
    package static let maxHeaderList = 64 << 10
    /// Streams at once, whatever the provider allows, and before it has said so.
    package static let maxStreams = 100
    /// Bytes in the output above which no DATA is added.
    package static let outputLimit = 48 << 10

    /// nil once it has ended.
    private var handle: OpaquePointer?
    private(set) var streams: [Stream] = []
    private var fields: [nghttp2_nv] = []
    /// Set while nghttp2 writes.
    private var output: (any SessionOutput)?
    /// Bytes of bodies in what is received right now.
    private var received = 0
    /// A head with a key in it has been written into nghttp2's memory.
    private var hasSecret = false
    /// The provider takes no more requests.
    package private(set) var isGoingAway = false
    /// The provider wants to be asked over HTTP/1.1: one request, or all that it takes no more.
    package internal(set) var wantsHTTP1 = false
    /// The provider has said what it allows.
    package private(set) var hasSettings = false
    /// What the provider did against the protocol.
    package internal(set) var fault: HTTP2Error?

    package init() throws(HTTP2Error) {
        var callbacks: OpaquePointer?
        try HTTP2Error.check(nghttp2_session_callbacks_new(&callbacks))
        defer { nghttp2_session_callbacks_del(callbacks) }
        Self.set(callbacks)
        var option: OpaquePointer?
        try HTTP2Error.check(nghttp2_option_new(&option))
        defer { nghttp2_option_del(option) }
        nghttp2_option_set_no_auto_window_update(option, 1)
        nghttp2_option_set_no_closed_streams(option, 1)
        nghttp2_option_set_peer_max_concurrent_streams(option, UInt32(Self.maxStreams))
        try HTTP2Error.check(
            nghttp2_session_client_new2(&handle, callbacks, Unmanaged.passUnretained(self).toOpaque(), option))
        let settings = [
            nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue), value: UInt32(Self.streamWindow)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue), value: UInt32(Self.maxHeaderList)),
        ]
        try HTTP2Error.check(nghttp2_submit_settings(handle, 0, settings, settings.count))
        try HTTP2Error.check(nghttp2_session_set_local_window_size(handle, 0, 0, Self.connectionWindow))
    }

    deinit { nghttp2_session_del(handle) }

    /// Streams that are not over, for the provider either.
    package var count: Int { streams.count }

    /// Nobody hears of any stream that is not over.
    package var isDeserted: Bool { streams.allSatisfy { $0.delegate == nil } }

    /// How many streams there may be.
    package var limit: Int {
        guard handle != nil else { return 0 }
        let allowed = nghttp2_session_get_remote_settings(handle, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
        return Int(min(allowed, UInt32(Self.maxStreams)))
    }

    package var wantsWrite: Bool { handle != nil && nghttp2_session_want_write(handle) != 0 }

    /// Nothing more will come of it.
    package var isOver: Bool {
        handle == nil || nghttp2_session_want_read(handle) == 0 && nghttp2_session_want_write(handle) == 0
    }

    // MARK: Requests

    /// Adds a field of the next request, in lower case, ":method" and its like first. Its bytes stay where they are until
    /// `drain` returns. `isIndexed`: it may stand in the connection's table of fields, for all to guess at that use it.
    package func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, isIndexed: Bool) {
        let flags =
            NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue
            | (isIndexed ? 0 : NGHTTP2_NV_FLAG_NO_INDEX.rawValue)
        fields.append(
            nghttp2_nv(
                name: Self.pointer(name), value: Self.pointer(value), namelen: name.count, valuelen: value.count,
                flags: UInt8(flags)))
    }

    /// Sends the request with the next `drain`, which is the next call. nil: no more requests go this way.
    package func submit(_ delegate: any StreamDelegate, hasBody: Bool) -> Stream? {
        defer { fields.removeAll(keepingCapacity: true) }
        guard count < limit, !isGoingAway, nghttp2_session_check_request_allowed(handle) != 0 else { return nil }
        let stream = Stream(self, delegate)
        let pointer = Unmanaged.passUnretained(stream).toOpaque()
        var body = nghttp2_data_provider()
        body.source.ptr = pointer
        body.read_callback = { _, _, _, limit, flags, source, _ in
            guard let flags, let stream = source?.pointee.ptr else { return Session.failure }
            return Unmanaged<Stream>.fromOpaque(stream)._withUnsafeGuaranteedRef { $0.offerBody(limit, flags) }
        }
        stream.id = withUnsafePointer(to: &body) {
            nghttp2_submit_request(handle, nil, fields, fields.count, hasBody ? $0 : nil, pointer)
        }
        guard stream.id > 0 else { return nil }
        stream.place = streams.count
        streams.append(stream)
        hasSecret = true
        return stream
    }

    /// Ask after `drain`, of a stream that `submit` gave. false: it was not sent, and never will be.
    package func wasSent(_ stream: Stream) -> Bool {
        if stream.isSent { return true }
        stream.reset(.cancel)
        if stream.session != nil, nghttp2_session_get_stream_user_data(handle, stream.id) == nil { remove(stream) }
        return false
    }

    /// Asks whether anybody is there.
    package func ping() { if handle != nil { _ = nghttp2_submit_ping(handle, 0, nil) } }

    /// Says goodbye with the next `drain`.
    package func leave() {
        if handle != nil { _ = nghttp2_session_terminate_session(handle, ErrorCode.noError.rawValue) }
    }

    // MARK: Bytes

    /// Takes all of it. Throws when the connection is of no more use.
    package func receive(_ bytes: UnsafeRawBufferPointer) throws(HTTP2Error) {
        received = 0
        let count = nghttp2_session_mem_recv(
            handle, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
        if count < 0 { throw failed(count) }
        if received > 0 { _ = nghttp2_session_consume_connection(handle, received) }
    }

    /// Gives all that is to be sent now; of DATA no more than keeps `output` near `outputLimit`.
    package func drain(to output: any SessionOutput) throws(HTTP2Error) {
        self.output = output
        defer {
            self.output = nil
            hasSecret = false
        }
        while true {
            var bytes: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(handle, &bytes)
            if count < 0 { throw failed(count) }
            guard count > 0, let bytes else { return }
            output.append(UnsafeRawBufferPointer(start: bytes, count: count))
            // SAFETY: nghttp2's buffer of frames, which it fills anew for the next one and reads no more.
            if hasSecret { explicit_bzero(UnsafeMutableRawPointer(mutating: bytes), count) }
        }
    }

    private func failed(_ code: Int) -> HTTP2Error {
        let error = HTTP2Error(code: Int32(truncatingIfNeeded: code))
        fault = error
        return error
    }

    /// Ends it, and tells its streams. Not from within `receive` or `drain`, and neither of them is called afterwards.
    package func end() {
        nghttp2_session_del(handle)
        handle = nil
        let lost = streams
        streams = []
        for stream in lost {
            stream.session = nil
            stream.tell { $0.streamBroke(.lost) }
        }
    }

    // MARK: For streams

    func consume(_ count: Int, of stream: Stream) { _ = nghttp2_session_consume_stream(handle, stream.id, count) }
    func resumeBody(of stream: Stream) { _ = nghttp2_session_resume_data(handle, stream.id) }

    func reset(_ stream: Stream, _ code: ErrorCode) {
        _ = nghttp2_submit_rst_stream(handle, 0, stream.id, code.rawValue)
    }

    /// Appends a frame of DATA.
    func send(_ frameHead: UnsafePointer<UInt8>, _ count: Int, of stream: Stream) -> Int32 {
        guard let output else { return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }
        if output.count >= Self.outputLimit { return NGHTTP2_ERR_WOULDBLOCK.rawValue }
        // Its body has gone with whoever had it: the stream is to be reset, and not the frame to be filled with anything.
        guard let delegate = stream.delegate else { return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue }
        output.append(UnsafeRawBufferPointer(start: frameHead, count: 9))
        delegate.streamBody(move: count, to: output)
        return 0
    }

    func countReceived(_ count: Int) { received += count }
    func goesAway() { isGoingAway = true }
    func settingsCame() { hasSettings = true }

    /// The provider has said everything, and does not want the rest of the request.
    func ended(_ stream: Stream) {
        if nghttp2_session_get_stream_local_close(handle, stream.id) == 0 { reset(stream, .noError) }
    }

    /// A stream is over, for both sides.
    func closed(_ stream: Stream, _ code: ErrorCode) {
        remove(stream)
        // nghttp2 itself closes the streams above GOAWAY's last one, with REFUSED_STREAM whatever GOAWAY's code is: so they go
        // out once more.
        stream.closed(code == .refusedStream && isGoingAway && wantsHTTP1 ? .http11Required : code)
    }

    private func remove(_ stream: Stream) {
        streams[streams.count - 1].place = stream.place
        streams.swapAt(stream.place, streams.count - 1)
        streams.removeLast()
        stream.session = nil
    }

    private static func pointer(_ bytes: UnsafeRawBufferPointer) -> UnsafeMutablePointer<UInt8>? {
        UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    }

    static var failure: Int { Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue) }
}
