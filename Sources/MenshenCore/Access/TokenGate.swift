// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Crypto
package import HTTP

/// Finds a proxy token in a request, in whichever header the caller's SDK puts its key, among those of the configuration and
/// those that `menshen token` has given out.
package struct TokenGate: Sendable {
    package enum Verdict: Sendable, Equatable {
        case missing
        case valid(AccessToken)
        /// What was shown is no token that anybody here knows of.
        case invalid
        case refused(Refusal)

        /// A token of menshen's was shown, whatever has become of it.
        package var isOfOurs: Bool {
            switch self {
            case .valid, .refused: true
            case .missing, .invalid: false
            }
        }

        package var tokenName: String? { if case .valid(let token) = self { token.name } else { nil } }
    }

    /// What is wrong with a token of menshen's form: whoever shows it means to be judged by it. The most telling is last.
    package enum Refusal: Sendable, Equatable {
        /// Given out by another menshen, or by none.
        case unknown
        case misspelt
        case unreadable
        case replaced(String)
        case expired(String)
        case revoked(String)

        /// Of the token, where it was one once.
        package var name: String? {
            switch self {
            case .unknown, .misspelt, .unreadable: nil
            case .replaced(let name), .expired(let name), .revoked(let name): name
            }
        }

        private var rank: Int {
            switch self {
            case .unknown: 1
            case .misspelt: 2
            case .unreadable: 3
            case .replaced: 4
            case .expired: 5
            case .revoked: 6
            }
        }

        func isMoreTelling(than other: Refusal) -> Bool { rank > other.rank }
    }

    private let configured: [Digest: AccessToken]
    package var issued: IssuedTokens
    private let wallSeconds: @Sendable () -> Int64

    /// Without a clock what ever expires has expired.
    package init(
        _ tokens: [AccessToken], issued: IssuedTokens = .none, wallSeconds: @escaping @Sendable () -> Int64 = { .max }
    ) {
        configured = Dictionary(tokens.map { ($0.digest, $0) }) { first, _ in first }
        self.issued = issued
        self.wallSeconds = wallSeconds
    }

    package init(
        tokens: [Configuration.NamedToken], issued: IssuedTokens = .none,
        wallSeconds: @escaping @Sendable () -> Int64 = { .max }
    ) {
        self.init(
            tokens.map { AccessToken(name: $0.name, digest: $0.digest) }, issued: issued, wallSeconds: wallSeconds)
    }

    /// Nobody has a token, so none need be hashed.
    package var isEmpty: Bool { configured.isEmpty && issued.isEmpty }

    /// Any one valid token is enough: some clients send two headers with different values.
    package func judge(_ head: RequestHead, queryKey: String?) -> Verdict {
        if !isEmpty, let token = valid(Self.digests(head, queryKey: queryKey)) { return .valid(token) }
        var verdict = Verdict.missing
        Self.forEachShown(head, queryKey) { shown in
            guard let refusal = refusal(of: shown) else {
                if verdict == .missing { verdict = .invalid }
                return
            }
            if case .refused(let other) = verdict, !refusal.isMoreTelling(than: other) { return }
            verdict = .refused(refusal)
        }
        return verdict
    }

    /// The token with one of these digests that counts now. Looked up, not compared one by one: whoever could learn from the
    /// time how a digest begins would know nothing of a token that has it.
    package func valid(_ shown: [Digest]) -> AccessToken? {
        for digest in shown {
            if let token = configured[digest] { return token }
            if let entry = issued[digest], entry.isValid(at: wallSeconds) { return entry.token }
        }
        return nil
    }

    /// `menshen token` has given it out, whatever became of it.
    package func isIssued(_ token: AccessToken) -> Bool { issued[token.digest] != nil }

    /// Whose real key stands in the place of a token, by its looks; nil if none does.
    package static func keyOwner(_ head: RequestHead, queryKey: String?) -> String? {
        var owner: String?
        forEachShown(head, queryKey) { shown in owner = owner ?? ProviderKeys.owner(of: shown) }
        return owner
    }

    /// Of something that is no valid token; nil if it is not of menshen's form.
    private func refusal(of shown: ArraySlice<UInt8>) -> Refusal? {
        switch TokenForm.finding(shown) {
        case .foreign: return nil
        case .misspelt: return .misspelt
        case .wellFormed: break
        }
        if issued.fault != nil { return .unreadable }
        guard let entry = issued[Digest(of: shown)] else { return .unknown }
        switch entry.state {
        // `valid` has not found it: it is past its end.
        case .valid: return .expired(entry.token.name)
        case .replaced: return .replaced(entry.token.name)
        case .revoked: return .revoked(entry.token.name)
        case .unreadable: return .unreadable
        }
    }

    /// Of everything in a request that may be a token; `queryKey` is what its query shows.
    package static func digests(_ head: RequestHead, queryKey: String?) -> [Digest] {
        var digests: [Digest] = []
        forEachShown(head, queryKey) { digests.append(Digest(of: $0)) }
        return digests
    }

    private static func forEachShown(_ head: RequestHead, _ queryKey: String?, _ present: (ArraySlice<UInt8>) -> Void) {
        for field in head.fields {
            switch field.known {
            case .authorization:
                let value = head.bytes[field.value]
                if let token = credential(value, scheme: bearer) ?? accessKeyID(value) { present(token) }
            case let name? where name.carriesKey: present(head.bytes[field.value])
            case .webSocketProtocol:
                for entry in WebSocketUpgrade.entries(head.bytes[field.value]) {
                    if let token = WebSocketUpgrade.token(entry) { present(token) }
                }
            default: break
            }
        }
        if let queryKey { present(ArraySlice(queryKey.utf8)) }
    }

    /// The value of the one field that may hold a token; nil if there are several such fields, or none.
    package static func onlyCredential(_ head: RequestHead) -> ArraySlice<UInt8>? {
        var found: Range<Int>?
        for field in head.fields {
            switch field.known {
            case let name? where name == .authorization || name.carriesKey:
                if found != nil { return nil }
                found = field.value
            case .webSocketProtocol: return nil
            default: break
            }
        }
        return found.map { head.bytes[$0] }
    }

    private static let signature = Array("aws4-hmac-sha256".utf8)
    private static let credentialName = Array("Credential=".utf8)

    /// Where AWS's SDKs can put a token: as the access key id of a signature, which is not looked at. They send no bearer
    /// token over plain HTTP.
    private static func accessKeyID(_ value: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let parameters = credential(value, scheme: signature), parameters.starts(with: credentialName) else {
            return nil
        }
        // Date, region, service and "aws4_request" follow; the token itself may hold slashes.
        var rest = parameters.dropFirst(credentialName.count).prefix { $0 != UInt8(ascii: ",") }
        for _ in 0..<4 {
            guard let slash = rest.lastIndex(of: UInt8(ascii: "/")) else { return nil }
            rest = rest[..<slash]
        }
        return rest
    }

    /// The value of Authorization is a signature of AWS's.
    static func isSignature(_ value: ArraySlice<UInt8>) -> Bool { credential(value, scheme: signature) != nil }

    private static let bearer = Array("bearer".utf8)
    private static let basic = Array("basic".utf8)

    /// The base64 part of Basic credentials.
    package static func basicCredential(_ head: RequestHead) -> ArraySlice<UInt8>? {
        head.first(.authorization).flatMap { credential(head.bytes[$0], scheme: basic) }
    }

    /// What follows the scheme's name and its spaces (RFC 9110 §11.4).
    private static func credential(_ value: ArraySlice<UInt8>, scheme: [UInt8]) -> ArraySlice<UInt8>? {
        guard value.count > scheme.count, value[value.startIndex + scheme.count] == 0x20 else { return nil }
        guard value.prefix(scheme.count).elementsEqual(scheme, by: { $0.lowercased == $1 }) else { return nil }
        return value.dropFirst(scheme.count).drop { $0 == 0x20 }
    }
}
