// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

/// Plays the service manager: hears what a daemon says about itself (sd_notify).
package final class ManagerSocket {
    package let path: String
    private let descriptor: Int32

    package init(_ path: String) throws {
        self.path = path
        descriptor = clinux_datagram_socket()
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0 else { throw TestFailure("bind \(path): errno \(errno)") }
    }

    deinit { close(descriptor) }

    /// Reads messages up to the one that has this line. Fails if `end` becomes readable first.
    @discardableResult
    package func wait(for line: String, orUntil end: Int32) throws -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                let text = String(decoding: buffer[..<count], as: UTF8.self)
                if text.split(separator: "\n").contains(Substring(line)) { return text }
                continue
            }
            var polls = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: end, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&polls, 2, Signal.patience)
            if ready < 0, errno == EINTR { continue }
            if ready == 0 { throw TestFailure("no \(line) within \(Signal.patience / 1000) s") }
            if polls[0].revents == 0 { throw TestFailure("the daemon ended before it said \(line)") }
        }
    }
}
