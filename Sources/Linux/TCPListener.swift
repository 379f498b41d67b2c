// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

/// Listening TCP sockets.
package enum TCPListener {
    /// Binds a literal address (IPv6 without brackets, and then IPv6 only) and listens, non-blocking and close-on-exec.
    /// `port` 0 takes any free one. The caller owns the descriptor.
    package static func bind(
        _ address: String, port: UInt16, backlog: Int32 = UnixListener.backlog
    ) throws(ListenError) -> Int32 {
        let result = clinux_listen_tcp(address, port, backlog)
        switch -result {
        case ...0: return result
        case EINVAL: throw .notAnAddress(text: address)
        case EADDRINUSE: throw .portTaken(address: address, port: port)
        case EACCES where port < 1024: throw .privilegedPort(address: address, port: port)
        case EADDRNOTAVAIL, EAFNOSUPPORT: throw .noSuchAddress(address: address)
        case let code: throw .system(SystemError("bind", code: code, subject: "\(address) port \(port)"))
        }
    }

    /// The port a listening socket got.
    package static func port(of descriptor: Int32) throws(SystemError) -> UInt16 {
        var port: UInt16 = 0
        var text = [CChar](repeating: 0, count: 64)
        try SystemError.check(clinux_socket_address(descriptor, 0, &text, text.count, &port), "getsockname")
        return port
    }
}
