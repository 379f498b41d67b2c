// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenDaemon
internal import MenshenPages

/// A form about a token, as a request that menshen's administration takes.
struct TokenPost: Sendable {
    enum Act: String {
        case create, edit, rotate, revoke
    }

    let act: Act
    let name: String
    private let members: [(name: String, value: FlatObject.Value)]
    /// Where the form is, with what was typed in it.
    let mend: String?
    /// The name was to be typed once more, and is another.
    let isUnconfirmed: Bool

    /// `path`: below the dashboard's, decoded. nil if there is no such form.
    init?(_ path: [String], _ fields: [(name: String, value: String)]) {
        func text(_ name: String) -> String { TokenForms.trimmed(fields.last { $0.name == name }?.value ?? "") }
        switch path.count {
        case 1 where path[0] == TokenForms.newPath: (act, name) = (.create, text(TokenForms.Field.name))
        case 3 where path[0] == "tokens":
            guard let act = Act(rawValue: path[2]), act != .create else { return nil }
            (self.act, name) = (act, path[1])
        default: return nil
        }
        switch act {
        case .create, .edit:
            members = TokenForms.members(fields)
            mend = TokenForms.address(path, fields)
        case .rotate, .revoke:
            let field = act == .rotate ? TokenForms.Field.grace : TokenForms.Field.now
            let value = text(field)
            members = value.isEmpty ? [] : [(field, .text(value))]
            mend = TokenForms.path(of: name)
        }
        isUnconfirmed = act == .revoke && text(TokenForms.Field.confirmation) != name
    }

    var body: [UInt8] {
        var body = AdminBody()
        body.add("act", act.rawValue)
        body.add("name", name)
        for member in members { body.add(member.name, member.value) }
        return body.bytes
    }
}
