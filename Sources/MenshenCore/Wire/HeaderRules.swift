// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// Which of a caller's header fields never go upstream: those of the connection, and every credential. All others pass,
/// because providers pair headers with body fields and dropping one breaks the request.
package struct HeaderRules {
    private let connectionOptions: [String]
    private let replaced: Set<String>
    private let shownInQuery: Range<Int>?

    /// `replaced`: the lower-case names that the provider's configuration sets itself.
    package init(for head: RequestHead, replaced: Set<String> = []) {
        connectionOptions = Self.connectionOptions(of: head)
        self.replaced = replaced
        shownInQuery = CredentialNames.shownInQuery(of: head)
    }

    /// Whether a field of that head goes upstream.
    package func forwards(_ field: RequestHead.Field, of head: RequestHead) -> Bool {
        if let known = field.known {
            if Self.isDropped(known) { return false }
            // The address of a request whose key stood in its query.
            if known == .referer, holdsCredential(field, of: head) { return false }
            if connectionOptions.isEmpty, replaced.isEmpty { return true }
        } else if isDropped(unknown: field, of: head) {
            return false
        }
        if connectionOptions.isEmpty, replaced.isEmpty { return true }
        let name = String(decoding: head.bytes[field.name].map(\.lowercased), as: UTF8.self)
        return !connectionOptions.contains(name) && !replaced.contains(name)
    }

    private func holdsCredential(_ referer: RequestHead.Field, of head: RequestHead) -> Bool {
        if head.contains(Self.queryKey, in: referer.value) || head.contains(Self.token, in: referer.value) {
            return true
        }
        return CredentialNames.shown(in: head).contains {
            head.contains(head.bytes[$0].map(\.lowercased), in: referer.value)
        }
    }

    private static let queryKey = Array("key=".utf8)
    private static let token = Array("access_token=".utf8)
    /// "X-Menshen-…" is how menshen talks to its own callers; "X-Forwarded-…" is what a proxy says of its caller, and menshen
    /// says nothing of its own.
    private static let prefixes = [Array("x-menshen-".utf8), Array("x-forwarded-".utf8)]
    /// These would have a server take another path or method than the one that was decided about, or tell it of an address
    /// that anybody can write.
    private static let overrides = NameTable([
        "x-original-url", "x-rewrite-url", "x-original-host", "x-http-method-override", "x-http-method",
        "x-method-override", "forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "x-cluster-client-ip",
        "cf-connecting-ip",
    ])

    private func isDropped(unknown field: RequestHead.Field, of head: RequestHead) -> Bool {
        for prefix in Self.prefixes
        where field.name.count >= prefix.count
            && head.bytes.span.equals(prefix, in: field.name.lowerBound..<field.name.lowerBound + prefix.count)
        { return true }
        if Self.overrides.has(head.bytes.span, in: field.name) { return true }
        if CredentialNames.isCredential(unknown: field, of: head) { return true }
        // Under a name that nobody has heard of, the caller's credential is still one.
        return CredentialNames.repeatsCredential(field, of: head, inQuery: shownInQuery)
    }

    package static func isDropped(_ name: FieldName) -> Bool {
        isHopByHop(name) || CredentialNames.isCredential(name) || isOurs(name)
    }

    /// RFC 9110 §7.6.1, and what belongs to an upgrade (`WebSocketUpgrade` writes that anew).
    private static func isHopByHop(_ name: FieldName) -> Bool {
        switch name {
        case .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .upgrade, .webSocketKey,
            .webSocketVersion, .webSocketProtocol, .webSocketExtensions:
            true
        default: false
        }
    }

    /// Written anew for the upstream.
    private static func isOurs(_ name: FieldName) -> Bool {
        switch name {
        case .host, .contentLength, .expect, .menshenRequestID: true
        default: false
        }
    }

    /// Names that the caller's Connection header declares to be for this hop only, in lower case.
    package static func connectionOptions(of head: RequestHead) -> [String] {
        var options: [String] = []
        for field in head.fields where field.known == .connection {
            for part in head.text(field.value).lowercased().split(separator: ",") {
                let name = part.filter { $0 != " " && $0 != "\t" }
                if name != "close", name != "keep-alive" { options.append(String(name)) }
            }
        }
        return options
    }
}
