// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Crypto
package import HTTP

/// Finds a proxy token in a request, in whichever header the caller's SDK puts its key.
package struct TokenGate: Sendable {
    package enum Verdict: Sendable, Equatable {
        case missing
        case valid(AccessToken)
        case invalid

        package var tokenName: String? { if case .valid(let token) = self { token.name } else { nil } }
    }

    private let tokens: [AccessToken]

    package init(_ tokens: [AccessToken]) { self.tokens = tokens }

    package init(tokens: [Configuration.NamedToken]) {
        self.init(tokens.map { AccessToken(name: $0.name, digest: $0.digest) })
    }

    /// Nobody has a token, so none need be hashed.
    package var isEmpty: Bool { tokens.isEmpty }

    package func judge(_ head: RequestHead, queryKey: String?) -> Verdict {
        if !tokens.isEmpty { return judge(Self.digests(head, queryKey: queryKey)) }
        var isPresented = false
        Self.forEachShown(head, queryKey) { _ in isPresented = true }
        return isPresented ? .invalid : .missing
    }

    /// Any one valid token is enough: some clients send two headers with different values. Every presented value is
    /// compared with every token, so the time tells nothing.
    package func judge(_ shown: [Digest]) -> Verdict {
        var found: AccessToken?
        for digest in shown {
            for token in tokens where token.digest == digest { found = token }
        }
        if let found { return .valid(found) }
        return shown.isEmpty ? .missing : .invalid
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
