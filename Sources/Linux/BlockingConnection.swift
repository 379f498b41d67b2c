// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

/// A connection that a thread of its own waits for. Closed with its holder.
package struct BlockingConnection: ~Copyable {
    package let descriptor: Int32

    /// The next one that comes to a listening socket. nil once that was stopped. Several threads may wait for the same socket.
    package static func accept(on listener: Int32, patience: Int) throws(SystemError) -> BlockingConnection? {
        while true {
            var polled = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
            if poll(&polled, 1, -1) < 0 {
                if errno == EINTR { continue }
                throw SystemError("poll", code: errno)
            }
            if Int32(polled.revents) & (POLLHUP | POLLERR | POLLNVAL) != 0 { return nil }
            // Another thread may have been quicker.
            if let accepted = try SocketIO.accept(listener) {
                return BlockingConnection(accepted, patience: patience)
            }
        }
    }

    /// `patience`: how long each read and write may take, in seconds.
    private init(_ descriptor: Int32, patience: Int) {
        self.descriptor = descriptor
        _ = clinux_set_nonblocking(descriptor, 0)
        SocketIO.setNoDelay(descriptor)
        SocketIO.setPatience(descriptor, seconds: patience, writing: true)
    }

    deinit { close(descriptor) }

    /// What has come; empty at the end, also one that came by a fault or because nothing did.
    package func read() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        guard case .bytes(let count) = buffer.withUnsafeMutableBytes({ SocketIO.read(descriptor, into: $0) }) else {
            return []
        }
        return Array(buffer[..<count])
    }

    /// False: the other end has left, or takes nothing.
    package func write(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard case .bytes(let count) = rest.withUnsafeBytes({ SocketIO.write(descriptor, $0) }) else {
                return false
            }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Writes all, and says that no more is coming; then waits until the other end has it, or for a moment. Closing with bytes
    /// unread would reset the connection, and the answer might be lost.
    package func finish(_ bytes: [UInt8]) {
        guard write(bytes) else { return }
        SocketIO.finishWriting(descriptor)
        var looks = 0
        while looks < 64, !read().isEmpty { looks += 1 }
    }
}
