// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A TCP address to listen on: `:8080` and `localhost:8080` are loopback in both families, else an address literal and a port.
package struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
    /// As the user wrote it.
    package let description: String
    /// Address literals to bind, without brackets.
    package let addresses: [String]
    package let port: UInt16

    package init?(_ text: String) {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        let digits = text[text.index(after: colon)...]
        guard let port = UInt16(digits), port > 0, digits.utf8.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
            guard host.contains(":"), host.utf8.allSatisfy({ Self.isIPv6Byte($0) }) else { return nil }
        } else if !host.isEmpty, host != "localhost" {
            let parts = host.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 4, parts.allSatisfy({ UInt8($0) != nil && $0.first != "+" }) else { return nil }
        }
        description = text
        addresses = host.isEmpty || host == "localhost" ? ["127.0.0.1", "::1"] : [String(host)]
        self.port = port
    }

    /// True if only this machine can reach it.
    package var isLoopback: Bool { addresses.allSatisfy { $0 == "::1" || $0.hasPrefix("127.") } }

    private static func isIPv6Byte(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...70, 97...102, UInt8(ascii: ":"), UInt8(ascii: "."): true
        default: false
        }
    }
}
