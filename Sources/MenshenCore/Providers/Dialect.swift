// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// One of the APIs in the list. As a provider's kind it is what the provider speaks; as a request's dialect, whose habits
/// the request follows, which decides the shape of errors and which providers fit. Two words that are copied and compared
/// for nothing.
package struct Dialect: Sendable, Hashable, CaseIterable, RawRepresentable {
    /// The one list. The first is what most servers speak. What a path says is asked from the last to the first; which SDK
    /// has sent a head, from the first to the last.
    static let list: [any ProviderAPI.Type] = [
        OpenAI.self,
        Anthropic.self,
        Gemini.self,
        Azure.self,
        Bedrock.self,
    ]

    package let api: any ProviderAPI.Type

    init(_ api: any ProviderAPI.Type) { self.api = api }

    package static let allCases = list.map { Dialect($0) }
    /// Of requests and providers that say nothing of their API.
    package static let common = allCases[0]

    package init?(rawValue: String) {
        guard let found = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
        self = found
    }

    /// Its name in configuration and records.
    package var rawValue: String { api.name }

    package static func == (left: Dialect, right: Dialect) -> Bool {
        ObjectIdentifier(left.api) == ObjectIdentifier(right.api)
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(api)) }
}

// MARK: Whose a request is

extension Dialect {
    /// What the path alone says; the common one where it says nothing. `path` without the query and without a leading
    /// `/NAME` of a provider.
    package init(path: String) { self = Self.decided(by: path) ?? .common }

    /// nil for paths that several APIs have, or that are not known: there the head decides.
    package static func decided(by path: String) -> Dialect? {
        for api in list.reversed() where api.owns(path) { return Dialect(api) }
        return nil
    }

    /// Whose SDK has sent the head: by the fields that only one of them has, else by the one that its key came in.
    /// `query`: the name of a credential in the query.
    package init(sentBy head: RequestHead, credentialInQuery query: String? = nil) {
        var owner = Self.list.count
        var byKey: Dialect?
        for field in head.fields {
            guard let name = field.known else { continue }
            for mark in Self.marks where mark.field == name {
                if mark.isKey {
                    byKey = byKey ?? Dialect(Self.list[mark.place])
                } else {
                    owner = min(owner, mark.place)
                }
            }
            guard name == .authorization else { continue }
            let value = head.bytes[field.value]
            owner = Self.list[..<owner].firstIndex { $0.isOwn(authorization: value) } ?? owner
        }
        if owner < Self.list.count {
            self.init(Self.list[owner])
        } else if let byKey {
            self = byKey
        } else {
            let byQuery = query.flatMap { name in Self.allCases.first { $0.api.keyParameters.contains(name) } }
            self = byQuery ?? .common
        }
    }

    /// Fields by which heads are known, and the place in the list of the API that each tells.
    private static let marks: [(field: FieldName, isKey: Bool, place: Int)] = {
        var marks: [(field: FieldName, isKey: Bool, place: Int)] = []
        for (place, api) in list.enumerated() {
            for field in api.ownFields { marks.append((field, false, place)) }
            if let field = api.keyField { marks.append((field, true, place)) }
        }
        return marks
    }()
}

// MARK: What holds for all of them

extension Dialect {
    /// Escapes in such a path are part of its names.
    static func keepsEscapes(of path: String) -> Bool { list.contains { $0.escapesPaths && $0.owns(path) } }

    /// Such a path does not begin with a provider's name, though it may look so.
    static func isClaimed(_ path: String, query: String?) -> Bool { list.contains { $0.claims(path, query: query) } }

    /// A path that begins so is some API's own.
    static func isRoot(_ segment: Substring) -> Bool { list.contains { $0.begins(with: segment) } }

    static let modelParameters = ["model"] + list.flatMap { $0.modelParameters }

    static let keyParameters = list.flatMap { $0.keyParameters }

    /// What a provider's error event means. Servers that speak one API use another's words too, and invent their own for
    /// "overloaded": of words that nobody knows another provider is asked, for nothing has gone down yet.
    static func remedy(of code: String) -> AttemptOutcome.Remedy {
        for api in list { if let remedy = api.remedy(of: code) { return remedy } }
        return .otherProvider
    }

    /// For messages to people: "openai, anthropic or gemini".
    package static func names(quoted: Bool = false) -> String {
        let names = allCases.map { quoted ? "\"\($0.rawValue)\"" : $0.rawValue }
        return names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
    }

    /// The API of a server, by its address.
    static func guessed(from address: BaseURL) -> Dialect {
        guard address.socketPath == nil else { return .common }
        return allCases.first { $0.api.isHost(address.host) } ?? .common
    }
}
