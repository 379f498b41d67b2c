// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// A Unix socket's path as the kernel wants it.
package struct UnixAddress {
    package let path: String

    package init(_ path: String) { self.path = path }

    /// A connected stream socket, blocking.
    package func connect() throws(SystemError) -> Int32 {
        try open(SOCK_STREAM, "connect") { Glibc.connect($0, $1, $2) }
    }

    /// A datagram socket of that name, non-blocking.
    package func bindDatagram() throws(SystemError) -> Int32 {
        let fd = try open(SOCK_DGRAM, "bind") { Glibc.bind($0, $1, $2) }
        _ = fcntl(fd, F_SETFL, O_NONBLOCK)
        return fd
    }

    private func open(
        _ type: __socket_type, _ call: String, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(SystemError) -> Int32 {
        let fd = socket(AF_UNIX, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { throw SystemError("socket", code: errno) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let code = errno
            close(fd)
            throw SystemError(call, code: code, subject: path)
        }
        return fd
    }
}
