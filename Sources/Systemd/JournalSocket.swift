// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
package import Linux

/// Sends entries to journald, or to whatever datagram socket stands at `path`. Never blocks, keeps no connection, so
/// a journald that restarts is found again. Any thread may send.
package final class JournalSocket: Sendable {
    package static let standardPath = "/run/systemd/journal/socket"

    package let path: String
    private let descriptor: Int32

    package init(path: String = JournalSocket.standardPath) throws(SystemError) {
        self.path = path
        descriptor = try SystemError.check(clinux_datagram_socket(), "socket", path)
    }

    deinit { close(descriptor) }

    package enum Outcome: Sendable {
        /// The kernel has it: journald will read it, or has to answer for it.
        case taken
        /// Somebody listens, but the queue is full. Trying again makes sense.
        case full
        /// Nobody listens, or the entry can't be passed.
        case absent
    }

    /// Whether the kernel took the entry.
    package func send(_ entry: JournalEntry) -> Bool { offer(entry) == .taken }

    package func offer(_ entry: JournalEntry) -> Outcome {
        let sent = transmit(entry)
        if sent >= 0 { return .taken }
        return sent == -Int(EAGAIN) ? .full : .absent
    }

    /// Bytes sent or a negative errno.
    private func transmit(_ entry: JournalEntry) -> Int {
        entry.bytes.withUnsafeBytes { buffer in
            let sent = clinux_send_datagram(descriptor, path, buffer.baseAddress, buffer.count, -1)
            // ENOBUFS: the same limit, seen by a kernel short of contiguous memory.
            guard sent == -Int(EMSGSIZE) || sent == -Int(ENOBUFS) else { return sent }
            let memory = clinux_sealed_memory("menshen-journal", buffer.baseAddress, buffer.count)
            guard memory >= 0 else { return Int(memory) }
            defer { close(memory) }
            return clinux_send_datagram(descriptor, path, nil, 0, memory)
        }
    }
}
