// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// What a caller's target asks for: which provider, if it names one, and the path and query that go upstream.
package struct RequestTarget: Sendable, Equatable {
    /// From a first segment that is a provider's name.
    package let providerName: String?
    /// Without the provider's segment; begins with "/" and has no empty segments inside: "http://h/v1/" and
    /// "/chat/completions" make "/v1//chat/completions", which no provider knows.
    package let path: String
    /// Without credentials; nil if nothing is left.
    package let query: String?
    /// A credential of the caller's in the query, decoded; the last one, if there are several.
    package let queryKey: String?
    /// Its name, with small letters and dashes.
    package let queryKeyName: String?

    package init?(of head: RequestHead, providerNames: Set<String>) {
        self.init(
            path: head.text(head.path), query: head.query.map(head.text), providerNames: providerNames,
            shown: head.query == nil ? [] : CredentialNames.shown(in: head).map(head.text))
    }

    /// `shown`: what the caller has shown as its credential elsewhere; under a name that nobody has heard of it is still one.
    /// nil if the path holds a dot segment, plain or encoded: it would go out as it is and the provider would
    /// resolve it, past whatever was decided from the path.
    package init?(path given: String, query: String?, providerNames: Set<String>, shown: [String] = []) {
        guard given.isEmpty || given.hasPrefix("/") else { return nil }
        let raw = Self.withoutDoubledSlashes(given, providerNames)
        var path = raw
        var provider: String?
        let segments = raw.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for segment in segments where Self.isDotSegment(segment) { return nil }
        if let first = segments.first, providerNames.contains(String(first)), !Dialect.isClaimed(raw, query: query) {
            provider = String(first)
            path = String(raw.dropFirst(first.count + 1))
            if path.isEmpty { path = "/" }
        }
        providerName = provider
        self.path = path
        var kept: [Substring] = []
        var key: String?
        var keyName: String?
        for pair in (query ?? "").split(separator: "&", omittingEmptySubsequences: false) {
            let name = pair.prefix { $0 != "=" }
            if let known = CredentialNames.inQuery(PercentEncoding.decode(name)) {
                key = PercentEncoding.decode(pair.dropFirst(name.count + 1))
                keyName = known
            } else {
                kept.append(pair)
            }
        }
        let credentials = shown + (key.map { $0.utf8.count >= CredentialNames.shortest ? [$0] : [] } ?? [])
        if !credentials.isEmpty {
            kept.removeAll { pair in
                let name = pair.prefix { $0 != "=" }
                if Self.meanings.contains(String(name)) { return false }
                return CredentialNames.isShown(
                    PercentEncoding.decode(pair.dropFirst(name.count + 1)), among: credentials)
            }
        }
        queryKey = key
        queryKeyName = keyName
        let rest = kept.joined(separator: "&")
        self.query = rest.isEmpty ? nil : rest
    }

    /// Parameters that APIs know, whatever their value.
    private static let meanings = Set(Dialect.modelParameters + ["alt", "api-version", "beta"])

    /// The path as providers understand it, which read its escapes first: what is decided of a path is decided of this.
    package var plainPath: String {
        ByteSearch.occurs(UInt8(ascii: "%"), in: path) && !Dialect.keepsEscapes(of: path)
            ? PercentEncoding.decode(path[...]) : path
    }

    /// The bytes of a stored file are asked for, not what is known of it.
    package var isContent: Bool {
        path.hasSuffix("/content") || path.hasPrefix("/download/") || queryValue("alt") == "media"
    }

    /// The first value of that name in the query, decoded.
    package func queryValue(_ name: String) -> String? { queryValues(name).first }

    /// The query's parameters, decoded, in their order.
    package var queryParameters: [(name: String, value: String)] { PercentEncoding.pairs(query ?? "") }

    private func queryValues(_ name: String) -> [String] {
        (query ?? "").split(separator: "&").compactMap { pair in
            let found = pair.prefix { $0 != "=" }
            return PercentEncoding.decode(found) == name ? PercentEncoding.decode(pair.dropFirst(found.count + 1)) : nil
        }
    }

    /// Models that the query names.
    var queryModels: [String] { Dialect.modelParameters.flatMap(queryValues) }

    /// Which model a WebSocket's query names.
    package var queryModel: (name: String?, fault: ModelFault?) {
        let names = queryModels
        return (names.first, names.isEmpty ? .notInQuery : names.contains { $0 != names[0] } ? .several : nil)
    }

    /// The same target with another model in its query; nil where it has none there.
    package func askingInQuery(for model: String) -> RequestTarget? {
        guard queryModel.name != nil else { return nil }
        let name = String(decoding: PercentEncoding.escape(model.utf8, keepingSlashes: false), as: UTF8.self)
        let pairs = (query ?? "").split(separator: "&", omittingEmptySubsequences: false).map { pair in
            let key = pair.prefix { $0 != "=" }
            return Dialect.modelParameters.contains(PercentEncoding.decode(key)) ? key + "=" + name : String(pair)
        }
        return RequestTarget(self, path: path, query: pairs.joined(separator: "&"))
    }

    /// A base URL that ends with a slash gives "//chat" or "/v1//chat". Slashes are dropped there, at the start and
    /// after a version or a provider's name; what follows is the caller's business and stays as it is.
    private static func withoutDoubledSlashes(_ path: String, _ providerNames: Set<String>) -> String {
        guard path.contains("//") else { return path }
        var output = ""
        var rest = path[...]
        while rest.first == "/" {
            rest = rest.drop { $0 == "/" }
            let segment = rest.prefix { $0 != "/" }
            output += "/" + segment
            rest = rest.dropFirst(segment.count)
            guard isVersion(segment) || providerNames.contains(String(segment)) else { break }
        }
        return output + rest
    }

    /// Also one that only appears when an encoded slash is decoded first, one with a parameter ("..;x") or blanks, and any
    /// control character, at which some servers end a name: servers differ in what they resolve.
    private static func isDotSegment(_ segment: Substring) -> Bool {
        guard segment.utf8.contains(where: { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "%") }) else { return false }
        let text = PercentEncoding.decode(segment)
        // 0xFFFD stands for what is no UTF-8, such as a dot written in two bytes.
        if text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F || $0.value == 0xFFFD }) {
            return true
        }
        return text.split { $0 == "/" || $0 == "\\" }.contains { piece in
            let name = piece.prefix { $0 != ";" }.filter { $0 != " " }
            return name == "." || name == ".."
        }
    }

    /// The same target for another model, where the API has it in the path; nil where it has not.
    package func asking(for model: String, _ dialect: Dialect) -> RequestTarget? {
        let name = String(decoding: PercentEncoding.escape(model.utf8, keepingSlashes: false), as: UTF8.self)
        var segments = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard dialect.api.put(name, into: &segments) else { return nil }
        return RequestTarget(self, path: segments.joined(separator: "/"), query: query)
    }

    private init(_ other: RequestTarget, path: String, query: String?) {
        providerName = other.providerName
        self.path = path
        self.query = query
        queryKey = other.queryKey
        queryKeyName = other.queryKeyName
    }

    /// The target to send: the provider's base path joined with the caller's path, whatever base URL a person gave to
    /// either side: with, without or with a doubled version segment.
    package func upstream(base: String, kind: Dialect) -> String {
        var joined = Self.join(base: base, path: path, kind.api)
        if kind.api.escapesPaths { joined = PercentEncoding.escape(path: joined) }
        return query.map { joined + "?" + $0 } ?? joined
    }

    private static func join(base: String, path: String, _ api: any ProviderAPI.Type) -> String {
        var rest = path[...]
        // The caller may have taken over the provider's whole base path.
        while !base.isEmpty, rest.hasPrefix(base), rest.dropFirst(base.count).first == "/" || rest.count == base.count {
            rest = rest.dropFirst(base.count)
        }
        if let joined = api.join(base: base, rest) { return joined }
        let baseHasVersion = base.split(separator: "/").contains { isVersion($0) }
        if let version = leadingVersion(rest) {
            // "/v1/v1/chat" came from a base URL with /v1 and a client that adds it again.
            while let again = leadingVersion(rest.dropFirst(version.count + 1)), again == version {
                rest = rest.dropFirst(version.count + 1)
            }
            guard baseHasVersion else { return base + rest }
            let tail = base.split(separator: "/").last ?? ""
            let unversioned = base + rest.dropFirst(version.count + 1)
            if tail == version { return unversioned }
            if isVersion(tail) {
                // "/v1" is what people type for menshen; the provider's own ("/api/paas/v4") is what it understands.
                if api.hasOtherVersions, version == "v1" { return unversioned }
                return String(base.dropLast(tail.count + 1)) + rest
            }
            // A version further up is a gateway's ("/v1/ACCOUNT/GATEWAY/anthropic"). Its common paths have no other; behind
            // it, those of one company keep theirs.
            return api.keepsVersion || Dialect(path: path) != .common ? base + rest : unversioned
        }
        // Neither side has the version that the API's paths begin with.
        if base.isEmpty, let version = api.version, isAPIPath(rest) { return "/" + version + rest }
        return base + rest
    }

    private static func leadingVersion(_ path: Substring) -> Substring? {
        guard path.first == "/", let first = path.dropFirst().split(separator: "/", maxSplits: 1).first,
            isVersion(first)
        else {
            return nil
        }
        return first
    }

    static func isVersion(_ segment: Substring) -> Bool {
        switch segment {
        case "v1", "v1beta", "v1alpha", "v2", "v3", "v4": true
        default: false
        }
    }

    private static func isAPIPath(_ path: Substring) -> Bool {
        Dialect.isRoot(path.dropFirst().prefix { $0 != "/" })
    }
}

