// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CCurl
internal import Glibc

/// What libcurl wants of the loop that drives it.
package protocol MultiDelegate: AnyObject {
    /// libcurl has opened a socket: whatever is known under its number is of one that is closed. libcurl (7.88) closes a
    /// socket without a word while its connection, handshake included, is not made.
    func opened(_ socket: Int32)
    /// Poll the socket for this; it stays known until `forget`.
    func want(_ socket: Int32, readable: Bool, writable: Bool)
    /// Nothing is wanted of the socket for now; `isConnection` tells one, which may be used again, from a socket of
    /// the resolver, which libcurl closes without a word.
    func release(_ socket: Int32, isConnection: Bool)
    /// The socket is about to be closed.
    func forget(_ socket: Int32)
    /// Call `timedOut` in so many milliseconds; nil cancels.
    func wake(afterMilliseconds: Int?)
}

/// Owner of one CURLM*: many transfers on one thread, driven by a loop that polls the sockets itself
/// (curl_multi_socket_action). curl_multi_poll would look at every transfer in each turn.
package final class MultiHandle {
    private let handle: UnsafeMutableRawPointer
    private unowned let delegate: any MultiDelegate
    /// Connections, told from the resolver's sockets: only they pass through the socket-option callback.
    private var connections: Set<Int32> = []
    private var isInside = false

    /// `maxIdle`: libcurl's default is four per transfer, counted at a quiet moment, which closes the pool.
    package init(_ delegate: any MultiDelegate, maxIdle: Int) throws(CurlError) {
        guard let handle = curl_multi_init() else { throw CurlError(code: CURLE_OUT_OF_MEMORY.rawValue) }
        self.handle = handle
        self.delegate = delegate
        let me = Unmanaged.passUnretained(self).toOpaque()
        _ = ccurl_multi_set_socket_callback(handle) { _, socket, what, context, _ in
            MultiHandle.from(context)?.poll(socket, what)
            return 0
        }
        _ = ccurl_multi_set_pointer(handle, CURLMOPT_SOCKETDATA, me)
        _ = ccurl_multi_set_timer_callback(handle) { _, milliseconds, context in
            MultiHandle.from(context)?.delegate.wake(afterMilliseconds: milliseconds < 0 ? nil : milliseconds)
            return 0
        }
        _ = ccurl_multi_set_pointer(handle, CURLMOPT_TIMERDATA, me)
        _ = ccurl_multi_set_long(handle, CURLMOPT_MAXCONNECTS, maxIdle)
    }

    deinit { curl_multi_cleanup(handle) }

    /// Starts a transfer. The timer step runs at once: under HTTP/2, 7.88 fails all but two of several transfers that
    /// are added before one common step (CURLE_HTTP2_STREAM).
    package func add(_ easy: EasyHandle) {
        guard curl_multi_add_handle(handle, easy.handle) == CURLM_OK else { return }
        timedOut()
    }

    /// Takes a transfer out, finished or not. Never from inside a callback.
    package func remove(_ easy: EasyHandle) { curl_multi_remove_handle(handle, easy.handle) }

    package func timedOut() { act(CURL_SOCKET_TIMEOUT, 0) }

    package func ready(_ socket: Int32, readable: Bool, writable: Bool, failed: Bool) {
        var events: Int32 = 0
        if readable { events |= CURL_CSELECT_IN }
        if writable { events |= CURL_CSELECT_OUT }
        if failed { events |= CURL_CSELECT_ERR }
        act(socket, events)
    }

    private func act(_ socket: Int32, _ events: Int32) {
        var running: Int32 = 0
        curl_multi_socket_action(handle, socket, events, &running)
        report()
    }

    /// Hands finished transfers to their owners, which may start or remove others meanwhile.
    private func report() {
        guard !isInside else { return }
        isInside = true
        defer { isInside = false }
        var left: Int32 = 0
        while let message = curl_multi_info_read(handle, &left) {
            guard message.pointee.msg == CURLMSG_DONE else { continue }
            var context: UnsafeMutableRawPointer?
            let code = ccurl_message_result(message)
            guard ccurl_get_pointer(message.pointee.easy_handle, CURLINFO_PRIVATE, &context) == CURLE_OK,
                let easy = EasyHandle.from(context)
            else { continue }
            if code != CURLE_OK || !easy.keepsConnection { curl_multi_remove_handle(handle, easy.handle) }
            easy.finished(code == CURLE_OK ? nil : easy.error(code))
        }
    }

    private func poll(_ socket: Int32, _ what: Int32) {
        if what == CURL_POLL_REMOVE {
            delegate.release(socket, isConnection: connections.contains(socket))
        } else {
            delegate.want(socket, readable: what & CURL_POLL_IN != 0, writable: what & CURL_POLL_OUT != 0)
        }
    }

    func opened(_ socket: Int32) -> Int32 {
        connections.insert(socket)
        delegate.opened(socket)
        return CURL_SOCKOPT_OK
    }

    func closed(_ socket: Int32) -> Int32 {
        connections.remove(socket)
        delegate.forget(socket)
        return close(socket)
    }

    static func from(_ context: UnsafeMutableRawPointer?) -> MultiHandle? {
        context.map { Unmanaged<MultiHandle>.fromOpaque($0).takeUnretainedValue() }
    }
}
