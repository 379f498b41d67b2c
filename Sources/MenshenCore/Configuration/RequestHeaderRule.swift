// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

/// `headers` of a provider and of telemetry: what may be added to every request.
enum RequestHeaderRule {
    /// RFC 9110 §7.6.1 and §7.8, and what menshen itself writes for each request.
    private static let refused: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
        "transfer-encoding", "upgrade", "host", "content-length", "expect",
    ]

    static func headers(_ section: ConfigurationSection) -> [Provider.Header] {
        let reading = section.reading
        let key = "\(section.path).headers"
        var headers: [Provider.Header] = []
        var seen: Set<String> = []
        for (name, span, value) in section.textTable("headers") ?? [] {
            if !isName(name) {
                reading.error(at: span, "\(key): this is not the name of a header")
            } else if refused.contains(name.lowercased()) {
                reading.error(
                    at: span, "\(key): menshen writes the header \(name.lowercased()) itself",
                    hint: "remove it")
            } else if !seen.insert(name.lowercased()).inserted {
                reading.error(at: span, "\(key): \(name.lowercased()) is given twice")
            }
            guard isValue(value.text) else {
                reading.error(
                    at: value.span, "\(key): the value holds a line break or another control character")
                continue
            }
            headers.append(
                Provider.Header(
                    name: name, value: Secret(value.text),
                    isSecret: value.isExpanded || CredentialNames.isCredential(name)))
        }
        return headers
    }

    static func isName(_ text: String) -> Bool { !text.isEmpty && text.utf8.allSatisfy(isTokenByte) }

    /// RFC 9110 §5.5; a tab is the one control character allowed.
    static func isValue(_ text: String) -> Bool { text.utf8.allSatisfy { $0 == 9 || ($0 >= 0x20 && $0 != 0x7F) } }

    /// RFC 9110 §5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122: true
        default: Array("!#$%&'*+-.^_`|~".utf8).contains(byte)
        }
    }
}
