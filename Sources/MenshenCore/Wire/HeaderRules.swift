// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// Which of a caller's header fields never go upstream: those of the connection, and every credential. All others pass,
/// because providers pair headers with body fields and dropping one breaks the request.
package enum HeaderRules {
    /// `fields` of `head` that go upstream, given the lower-case names the provider's configuration sets itself.
    package static func forwards(
        _ field: RequestHead.Field, of head: RequestHead, connectionOptions: [String], replaced: Set<String>
    ) -> Bool {
        if let known = field.known, isDropped(known) { return false }
        // The address of a request whose key stood in its query.
        if field.known == .referer, head.contains(queryKey, in: field.value) || head.contains(token, in: field.value) {
            return false
        }
        if connectionOptions.isEmpty, replaced.isEmpty, field.known != nil { return true }
        // "X-Menshen-…" is how menshen talks to its own callers.
        if field.name.count >= 10,
            head.bytes.span.equals(prefix, in: field.name.lowerBound..<field.name.lowerBound + 10)
        {
            return false
        }
        if connectionOptions.isEmpty, replaced.isEmpty { return true }
        let name = String(decoding: head.bytes[field.name].map(\.lowercased), as: UTF8.self)
        return !connectionOptions.contains(name) && !replaced.contains(name)
    }

    private static let queryKey = Array("key=".utf8)
    private static let token = Array("access_token=".utf8)
    private static let prefix = Array("x-menshen-".utf8)

    package static func isDropped(_ name: FieldName) -> Bool { isHopByHop(name) || isCredential(name) || isOurs(name) }

    /// RFC 9110 §7.6.1, and what belongs to an upgrade (`WebSocketUpgrade` writes that anew).
    private static func isHopByHop(_ name: FieldName) -> Bool {
        switch name {
        case .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .upgrade, .webSocketKey,
            .webSocketVersion, .webSocketProtocol, .webSocketExtensions:
            true
        default: false
        }
    }

    /// Every spelling of a key, signatures with what belongs to them, cookies, and the headers that choose who pays.
    package static func isCredential(_ name: FieldName) -> Bool {
        switch name {
        case .authorization, .proxyAuthorization, .xAPIKey, .apiKey, .xGoogAPIKey, .xAuthToken, .xAccessToken, .cookie,
            .amazonSecurityToken, .amazonDate, .amazonContentSHA256, .azureSubscriptionKey, .cloudflareAuthorization,
            .openAIOrganization, .openAIProject,
            .googleUserProject:
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
