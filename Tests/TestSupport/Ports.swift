// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
internal import Synchronization

/// Ports below those that the kernel gives to outgoing connections, so that only another test could take one.
package enum FreePort {
    private static let last = Mutex(UInt16(20000 + Int(getpid()) % 9000))

    package static func next() throws -> UInt16 {
        for _ in 0..<1000 {
            let port = last.withLock { last in
                last = last >= 29999 ? 20000 : last + 1
                return last
            }
            // ":PORT" is both; a machine without IPv6 has one.
            let isFree = ["127.0.0.1", "::1"].allSatisfy { address in
                let descriptor = clinux_listen_tcp(address, port, 1)
                if descriptor < 0 { return descriptor != -EADDRINUSE }
                return close(descriptor) == 0
            }
            if isFree { return port }
        }
        throw TestFailure("no port is free")
    }

    /// A listening socket on a port that the kernel chose, to be inherited by a daemon.
    package static func listener() throws -> HeldPort {
        let descriptor = clinux_listen_tcp("127.0.0.1", 0, 128)
        guard descriptor >= 0 else { throw TestFailure("no port can be listened on") }
        return try HeldPort(descriptor)
    }

    /// A listening Unix socket, to be inherited by a daemon. The caller closes it.
    package static func listener(unix path: String) throws -> Int32 {
        let descriptor = clinux_listen_unix(path, 128)
        guard descriptor >= 0 else { throw TestFailure("\(path) cannot be listened on") }
        return descriptor
    }

    /// A port that refuses connections.
    package static func refusing() throws -> HeldPort {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard bound == 0 else { throw TestFailure("no port can be held") }
        return try HeldPort(descriptor)
    }

    /// A port where connecting takes for ever: its queue is full, so the kernel drops what comes.
    package static func silent() throws -> HeldPort {
        let descriptor = clinux_listen_tcp("127.0.0.1", 0, 1)
        guard descriptor >= 0 else { throw TestFailure("no port can be listened on") }
        let port = try HeldPort(descriptor)
        for _ in 0..<8 { port.attach(clinux_connect_tcp("127.0.0.1", port.number)) }
        return port
    }
}

/// A port that stays as it is as long as this object lives.
package final class HeldPort: Sendable {
    package let number: UInt16
    package let descriptor: Int32
    private let others = Mutex<[Int32]>([])

    init(_ descriptor: Int32) throws {
        var port: UInt16 = 0
        var text = [CChar](repeating: 0, count: 128)
        guard clinux_socket_address(descriptor, 0, &text, text.count, &port) == 0 else { throw TestFailure("no port") }
        self.descriptor = descriptor
        number = port
    }

    deinit {
        close(descriptor)
        others.withLock { for other in $0 { close(other) } }
    }

    func attach(_ descriptor: Int32) { others.withLock { $0.append(descriptor) } }
}
