// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

/// Whose process is at the other end of a TCP connection within this machine, as the kernel's table of connections (proc(5), `net/tcp`)
/// says. Costs a read of that table.
package enum LoopbackPeer: Equatable {
    case user(UInt32)
    /// Its end is closed, or was handed on.
    case gone
    /// There is no table to be read here.
    case unknown

    /// Larger than the table of any machine that a person works on.
    static let limit = 64 << 20

    /// The other end of an accepted IPv4 connection.
    package static func find(_ descriptor: Int32) -> LoopbackPeer {
        guard let own = end(descriptor, isPeer: false), let peer = end(descriptor, isPeer: true) else { return .gone }
        var isKnown = false
        for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
            guard let bytes = try? FileReading.bytes(path, limit: limit) else { continue }
            isKnown = true
            if let uid = user(of: peer, to: own, in: String(decoding: bytes, as: UTF8.self)) { return .user(uid) }
        }
        return isKnown ? .gone : .unknown
    }

    /// One end of a connection as the table writes it: "0100007F:1F90".
    package struct End: Equatable {
        let address: String
        let port: String

        /// `address`: the four bytes in the order in which people write them.
        package init(_ address: [UInt8], port: UInt16) {
            // The kernel prints the word as it stands in memory.
            let word = address.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
            self.address = Self.hexadecimal(word, digits: 8)
            self.port = Self.hexadecimal(UInt32(port), digits: 4)
        }

        static func hexadecimal(_ number: UInt32, digits: Int) -> String {
            let text = String(number, radix: 16, uppercase: true)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }

        /// Also an IPv6 socket that speaks IPv4.
        fileprivate func isWritten(_ text: Substring) -> Bool {
            text == "\(address):\(port)" || text == "0000000000000000FFFF0000\(address):\(port)"
        }
    }

    /// Whose socket `peer` is. A socket that its process has closed is shown as root's while it lingers, so only one that is
    /// connected counts.
    package static func user(of peer: End, to own: End, in table: String) -> UInt32? {
        for line in table.split(separator: "\n").dropFirst() {
            let columns = line.split(separator: " ", maxSplits: 8, omittingEmptySubsequences: true)
            guard columns.count > 7, columns[3] == "01", peer.isWritten(columns[1]), own.isWritten(columns[2]) else {
                continue
            }
            return UInt32(columns[7])
        }
        return nil
    }

    private static func end(_ descriptor: Int32, isPeer: Bool) -> End? {
        var port: UInt16 = 0
        var text = [CChar](repeating: 0, count: 64)
        guard clinux_socket_address(descriptor, isPeer ? 1 : 0, &text, text.count, &port) == 0 else { return nil }
        let bytes = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .split(separator: ".").compactMap { UInt8($0) }
        return bytes.count == 4 ? End(bytes, port: port) : nil
    }
}
