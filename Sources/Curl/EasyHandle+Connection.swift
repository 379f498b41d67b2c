// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CCurl

/// Hears of a handle that only connects: no bytes pass through libcurl by themselves.
package protocol ConnectionDelegate: EasyDelegate {}

extension ConnectionDelegate {
    package func received(headerLine: UnsafeRawBufferPointer) -> Bool { true }
    package func received(body: UnsafeRawBufferPointer) -> DataVerdict { .proceed }
    package func upload(into buffer: UnsafeMutableRawBufferPointer) -> UploadVerdict { .abort }
}

/// A handle that only connects, with resolver, proxy and TLS, and then hands its connection over: `finished(nil)` says
/// that it is there. The connection lives until the handle is taken out of the multi handle.
extension EasyHandle {
    /// What came of reading or writing on a connection.
    package enum Moved {
        /// From `receive`, 0 is the end of the stream.
        case bytes(Int)
        /// Try again when the socket is ready.
        case wouldBlock
        case failed(CurlError)
    }

    /// Seconds of silence before the kernel asks whether the other side is still there, and between its questions, of
    /// which it asks nine: a peer that vanished is noticed within six minutes.
    private static let keepAlive = (idle: 60, interval: 30)

    /// In place of `target` and `request`.
    package func connectOnly(_ origin: Origin) throws(CurlError) {
        keepsConnection = true
        try set(pointer: CURLOPT_CURLU, UnsafeRawPointer(origin.handle))
        try set(CURLOPT_CONNECT_ONLY, 1)
        // A proxy for plain HTTP would take our bytes for a request to itself.
        try set(CURLOPT_HTTPPROXYTUNNEL, 1)
        try set(CURLOPT_TCP_KEEPALIVE, 1)
        try set(CURLOPT_TCP_KEEPIDLE, Self.keepAlive.idle)
        try set(CURLOPT_TCP_KEEPINTVL, Self.keepAlive.interval)
    }

    /// What a proxy answered to CONNECT; nil if none was asked.
    package var proxyStatus: Int? {
        var status = 0
        return ccurl_get_long(handle, CURLINFO_HTTP_CONNECTCODE, &status) == CURLE_OK && status > 0 ? status : nil
    }

    /// The connection's socket, to be polled by its owner and closed by libcurl alone.
    package var socket: Int32? {
        var socket: curl_socket_t = -1
        return ccurl_get_socket(handle, CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK && socket >= 0 ? socket : nil
    }

    /// Never from inside a callback of libcurl. After `wouldBlock` the same bytes at the same address come first: OpenSSL
    /// has made a record of them.
    package func send(_ bytes: UnsafeRawBufferPointer) -> Moved {
        var count = 0
        return moved(curl_easy_send(handle, bytes.baseAddress, bytes.count, &count), count)
    }

    /// Never from inside a callback of libcurl. TLS may hold bytes that the socket does not show any more: read until
    /// `wouldBlock` before waiting.
    package func receive(into buffer: UnsafeMutableRawBufferPointer) -> Moved {
        var count = 0
        return moved(curl_easy_recv(handle, buffer.baseAddress, buffer.count, &count), count)
    }

    private func moved(_ code: CURLcode, _ count: Int) -> Moved {
        switch code {
        case CURLE_OK: .bytes(count)
        case CURLE_AGAIN: .wouldBlock
        default: .failed(CurlError(code: code.rawValue))
        }
    }
}
