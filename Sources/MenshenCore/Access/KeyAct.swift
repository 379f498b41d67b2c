// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What somebody has done to a provider's key, told to the running menshen so that it is recorded. The key is no part of it.
package struct KeyAct: Sendable, Equatable {
    package enum Verb: String, Sendable, CaseIterable {
        case set, remove
    }

    package let verb: Verb
    /// As the configuration names it.
    package let provider: String

    package init(_ verb: Verb, _ provider: String) {
        self.verb = verb
        self.provider = provider
    }

    /// Reads a request's body.
    package init(_ body: [UInt8], providers: [String]) throws(Problem) {
        guard let object = FlatObject(body), object.members.count == 2 else {
            throw .token("The body must be one JSON object with 'act' and 'name'.")
        }
        func text(_ name: String) throws(Problem) -> String {
            guard case .text(let text) = object.members.first(where: { $0.name == name })?.value else {
                throw .token("The body has no '\(name)'.")
            }
            return text
        }
        guard let verb = Verb(rawValue: try text("act")) else { throw .token("'act' is set or remove.") }
        let name = try text("name")
        // Of others nothing is repeated: it may be the key.
        guard providers.contains(name) else {
            throw .token("The configuration has no provider of that name.", status: 404)
        }
        self.init(verb, name)
    }

    package func act(by who: Administrator) -> AdministrativeAct {
        AdministrativeAct(who, "key \(verb.rawValue)", provider)
    }

    package var body: [UInt8] {
        var output = Array(#"{"act":"\#(verb.rawValue)","name":"#.utf8)
        output.append(json: provider)
        return output + Array("}".utf8)
    }
}
