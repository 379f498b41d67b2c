// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
package import HTTP

/// What the key of a request is made from, besides its head and body.
package struct CacheKeyParts: Sendable {
    let dialect: Dialect
    let operation: Operation
    let path: String
    let query: String?
    /// Of each provider that fits, in the configuration's order: whatever decides what it answers. See `describe`.
    package var providers: [[String]] = []
    /// As the caller names it.
    package var model: String?
    package var isStream = false
    /// The caller will see a chat stream's usage chunk: it asked for it, or the provider's settings add and keep it.
    package var showsUsage = false
    /// `CacheScope.identity`.
    package var caller: [String] = []
    /// Others may be given the answer.
    package var isShared = false

    /// `path` and `query` as `RequestTarget` has them: without credentials.
    package init(dialect: Dialect, operation: Operation, path: String, query: String?) {
        self.dialect = dialect
        self.operation = operation
        self.path = path
        self.query = query
    }

    /// The settings of a provider that a request reaches it with. Values of headers may be secrets, so only their digests
    /// are used.
    package static func describe(_ provider: Provider) -> [String] {
        let headers = provider.headers.map { header in
            header.name.lowercased() + "="
                + header.value.digest.rawValue.map { String($0, radix: 16) }.joined(separator: ".")
        }
        return [provider.name, provider.kind.rawValue, provider.baseURL.description, provider.signing?.region ?? ""]
            + headers
    }
}

/// The name of an answer in the cache: SHA-256 over everything that decides what a provider answers, and whom the answer
/// is for. Two requests share one only if they are equal in all of it.
package struct CacheKey: Sendable, Hashable {
    private let first, second, third, fourth: UInt64

    /// Longer bodies are not cached: to bring them into one form and hash them takes the loop's time for milliseconds.
    package static let maxBodyBytes = 1 << 20

    /// Raised whenever the same request shall no longer have the same key.
    private static let version = "menshen cache key 1"

    /// Top-level members that say who asks, not what is asked: left out of the key where an answer stays with its caller.
    /// `user`, `metadata` and `safety_identifier` name the end user, `prompt_cache_key` groups requests for the provider's
    /// own cache. Answers may repeat them, so those that callers share are told apart by them.
    package static let ownMembers = ["user", "metadata", "safety_identifier", "prompt_cache_key"]
    /// What it changes in an answer is `showsUsage`.
    private static let omitted = [quoted("stream_options")]
    private static let omittedAmongOwn = omitted + ownMembers.map(quoted)

    private static func quoted(_ name: String) -> [UInt8] { Array("\"\(name)\"".utf8) }

    /// nil if the request can't be answered from a cache. `body` is whole, and as the caller sent it.
    package init?(_ parts: CacheKeyParts, _ head: RequestHead, body: [UInt8]) {
        guard head.method == .post, body.count <= Self.maxBodyBytes, parts.operation.isCacheable(path: parts.path),
            let text = CanonicalJSON.text(body, omitting: parts.isShared ? Self.omitted : Self.omittedAmongOwn),
            !CachePolicy.isStateful(parts.operation, body)
        else { return nil }
        var message = Message()
        message.add(Self.version)
        message.add(parts.dialect.rawValue)
        message.add(parts.operation.rawValue)
        message.add(head.method.rawValue)
        message.add(parts.path)
        message.add([parts.query].compactMap { $0 })
        message.add(count: parts.providers.count)
        for provider in parts.providers { message.add(provider) }
        message.add([parts.model].compactMap { $0 })
        message.add(parts.isStream ? "stream" : "")
        message.add(parts.showsUsage ? "usage" : "")
        message.add(parts.caller)
        message.add(CacheHeaders.lines(of: head))
        message.add(Digest(of: text).rawValue)
        self.init(Digest(of: message.bytes).rawValue)
    }

    private init(_ digest: [UInt8]) {
        func word(_ index: Int) -> UInt64 { digest[index * 8..<index * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        (first, second, third, fourth) = (word(0), word(1), word(2), word(3))
    }

    /// 32 bytes.
    package var bytes: [UInt8] {
        [first, second, third, fourth].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) }
        }
    }

    /// Fields with their lengths before them, so that nothing can move from one into the next.
    private struct Message {
        var bytes: [UInt8] = []

        mutating func add(count: Int) {
            for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: count >> (8 * shift))) }
        }

        mutating func add(_ text: [UInt8]) {
            add(count: text.count)
            bytes += text
        }

        mutating func add(_ text: String) { add(Array(text.utf8)) }

        mutating func add(_ texts: [String]) {
            add(count: texts.count)
            for text in texts { add(text) }
        }
    }
}
