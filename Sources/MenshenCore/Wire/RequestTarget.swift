// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors


/// What a caller's target asks for: which provider, if it names one, and the path and query that go upstream.
package struct RequestTarget: Sendable, Equatable {
    /// From a first segment that is a provider's name.
    package let providerName: String?
    /// Without the provider's segment; begins with "/".
    package let path: String
    /// Without credentials; nil if nothing is left.
    package let query: String?
    /// A credential of the caller's in the query (`?key=`), decoded.
    package let queryKey: String?

    /// nil if the path holds a dot segment, plain or encoded: libcurl would send it as it is and the provider would
    /// resolve it, past whatever was decided from the path.
    package init?(path raw: String, query: String?, providerNames: Set<String>) {
        var path = raw
        var provider: String?
        let segments = raw.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for segment in segments where Self.isDotSegment(segment) { return nil }
        if let first = segments.first, providerNames.contains(String(first)), !Self.isAzurePath(raw) {
            provider = String(first)
            path = String(raw.dropFirst(first.count + 1))
            if path.isEmpty { path = "/" }
        }
        providerName = provider
        self.path = path
        var kept: [Substring] = []
        var key: String?
        for pair in (query ?? "").split(separator: "&", omittingEmptySubsequences: false) {
            let name = pair.prefix { $0 != "=" }
            if PercentEncoding.decode(name) == "key" {
                key = PercentEncoding.decode(pair.dropFirst(name.count + 1))
            } else {
                kept.append(pair)
            }
        }
        queryKey = key
        let rest = kept.joined(separator: "&")
        self.query = rest.isEmpty ? nil : rest
    }

    private static func isAzurePath(_ path: String) -> Bool { path.hasPrefix("/openai/deployments/") }

    private static func isDotSegment(_ segment: Substring) -> Bool {
        guard segment.utf8.count <= 6 else { return false }
        let plain = PercentEncoding.decode(segment)
        return plain == "." || plain == ".."
    }

    /// The target to send: the provider's base path joined with the caller's path, whatever base URL a person gave to
    /// either side: with, without or with a doubled version segment.
    package func upstream(base: String, kind: Provider.Kind) -> String {
        let joined = Self.join(base: base, path: path, kind: kind)
        return query.map { joined + "?" + $0 } ?? joined
    }

    private static func join(base: String, path: String, kind: Provider.Kind) -> String {
        var rest = path[...]
        // The caller may have taken over the provider's whole base path.
        while !base.isEmpty, rest.hasPrefix(base), rest.dropFirst(base.count).first == "/" || rest.count == base.count {
            rest = rest.dropFirst(base.count)
        }
        let baseHasVersion = base.split(separator: "/").contains { isVersion($0) }
        if let version = leadingVersion(rest) {
            // "/v1/v1/chat" came from a base URL with /v1 and a client that adds it again.
            while let again = leadingVersion(rest.dropFirst(version.count + 1)), again == version {
                rest = rest.dropFirst(version.count + 1)
            }
            guard baseHasVersion else { return base + rest }
            let tail = base.split(separator: "/").last ?? ""
            if isVersion(tail), tail != version { return String(base.dropLast(tail.count + 1)) + rest }
            return base + rest.dropFirst(version.count + 1)
        }
        // Neither side has the version that the API's paths begin with.
        if base.isEmpty, let version = impliedVersion(kind), isAPIPath(rest) { return "/" + version + rest }
        return base + rest
    }

    private static func leadingVersion(_ path: Substring) -> Substring? {
        guard path.first == "/", let first = path.dropFirst().split(separator: "/", maxSplits: 1).first, isVersion(first) else {
            return nil
        }
        return first
    }

    private static func isVersion(_ segment: Substring) -> Bool {
        switch segment {
        case "v1", "v1beta", "v1alpha", "v2", "v3", "v4": true
        default: false
        }
    }

    private static func impliedVersion(_ kind: Provider.Kind) -> String? {
        switch kind {
        case .openai, .anthropic: "v1"
        case .gemini: "v1beta"
        case .azure: nil
        }
    }

    private static func isAPIPath(_ path: Substring) -> Bool {
        switch path.dropFirst().prefix(while: { $0 != "/" }) {
        case "chat", "completions", "responses", "embeddings", "models", "images", "audio", "files", "batches",
            "moderations", "messages", "uploads", "fine_tuning", "vector_stores", "assistants", "threads", "realtime":
            true
        default: false
        }
    }
}

enum PercentEncoding {
    /// Decoded text; a percent sign that begins no escape stays.
    static func decode(_ text: Substring) -> String {
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
