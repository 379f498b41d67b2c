// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

/// Moves bytes on non-blocking sockets.
package enum SocketIO {
    package enum Outcome: Equatable {
        /// So many bytes; 0 from a read is the end of the stream.
        case bytes(Int)
        case wouldBlock
        /// The connection is gone; errno says how.
        case failed(Int32)
    }

    package static func read(_ fd: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        outcome { recv(fd, buffer.baseAddress, buffer.count, 0) }
    }

    package static func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) -> Outcome {
        outcome { send(fd, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
    }

    /// A new connection, non-blocking and close-on-exec; nil when there is none waiting.
    package static func accept(_ fd: Int32) throws(SystemError) -> Int32? {
        let accepted = clinux_accept(fd)
        switch -accepted {
        case EAGAIN, ECONNABORTED, EINTR: return nil
        default: return try SystemError.check(accepted, "accept4")
        }
    }

    /// Nothing waits to be read, the end included.
    package static func isSilent(_ fd: Int32) -> Bool {
        var byte: UInt8 = 0
        return recv(fd, &byte, 1, Int32(MSG_PEEK)) < 0 && errno == EAGAIN
    }

    /// Waits until one of two has something to be read, its end included.
    package static func awaitInput(_ one: Int32, _ other: Int32) -> (one: Bool, other: Bool) {
        var polled = [one, other].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while poll(&polled, 2, -1) < 0, errno == EINTR {}
        return (polled[0].revents != 0, polled[1].revents != 0)
    }

    /// Another number for the same socket, close-on-exec.
    package static func duplicate(_ fd: Int32) throws(SystemError) -> Int32 {
        let copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw SystemError("duplicate", code: errno, subject: "a socket") }
        return copy
    }

    /// How many bytes of a TCP connection the peer's kernel has taken at most; nil where that is not known.
    package static func acknowledged(_ fd: Int32) -> Int64? {
        let count = clinux_acknowledged(fd)
        return count < 0 ? nil : count
    }

    package static func setNoDelay(_ fd: Int32) { _ = clinux_set_nodelay(fd) }

    /// How long each read, and if `writing` each write, of a blocking socket may take.
    package static func setPatience(_ fd: Int32, seconds: Int, writing: Bool = false) {
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        for option in writing ? [SO_RCVTIMEO, SO_SNDTIMEO] : [SO_RCVTIMEO] {
            setsockopt(fd, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    /// Has the kernel ask a silent peer whether it is still there: after a minute, every half minute, nine times.
    package static func setKeepAlive(_ fd: Int32) {
        func set(_ level: Int32, _ option: Int32, _ value: Int32) {
            var value = value
            setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
        }
        set(SOL_SOCKET, SO_KEEPALIVE, 1)
        set(Int32(IPPROTO_TCP), TCP_KEEPIDLE, 60)
        set(Int32(IPPROTO_TCP), TCP_KEEPINTVL, 30)
        set(Int32(IPPROTO_TCP), TCP_KEEPCNT, 9)
    }

    /// Says that no more is coming, and keeps reading.
    package static func finishWriting(_ fd: Int32) { _ = shutdown(fd, Int32(SHUT_WR)) }

    /// Refuses new connections, and resets those that wait; never on a socket that systemd shares.
    package static func stopListening(_ fd: Int32) { _ = shutdown(fd, Int32(SHUT_RDWR)) }

    /// Makes close(2) send a reset, so that an answer that only the end of the connection delimits does not look whole.
    package static func resetOnClose(_ fd: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    package static func close(_ fd: Int32) { _ = Glibc.close(fd) }

    /// "127.0.0.1:49152" of the other end of a TCP connection.
    package static func peerAddress(_ fd: Int32) -> String {
        var port: UInt16 = 0
        var text = [CChar](repeating: 0, count: 128)
        guard clinux_socket_address(fd, 1, &text, text.count, &port) == 0 else { return "unknown" }
        let address = text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        return address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }

    private static func outcome(_ call: () -> Int) -> Outcome {
        while true {
            let count = call()
            if count >= 0 { return .bytes(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(errno)
            }
        }
    }
}
