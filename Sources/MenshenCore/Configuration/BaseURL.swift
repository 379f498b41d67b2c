// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A provider's address: `https://api.openai.com/v1`, or `unix:///run/llm.sock:/v1` for a server on a Unix socket.
package struct BaseURL: Sendable, Equatable, CustomStringConvertible {
    package let isTLS: Bool
    /// Host and optional port as they go into Host; "localhost" for a Unix socket.
    package let authority: String
    /// Path of a Unix socket to connect to in place of the authority.
    package let socketPath: String?
    /// Begins with "/" unless empty; no slash at the end.
    package let path: String

    /// nil if the text is not http://, https:// or unix://, or carries user information, a query or a fragment.
    package init?(_ text: String) {
        let isPlain = text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C }
        guard isPlain, !text.contains("?"), !text.contains("#") else { return nil }
        var path: Substring
        if text.hasPrefix("unix://") {
            let rest = text.dropFirst(7)
            guard rest.hasPrefix("/") else { return nil }
            let colon = rest.range(of: ":/")
            let socket = colon.map { rest[..<$0.lowerBound] } ?? rest
            guard socket.count > 1 else { return nil }
            isTLS = false
            authority = "localhost"
            socketPath = String(socket)
            path = colon.map { rest[rest.index(after: $0.lowerBound)...] } ?? ""
        } else {
            let scheme = text.hasPrefix("https://") ? 8 : text.hasPrefix("http://") ? 7 : 0
            guard scheme > 0 else { return nil }
            let rest = text.dropFirst(scheme)
            let slash = rest.firstIndex(of: "/") ?? rest.endIndex
            let host = rest[..<slash]
            guard Self.isAuthority(host) else { return nil }
            isTLS = scheme == 8
            authority = host.lowercased()
            socketPath = nil
            path = rest[slash...]
        }
        while path.last == "/" { path = path.dropLast() }
        self.path = String(path)
    }

    /// Without the port.
    package var host: Substring {
        let colon = authority.last == "]" ? nil : authority.lastIndex(of: ":")
        return authority[..<(colon ?? authority.endIndex)]
    }

    /// As it is given; nil: the scheme's own.
    package var port: Substring? { authority.utf8.count > host.utf8.count ? authority.dropFirst(host.count + 1) : nil }

    /// Whom a certificate must be for: an address of IPv6 without its brackets.
    package var hostName: String { String(host.drop { $0 == "[" }.prefix { $0 != "]" }) }

    /// The Host field as it goes out: without the scheme's own port and an address's zone.
    package var hostField: String {
        var field = authority == "\(host):\(isTLS ? 443 : 80)" ? String(host) : authority
        if let zone = field.firstIndex(of: "%"), let end = field.firstIndex(of: "]"), zone < end {
            field.removeSubrange(zone..<end)
        }
        return field
    }

    /// What libcurl connects to.
    package var origin: String { (isTLS ? "https://" : "http://") + authority }

    /// The same host and port without TLS.
    package var plainOrigin: String { "http://" + authority + (isTLS && port == nil ? ":443" : "") }

    package var description: String {
        socketPath.map { "unix://\($0)" + (path.isEmpty ? "" : ":\(path)") } ?? origin + path
    }

    private static func isAuthority(_ text: Substring) -> Bool {
        guard !text.isEmpty, !text.contains("@") else { return false }
        let portColon = text.last == "]" ? nil : text.lastIndex(of: ":")
        if let portColon {
            let digits = text[text.index(after: portColon)...]
            guard digits.utf8.allSatisfy({ (48...57).contains($0) }), UInt16(digits) ?? 0 > 0 else { return false }
        }
        let host = text[..<(portColon ?? text.endIndex)]
        if host.first == "[" { return host.last == "]" && host.count > 4 }
        return !host.isEmpty
            && host.utf8.allSatisfy { byte in
                switch byte {
                case 48...57, 65...90, 97...122, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
                default: false
                }
            }
    }
}

extension Substring {
    /// The first place of an ASCII text; the standard library's own needs Foundation or string processing.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<(index(start, offsetBy: text.count)) }
            formIndex(after: &start)
        }
        return nil
    }
}
