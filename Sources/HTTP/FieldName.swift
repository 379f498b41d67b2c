// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The header fields that menshen itself acts upon; every other field only passes through.
package enum FieldName: String, Sendable, CaseIterable {
    case accept, age, authorization, connection, cookie, date, expect, host, origin, pragma, referer, server, te,
        trailer, upgrade, via
    case acceptEncoding = "accept-encoding"
    case cacheControl = "cache-control"
    case contentEncoding = "content-encoding"
    case contentLength = "content-length"
    case contentType = "content-type"
    case keepAlive = "keep-alive"
    case proxyAuthenticate = "proxy-authenticate"
    case proxyAuthorization = "proxy-authorization"
    case proxyConnection = "proxy-connection"
    case transferEncoding = "transfer-encoding"
    case xCache = "x-cache"
    case retryAfter = "retry-after"
    case serverTiming = "server-timing"
    case retryAfterMilliseconds = "retry-after-ms"
    case userAgent = "user-agent"
    case secFetchSite = "sec-fetch-site"
    case accessControlAllowOrigin = "access-control-allow-origin"
    case accessControlRequestMethod = "access-control-request-method"
    // Credentials, in the spelling of each provider.
    case apiKey = "api-key"
    case xAPIKey = "x-api-key"
    case xGoogAPIKey = "x-goog-api-key"
    case amazonSecurityToken = "x-amz-security-token"
    case amazonDate = "x-amz-date"
    case amazonContentSHA256 = "x-amz-content-sha256"
    // These choose who pays.
    case openAIOrganization = "openai-organization"
    case openAIProject = "openai-project"
    case googleUserProject = "x-goog-user-project"
    // Only one company's SDKs send these.
    case anthropicVersion = "anthropic-version"
    case anthropicBeta = "anthropic-beta"
    case amazonInvocation = "amz-sdk-invocation-id"
    case googleAPIClient = "x-goog-api-client"
    // Of a change to WebSocket (RFC 6455 §11.3).
    case webSocketAccept = "sec-websocket-accept"
    case webSocketExtensions = "sec-websocket-extensions"
    case webSocketKey = "sec-websocket-key"
    case webSocketProtocol = "sec-websocket-protocol"
    case webSocketVersion = "sec-websocket-version"
    // Ours; an upstream that is a menshen too says its own.
    case menshenRequestID = "x-menshen-request-id"
    /// Of a session that `menshen dashboard` keeps: what its forms carry.
    case menshenForm = "x-menshen-form"

    /// Its value is taken apart at commas somewhere.
    var isList: Bool {
        switch self {
        case .connection, .upgrade, .webSocketProtocol, .acceptEncoding, .cacheControl, .pragma: true
        default: false
        }
    }

    private struct Candidate {
        let name: FieldName
        let bytes: [UInt8]
    }

    private static let byLength: [[Candidate]] = {
        var table: [[Candidate]] = []
        for name in FieldName.allCases {
            let bytes = Array(name.rawValue.utf8)
            while table.count <= bytes.count { table.append([]) }
            table[bytes.count].append(Candidate(name: name, bytes: bytes))
        }
        return table
    }()

    /// Finds a name, whatever its case; nil for a field that is none of ours.
    package init?(_ bytes: borrowing Span<UInt8>, in range: Range<Int>) {
        guard range.count < Self.byLength.count else { return nil }
        for candidate in Self.byLength[range.count]
        where bytes.equals(candidate.bytes, in: range) {
            self = candidate.name
            return
        }
        return nil
    }
}

extension Span where Element == UInt8 {
    /// Whether a part of the bytes is exactly `text`.
    package func holds(_ text: [UInt8], in range: Range<Int>) -> Bool {
        guard range.count == text.count else { return false }
        for index in 0..<text.count where self[range.lowerBound + index] != text[index] { return false }
        return true
    }

    /// Whether a part of the bytes is `lowercase` when ASCII capitals count as small letters.
    package func equals(_ lowercase: [UInt8], in range: Range<Int>) -> Bool {
        guard range.count == lowercase.count else { return false }
        for index in 0..<lowercase.count where self[range.lowerBound + index].lowercased != lowercase[index] {
            return false
        }
        return true
    }
}

extension Span where Element == UInt8 {
    /// Whether `lowercase` stands somewhere in a part of the bytes, ASCII capitals counting as small letters.
    package func contains(_ lowercase: [UInt8], in range: Range<Int>) -> Bool {
        guard range.count >= lowercase.count, let first = lowercase.first else { return lowercase.isEmpty }
        for start in range.lowerBound...range.upperBound - lowercase.count
        where self[start].lowercased == first && equals(lowercase, in: start..<start + lowercase.count) { return true }
        return false
    }

    /// A part of the bytes, in one move.
    package func copy(_ range: Range<Int>) -> [UInt8] {
        // SAFETY: the span keeps the memory alive during the call, and the slice checks the range.
        unsafe withUnsafeBufferPointer { unsafe Array($0[range]) }
    }
}

extension UInt8 {
    /// ASCII capitals as small letters; other bytes as they are.
    package var lowercased: UInt8 { (65...90).contains(self) ? self | 0x20 : self }
}
