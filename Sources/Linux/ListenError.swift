// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// Why an address cannot be listened on; the description says what to do about it.
package enum ListenError: Error, Sendable, Equatable, CustomStringConvertible {
    case emptyPath
    case abstractPath(path: String)
    /// `bytes` of the path, without the terminating zero.
    case pathTooLong(path: String, bytes: Int)
    case directory(PrivateDirectoryError)
    case notASocket(path: String)
    case alreadyServed(path: String)
    case notAnAddress(text: String)
    case portTaken(address: String, port: UInt16)
    case privilegedPort(address: String, port: UInt16)
    /// No interface has the address, or the kernel has the family switched off.
    case noSuchAddress(address: String)
    case system(SystemError)

    /// sizeof sun_path is 108, one of it for the terminating zero (unix(7)).
    package static let pathLimit = 107

    package var description: String {
        switch self {
        case .emptyPath:
            "the socket's path is empty"
        case .abstractPath(let path):
            "\(path) looks like an abstract socket, which every user may connect to; name a file in a directory of its own"
        case .pathTooLong(let path, let bytes):
            "\(path) has \(bytes) bytes, a Unix socket's path at most \(Self.pathLimit); choose a shorter one, such as "
                + "$XDG_RUNTIME_DIR/menshen/menshen.sock"
        case .directory(let error):
            error.description
        case .notASocket(let path):
            "\(path) exists and is not a socket; remove it or choose another path"
        case .alreadyServed(let path):
            "\(path) is already served by another process; see who: ss -xlp src \(path)"
        case .notAnAddress(let text):
            "\(text) is not an IPv4 or IPv6 address"
        case .portTaken(let address, let port):
            "port \(port) on \(address) is taken by another process; see which: ss -ltnp 'sport = :\(port)'. "
                + "Stop it (systemd's own: systemctl --user stop menshen-tcp.socket) or choose another port with --listen"
        case .privilegedPort(let address, let port):
            "port \(port) on \(address) is reserved for root; choose a port from 1024 up"
        case .noSuchAddress(let address):
            "no network interface has the address \(address); see: ip address"
        case .system(let error):
            error.description
        }
    }
}
