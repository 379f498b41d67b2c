// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// Whose process listens on a TCP port of this machine, as the kernel's table of connections (proc(5), `net/tcp`) says.
package enum PortHolder {
    /// User id; nil: nobody listens there, or there is no table to be read. `address`: a literal, IPv6 without brackets.
    package static func user(of address: String, port: UInt16) -> UInt32? {
        for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
            guard let bytes = try? FileReading.bytes(path, limit: LoopbackPeer.limit) else { continue }
            if let uid = user(of: address, port: port, in: String(decoding: bytes, as: UTF8.self)) { return uid }
        }
        return nil
    }

    /// An IPv6 socket for all addresses counts for IPv4 as well: the table does not say whether it takes those.
    package static func user(of address: String, port: UInt16, in table: String) -> UInt32? {
        guard let own = words(address) else { return nil }
        let places = [own, String(repeating: "0", count: 8), String(repeating: "0", count: 32)].map {
            "\($0):\(LoopbackPeer.End.hexadecimal(UInt32(port), digits: 4))"
        }
        for line in table.split(separator: "\n").dropFirst() {
            let columns = line.split(separator: " ", maxSplits: 8, omittingEmptySubsequences: true)
            // 0A: it listens.
            guard columns.count > 7, columns[3] == "0A", places.contains(String(columns[1])) else { continue }
            return UInt32(columns[7])
        }
        return nil
    }

    /// As the table writes it: words as they stand in memory.
    private static func words(_ address: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let isLong = address.contains(":")
        guard inet_pton(isLong ? AF_INET6 : AF_INET, address, &bytes) == 1 else { return nil }
        return stride(from: 0, to: isLong ? 16 : 4, by: 4).map { place in
            let word = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: UInt32.self) }
            return LoopbackPeer.End.hexadecimal(word, digits: 8)
        }.joined()
    }
}
