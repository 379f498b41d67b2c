// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What an administrator does to the tokens that are given out.
package enum TokenAct: Sendable {
    case create(name: String, TokenTerms)
    /// What the members say is changed; see `TokenTerms.set`.
    case edit(name: String, [(name: String, value: FlatObject.Value)])
    /// `cuts`: what is under way with it ends now.
    case revoke(name: String, cuts: Bool)
    /// The old one counts for so many seconds more.
    case rotate(name: String, grace: Int64)

    package var verb: String {
        switch self {
        case .create: "create"
        case .edit: "edit"
        case .revoke: "revoke"
        case .rotate: "rotate"
        }
    }

    package var name: String {
        switch self {
        case .create(let name, _), .edit(let name, _), .revoke(let name, _), .rotate(let name, _): name
        }
    }

    /// Reads a request's body: `act` and `name`, and what belongs to the act.
    package init(_ body: [UInt8], now: Int64) throws(Problem) {
        guard let object = FlatObject(body) else {
            throw .token("The body must be one JSON object whose values are texts and lists of texts.")
        }
        var rest = object.members
        func take(_ name: String) throws(Problem) -> String? {
            guard let index = rest.firstIndex(where: { $0.name == name }) else { return nil }
            guard case .text(let text) = rest.remove(at: index).value else { throw .token("'\(name)' takes a text.") }
            return text
        }
        let act = try take("act")
        guard let name = try take("name") else { throw .token("The body has no 'name'.") }
        // Of every act, before anything is noted of it: whoever has lost a token may give it in the place of its name.
        try Self.check(name)
        switch act {
        case "create":
            var terms = TokenTerms()
            for member in rest { try terms.set(member.name, member.value, now: now) }
            self = .create(name: name, terms)
            return
        case "edit":
            guard !rest.isEmpty else { throw .token("The body says nothing that is to be changed.") }
            self = .edit(name: name, rest)
            return
        case "revoke": self = .revoke(name: name, cuts: try Self.isTrue(take("now")))
        case "rotate": self = .rotate(name: name, grace: try Self.grace(take("grace")))
        default: throw .token("'act' is one of create, edit, revoke and rotate.")
        }
        if let extra = rest.first { throw .token("There is no member '\(extra.name)' in \(verb).") }
    }

    /// As for those of the configuration; a name stands in commands, so it has no spaces either.
    package static func check(_ name: String) throws(Problem) {
        let isPlain = name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
        guard !name.isEmpty, name.utf8.count <= 64, isPlain, !name.hasPrefix("-") else {
            throw .token(
                "A token's name has 1 to 64 bytes, no space and no control character, and does not begin with '-'.")
        }
        guard TokenForm.finding(Array(name.utf8)[...]) == .foreign else {
            throw .token(
                "That is a token and not its name, which stands in records. 'menshen token list' shows the names.")
        }
    }

    private static func isTrue(_ text: String?) throws(Problem) -> Bool {
        switch text {
        case nil, "false": return false
        case "true": return true
        default: throw .token("'now' is true or false.")
        }
    }

    private static func grace(_ text: String?) throws(Problem) -> Int64 {
        guard let text else { return 0 }
        guard let time = DurationText.parse(text) else { throw .token("'grace' is a time such as 1h or 30min.") }
        return time.components.seconds
    }
}
