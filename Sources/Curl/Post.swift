// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CCurl

/// Sends a body and waits for the answer, for a thread of its own that has nothing else to do. Keeps its connections. One
/// thread owns it. Redirects are answers like others, and the environment's proxy variables don't apply.
package final class Post {
    package struct Answer: Sendable {
        package let status: Int
        /// Seconds that the answer asks to wait; nil if it does not.
        package let retryAfter: Int?
        package let body: [UInt8]
        /// False: there was more than the limit, and the rest was not read.
        package let isWhole: Bool
    }

    package enum Outcome {
        case answered(Answer)
        case failed(CurlError)
        /// `mayGoOn` said so.
        case stopped
    }

    private let multi: UnsafeMutableRawPointer
    private let easy: UnsafeMutableRawPointer
    /// What of an answer's body is kept.
    private let limit: Int
    /// Readable when `mayGoOn` is to be asked again.
    private let wake: Int32
    private var body: [UInt8] = []
    private var isCut = false

    /// `caFile`: what the other side is verified with, in place of the system's.
    package init(limit: Int, wake: Int32, caFile: String?) throws(CurlError) {
        guard let multi = curl_multi_init() else { throw CurlError(code: CURLE_OUT_OF_MEMORY.rawValue) }
        guard let easy = curl_easy_init() else {
            curl_multi_cleanup(multi)
            throw CurlError(code: CURLE_OUT_OF_MEMORY.rawValue)
        }
        self.multi = multi
        self.easy = easy
        self.limit = limit
        self.wake = wake
        try setUp()
        guard let caFile else { return }
        try set(CURLOPT_CAINFO, caFile)
        // libcurl would look into the system's directory as well.
        try CurlError.check(ccurl_set_string(easy, CURLOPT_CAPATH, nil))
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_multi_cleanup(multi)
    }

    private func setUp() throws(CurlError) {
        try set(CURLOPT_NOSIGNAL, 1)
        // The process's end must not wait for a name look-up.
        try set(CURLOPT_QUICK_EXIT, 1)
        try set(CURLOPT_PROTOCOLS_STR, "http,https")
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_NETRC, 0)
        try set(CURLOPT_PROXY, "")
        try set(CURLOPT_NOPROXY, "")
        try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        try CurlError.check(
            ccurl_set_data_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
                guard let context else { return 0 }
                let post = Unmanaged<Post>.fromOpaque(context).takeUnretainedValue()
                return post.take(UnsafeRawBufferPointer(start: bytes, count: size * count))
            })
        let me = UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
        try CurlError.check(ccurl_set_pointer(easy, CURLOPT_WRITEDATA, me))
    }

    /// `mayGoOn` is asked whenever the wake's descriptor is readable, which it clears, and once a second at least.
    package func send(
        _ bytes: [UInt8], to url: String, _ headers: HeaderList, timeoutMilliseconds: Int, mayGoOn: () -> Bool
    ) -> Outcome {
        body = []
        isCut = false
        return bytes.withUnsafeBytes { bytes in
            do throws(CurlError) {
                try set(CURLOPT_URL, url)
                try set(CURLOPT_TIMEOUT_MS, timeoutMilliseconds)
                try set(CURLOPT_POST, 1)
                try CurlError.check(ccurl_set_off(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count)))
                try CurlError.check(ccurl_set_pointer(easy, CURLOPT_POSTFIELDS, bytes.baseAddress))
                try CurlError.check(
                    ccurl_set_pointer(easy, CURLOPT_HTTPHEADER, headers.list.map { UnsafeRawPointer($0) }))
            } catch {
                return .failed(error)
            }
            curl_multi_add_handle(multi, easy)
            defer { curl_multi_remove_handle(multi, easy) }
            return perform(mayGoOn)
        }
    }

    /// Waits until the wake's descriptor is readable, or for so long. May return early.
    package func pause(milliseconds: Int) {
        var waits = curl_waitfd(fd: wake, events: Int16(CURL_WAIT_POLLIN), revents: 0)
        curl_multi_poll(multi, &waits, 1, Int32(clamping: milliseconds), nil)
    }

    private func perform(_ mayGoOn: () -> Bool) -> Outcome {
        while true {
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            var left: Int32 = 0
            while let message = curl_multi_info_read(multi, &left) {
                if message.pointee.msg == CURLMSG_DONE { return outcome(ccurl_message_result(message)) }
            }
            guard mayGoOn() else { return .stopped }
            pause(milliseconds: 1000)
        }
    }

    private func outcome(_ code: CURLcode) -> Outcome {
        var status = 0
        let hasStatus = ccurl_get_long(easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status > 0
        guard hasStatus, code == CURLE_OK || isCut else { return .failed(CurlError(code: code.rawValue)) }
        var seconds: curl_off_t = 0
        let isAsked = ccurl_get_off(easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0
        return .answered(
            Answer(status: status, retryAfter: isAsked ? Int(seconds) : nil, body: body, isWhole: !isCut))
    }

    /// Anything but the count ends the transfer.
    private func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        if body.count + bytes.count > limit {
            isCut = true
            return bytes.isEmpty ? 1 : 0
        }
        body += bytes
        return bytes.count
    }

    private func set(_ option: CURLoption, _ value: Int) throws(CurlError) {
        try CurlError.check(ccurl_set_long(easy, option, value))
    }

    private func set(_ option: CURLoption, _ value: String) throws(CurlError) {
        try CurlError.check(ccurl_set_string(easy, option, value))
    }
}
