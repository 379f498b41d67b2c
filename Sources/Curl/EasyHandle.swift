// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CCurl

/// What a data callback tells libcurl.
package enum DataVerdict {
    case proceed
    /// The same bytes come again after `resume`.
    case pause
    case abort
}

/// What a read callback tells libcurl.
package enum UploadVerdict {
    /// So many bytes were written; 0 ends the body.
    case bytes(Int)
    case pause
    case abort
}

/// Receives what happens on an easy handle. Called on the multi handle's thread, from inside libcurl: it must not add
/// or remove transfers.
package protocol EasyDelegate: AnyObject {
    func received(headerLine: UnsafeRawBufferPointer) -> Bool
    func received(body: UnsafeRawBufferPointer) -> DataVerdict
    func upload(into buffer: UnsafeMutableRawBufferPointer) -> UploadVerdict
    /// The transfer is over and, unless it keeps its connection, out of the multi handle. Not called from inside
    /// libcurl; it may start or remove other transfers.
    func finished(_ result: CurlError?)
}

/// Owner of one CURL*, reused for many transfers. One thread owns it; its delegate owns it in turn and outlives it.
package final class EasyHandle {
    package enum HTTPVersion {
        case http1
        /// HTTP/2 where TLS negotiation offers it.
        case http2OverTLS
    }

    package enum Body {
        case none
        /// Kept by the caller until the transfer is over: libcurl does not copy it.
        case bytes(UnsafeRawBufferPointer)
        /// Fetched through the delegate; nil length means chunked.
        case upload(length: Int?)
    }

    private static let nothing: StaticString = ""

    let handle: UnsafeMutableRawPointer
    private unowned let delegate: any EasyDelegate
    /// See `connectOnly`.
    var keepsConnection = false

    /// Connections it opens are reported to `multi`, which outlives it.
    package init(_ delegate: any EasyDelegate, on multi: MultiHandle) throws(CurlError) {
        guard let handle = curl_easy_init() else { throw CurlError(code: CURLE_OUT_OF_MEMORY.rawValue) }
        self.handle = handle
        self.delegate = delegate
        try setUp(multi)
    }

    deinit { curl_easy_cleanup(handle) }

    // MARK: Options that stay

    private func setUp(_ multi: MultiHandle) throws(CurlError) {
        let me = UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
        let owner = UnsafeRawPointer(Unmanaged.passUnretained(multi).toOpaque())
        try set(pointer: CURLOPT_PRIVATE, me)
        try set(CURLOPT_NOSIGNAL, 1)
        try set(CURLOPT_BUFFERSIZE, ccurl_read_buffer())
        // A caller that leaves during a name look-up must not make the loop wait for the look-up's thread.
        try set(CURLOPT_QUICK_EXIT, 1)
        try set(string: CURLOPT_PROTOCOLS_STR, "http,https")
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_UNRESTRICTED_AUTH, 0)
        try set(CURLOPT_NETRC, 0)
        try set(CURLOPT_HTTP_CONTENT_DECODING, 0)
        // A proxy's answer to CONNECT is no head of the provider's.
        try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        try set(CURLOPT_TCP_NODELAY, 1)
        // Idle connections older than this are likely to be closed by the provider just as they are used.
        try set(CURLOPT_MAXAGE_CONN, 90)
        try CurlError.check(
            ccurl_set_data_callback(handle, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
                EasyHandle.from(context)?.header(bytes, size * count) ?? 0
            })
        try set(pointer: CURLOPT_HEADERDATA, me)
        try CurlError.check(
            ccurl_set_data_callback(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
                EasyHandle.from(context)?.body(bytes, size * count) ?? 0
            })
        try set(pointer: CURLOPT_WRITEDATA, me)
        try CurlError.check(
            ccurl_set_data_callback(handle, CURLOPT_READFUNCTION) { bytes, size, count, context in
                EasyHandle.from(context)?.read(bytes, size * count) ?? ccurl_readfunc_abort()
            })
        try set(pointer: CURLOPT_READDATA, me)
        try CurlError.check(
            ccurl_set_sockopt_callback(handle) { context, socket, _ in MultiHandle.from(context)?.opened(socket) ?? 1 })
        try set(pointer: CURLOPT_SOCKOPTDATA, owner)
        try CurlError.check(
            ccurl_set_close_callback(handle) { context, socket in MultiHandle.from(context)?.closed(socket) ?? 1 })
        try set(pointer: CURLOPT_CLOSESOCKETDATA, owner)
    }

    // MARK: Options of one transfer

    package func connect(timeoutMilliseconds: Int) throws(CurlError) {
        try set(CURLOPT_CONNECTTIMEOUT_MS, timeoutMilliseconds)
    }

    /// Sends `target` as it is. With a proxy for plain HTTP the target must be a whole URL, which only CURLOPT_URL makes.
    package func target(_ origin: Origin, _ url: String, _ target: UnsafePointer<CChar>, viaPlainProxy: Bool)
        throws(CurlError)
    {
        if viaPlainProxy {
            try set(pointer: CURLOPT_CURLU, nil)
            try set(string: CURLOPT_REQUEST_TARGET, nil)
            try set(CURLOPT_PATH_AS_IS, 1)
            try set(string: CURLOPT_URL, url + String(cString: target))
        } else {
            try set(pointer: CURLOPT_CURLU, UnsafeRawPointer(origin.handle))
            try set(string: CURLOPT_REQUEST_TARGET, target)
        }
    }

    /// Where connections go. An empty proxy keeps the environment's proxy variables out, and the
    /// empty list of exceptions its no_proxy.
    package func route(proxy: String, socketPath: String?, version: HTTPVersion) throws(CurlError) {
        try set(string: CURLOPT_PROXY, proxy)
        try set(string: CURLOPT_NOPROXY, "")
        if let socketPath {
            try set(string: CURLOPT_UNIX_SOCKET_PATH, socketPath)
        } else {
            try set(string: CURLOPT_UNIX_SOCKET_PATH, nil)
        }
        switch version {
        case .http1:
            try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
            try set(CURLOPT_PIPEWAIT, 0)
        case .http2OverTLS:
            try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
            // Wait for a connection that may carry more streams rather than open one for each.
            try set(CURLOPT_PIPEWAIT, 1)
        }
    }

    package func request(_ method: String, body: Body, headers: HeaderList) throws(CurlError) {
        try set(CURLOPT_NOBODY, 0)
        switch body {
        case .none:
            try set(CURLOPT_HTTPGET, 1)
        case .bytes(let bytes):
            try set(CURLOPT_POST, 1)
            try CurlError.check(ccurl_set_off(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count)))
            // An empty body still needs a pointer, or libcurl asks the read callback; it reads nothing there.
            try set(pointer: CURLOPT_POSTFIELDS, bytes.baseAddress ?? UnsafeRawPointer(Self.nothing.utf8Start))
        case .upload(let length):
            try set(CURLOPT_POST, 1)
            try set(pointer: CURLOPT_POSTFIELDS, nil)
            try CurlError.check(ccurl_set_off(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(length ?? -1)))
        }
        switch (method, body) {
        case ("GET", .none), ("POST", .bytes), ("POST", .upload): try set(string: CURLOPT_CUSTOMREQUEST, nil)
        case ("HEAD", .none):
            try set(string: CURLOPT_CUSTOMREQUEST, nil)
            try set(CURLOPT_NOBODY, 1)
        default: try set(string: CURLOPT_CUSTOMREQUEST, method)
        }
        try set(pointer: CURLOPT_HTTPHEADER, headers.list.map { UnsafeRawPointer($0) })
    }

    // MARK: During a transfer

    /// Goes on after a pause, in both directions. Paused bytes are delivered from inside this call.
    package func resume() { _ = curl_easy_pause(handle, ccurl_pause_continue()) }

    /// Before a transfer is given up: its connection is closed with it, unless other transfers use it. libcurl (7.88)
    /// only queues RST_STREAM, and nothing would send it on a connection that nobody uses.
    package func closeUnsharedConnection(_ closes: Bool) { try? set(CURLOPT_FORBID_REUSE, closes ? 1 : 0) }

    /// Sends what is queued on the HTTP/2 connection, RST_STREAM of a transfer given up above all: a side effect that
    /// any change of a pause has, where receiving is not paused.
    package func flushConnection() {
        _ = curl_easy_pause(handle, ccurl_pause_send())
        resume()
    }

    /// Tells connections apart; 0 without one. That of the last transfer stays until the next.
    package var localPort: Int {
        var port = 0
        return ccurl_get_long(handle, CURLINFO_LOCAL_PORT, &port) == CURLE_OK ? port : 0
    }

    /// Whether a connection to the upstream was ever there.
    package var hasConnected: Bool { microsecondsToRequest > 0 }

    /// From the transfer's start until its request began to go out; 0 before that.
    package var microsecondsToRequest: UInt64 {
        var micros: curl_off_t = 0
        let code = ccurl_get_off(handle, CURLINFO_PRETRANSFER_TIME_T, &micros)
        return code == CURLE_OK && micros > 0 ? UInt64(micros) : 0
    }

    private func header(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        delegate.received(headerLine: UnsafeRawBufferPointer(start: bytes, count: count)) ? count : 0
    }

    private func body(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        switch delegate.received(body: UnsafeRawBufferPointer(start: bytes, count: count)) {
        case .proceed: count
        case .pause: ccurl_writefunc_pause()
        // Anything but the count is an error; the count is never 0 here with a body.
        case .abort: count == 0 ? 1 : 0
        }
    }

    private func read(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        switch delegate.upload(into: UnsafeMutableRawBufferPointer(start: bytes, count: count)) {
        case .bytes(let filled): filled
        case .pause: ccurl_readfunc_pause()
        case .abort: ccurl_readfunc_abort()
        }
    }

    func finished(_ result: CurlError?) { delegate.finished(result) }

    static func from(_ context: UnsafeMutableRawPointer?) -> EasyHandle? {
        context.map { Unmanaged<EasyHandle>.fromOpaque($0).takeUnretainedValue() }
    }

    func set(_ option: CURLoption, _ value: Int) throws(CurlError) {
        try CurlError.check(ccurl_set_long(handle, option, value))
    }

    func set(pointer option: CURLoption, _ value: UnsafeRawPointer?) throws(CurlError) {
        try CurlError.check(ccurl_set_pointer(handle, option, value))
    }

    func set(string option: CURLoption, _ value: UnsafePointer<CChar>?) throws(CurlError) {
        try CurlError.check(ccurl_set_string(handle, option, value))
    }
}
