// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// Every name under which SDKs, gateways and clouds send a credential, in headers and in queries. None of them goes upstream:
/// a gateway behind menshen would take a caller's key in place of the injected one. Underscores count as dashes.
enum CredentialNames {
    /// Fields that menshen knows for other reasons as well: it takes a proxy token from some, signs, or bills by them.
    static func isCredential(_ name: FieldName) -> Bool {
        switch name {
        case .authorization, .proxyAuthorization, .cookie, .amazonSecurityToken, .amazonDate, .amazonContentSHA256,
            .openAIOrganization, .openAIProject, .googleUserProject:
            true
        default: name.carriesKey
        }
    }

    private static let known = FieldName.allCases.filter(isCredential).map(\.rawValue)

    /// Fields of other gateways, clouds and providers.
    static let others = [
        "x-auth-token", "x-access-token", "x-auth-key", "x-auth", "x-token", "x-api-token", "x-secret-key", "apikey",
        "access-token", "auth-token", "token", "x-authorization", "authentication", "private-token", "x-session-token",
        // Azure's API management and functions; Vault's.
        "ocp-apim-subscription-key", "x-subscription-token", "x-functions-key", "x-vault-token",
        // Google's.
        "x-goog-iam-authorization-token", "x-serverless-authorization",
        // Gateways: Cloudflare, Helicone, Portkey, LiteLLM, Bifrost, RapidAPI, LangSmith.
        "cf-aig-authorization", "cf-access-client-secret", "helicone-auth", "helicone-openai-api-key",
        "x-portkey-api-key", "x-portkey-virtual-key", "x-litellm-api-key", "x-bf-vk", "x-bf-api-key", "x-rapidapi-key",
        "langsmith-api-key",
        // Providers whose own name is in it.
        "xi-api-key", "x-openai-api-key", "x-anthropic-api-key", "openai-api-key", "anthropic-api-key",
    ]

    private static let headers = NameTable(others + known)
    private static let parameters = NameTable(
        others + known
            + Dialect.keyParameters
            + [
                "subscription-key", "client-secret", "bearer-token", "x-amz-credential",
                "x-amz-signature",
            ])

    /// Whether a field that menshen does not know by its name carries one.
    static func isCredential(unknown field: RequestHead.Field, of head: RequestHead) -> Bool {
        headers.has(head.bytes.span, in: field.name)
    }

    static func isCredential(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        return headers.has(bytes.span, in: 0..<bytes.count)
    }

    /// The name, in small letters and with dashes, if a parameter of the query by that name is a credential: Google's
    /// (`key`, and `access_token` of its Live API), Azure's, which browsers use for WebSockets, and those of gateways.
    /// Capitals make another name there, but for those that stand for a header.
    static func inQuery(_ name: String) -> String? {
        let bytes = Array(name.utf8)
        let isHeader = name.hasPrefix("X-") || name.hasPrefix("x-")
        guard isHeader || !bytes.contains(where: { (65...90).contains($0) }) else { return nil }
        guard parameters.has(bytes.span, in: 0..<bytes.count) else { return nil }
        return String(decoding: bytes.map(NameTable.folded), as: UTF8.self)
    }

    /// Whether a field's value ends with what the caller has shown as its credential elsewhere, without a scheme. Shorter ones
    /// would be found by chance. `inQuery`: where the query holds one.
    static func repeatsCredential(
        _ field: RequestHead.Field, of head: RequestHead, inQuery: Range<Int>?
    ) -> Bool {
        if field.value.count < shortest { return false }
        for other in head.fields {
            guard let shown = shown(by: other, of: head) else { continue }
            if ends(field, with: shown, of: head) { return true }
        }
        return inQuery.map { ends(field, with: $0, of: head) } ?? false
    }

    private static func ends(_ field: RequestHead.Field, with shown: Range<Int>, of head: RequestHead) -> Bool {
        shown.count <= field.value.count
            && head.bytes[field.value].suffix(shown.count).elementsEqual(head.bytes[shown])
    }

    /// Where the head holds what a caller has shown as its credential, in a field or, as it is written there, in the query.
    static func shown(in head: RequestHead) -> [Range<Int>] {
        let inFields = head.fields.compactMap { shown(by: $0, of: head) }
        return shownInQuery(of: head).map { inFields + [$0] } ?? inFields
    }

    private static func shown(by field: RequestHead.Field, of head: RequestHead) -> Range<Int>? {
        switch field.known {
        case let name? where name == .authorization || name.carriesKey:
            let value = head.bytes[field.value]
            let start = value.lastIndex(of: 0x20).map { $0 + 1 } ?? value.startIndex
            return value.endIndex - start >= shortest ? start..<value.endIndex : nil
        default: return nil
        }
    }

    /// The last one counts, as in `RequestTarget`.
    static func shownInQuery(of head: RequestHead) -> Range<Int>? {
        guard let query = head.query else { return nil }
        for pair in head.bytes[query].split(separator: UInt8(ascii: "&")).reversed() {
            let name = pair.prefix { $0 != UInt8(ascii: "=") }
            let value = pair.dropFirst(name.count + 1)
            guard value.count >= shortest, inQuery(String(decoding: name, as: UTF8.self)) != nil else { continue }
            return value.startIndex..<value.endIndex
        }
        return nil
    }

    /// Whether a value of the query, decoded, is one of these, alone or behind a scheme.
    static func isShown(_ value: String, among shown: [String]) -> Bool {
        shown.contains { value == $0 || value.hasSuffix(" " + $0) }
    }

    static let shortest = 8
}

extension FieldName {
    /// Some API's key stands in it, and nothing else.
    var carriesKey: Bool {
        switch self {
        case .xAPIKey, .apiKey, .xGoogAPIKey: true
        default: false
        }
    }
}

/// Names found by their bytes, whatever their case, with underscores as dashes.
struct NameTable: Sendable {
    private var byLength: [[(name: [UInt8], place: Int)]] = []

    init(_ names: [String]) {
        for (place, name) in names.enumerated() {
            let bytes = Array(name.utf8)
            while byLength.count <= bytes.count { byLength.append([]) }
            byLength[bytes.count].append((bytes, place))
        }
    }

    func has(_ bytes: borrowing Span<UInt8>, in range: Range<Int>) -> Bool { place(of: bytes, in: range) != nil }

    /// Which of the names it is.
    func place(of bytes: borrowing Span<UInt8>, in range: Range<Int>) -> Int? {
        guard range.count < byLength.count else { return nil }
        for (name, place) in byLength[range.count] {
            var index = 0
            while index < name.count, Self.folded(bytes[range.lowerBound + index]) == name[index] { index += 1 }
            if index == name.count { return place }
        }
        return nil
    }

    static func folded(_ byte: UInt8) -> UInt8 { byte == UInt8(ascii: "_") ? UInt8(ascii: "-") : byte.lowercased }
}