package enum PercentEncoding {
    private static let digits = Array("0123456789ABCDEF".utf8)

    /// What RFC 3986 §2.3 calls unreserved stays, slashes stay if asked, and all else is escaped.
    static func escape(_ text: some Sequence<UInt8>, keepingSlashes: Bool, keepingEscapes: Bool = false) -> [UInt8] {
        var output: [UInt8] = []
        for byte in text {
            switch byte {
            case 48...57, 65...90, 97...122, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                output.append(byte)
            case UInt8(ascii: "/") where keepingSlashes, UInt8(ascii: "%") where keepingEscapes: output.append(byte)
            default:
                output.append(UInt8(ascii: "%"))
                output.append(digits[Int(byte >> 4)])
                output.append(digits[Int(byte & 15)])
            }
        }
        return output
    }

    /// A path with everything escaped that is neither unreserved, a slash nor escaped already.
    static func escape(path: String) -> String {
        String(decoding: escape(path.utf8, keepingSlashes: true, keepingEscapes: true), as: UTF8.self)
    }

    /// What a form sends, decoded, in its order; a plus sign is a space.
    package static func pairs(_ text: String) -> [(name: String, value: String)] {
        text.split(separator: "&").map { pair in
            let name = pair.prefix { $0 != "=" }
            func decoded(_ text: Substring) -> String { decode(Substring(String(text.map { $0 == "+" ? " " : $0 }))) }
            return (decoded(name), decoded(pair.dropFirst(name.count + 1)))
        }
    }

    /// Decoded text; a percent sign that begins no escape stays.
    package static func decode(_ text: Substring) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let high = hex(bytes[index + 1]), let low = hex(bytes[index + 2])
            {
                output.append(high << 4 | low)
                index += 3
            } else {
                output.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }
}
