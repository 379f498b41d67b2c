// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Who asks: the peer at the other end of the connection, and the token that it has shown.
package struct Principal: Sendable {
    package let caller: CallerRecord
    /// The token, if it showed a valid one.
    package let token: AccessToken?

    package init(_ caller: CallerRecord, token: AccessToken? = nil) {
        self.caller = caller
        self.token = token
    }

    package var tokenName: String? { token?.name }

    /// Whose failures count as one: a token's, else a program's, however many processes it has.
    package var blamed: String { tokenName ?? caller.program }

    /// Whose turn it is in a queue: a token's, else a process's.
    package var queue: String { tokenName ?? caller.pid.map { "pid \($0)" } ?? caller.address }

    /// Whose share of a common memory is used.
    package var payer: String {
        if let token = tokenName { return "token \(token)" }
        if let program = caller.executable ?? caller.unit { return program }
        if let uid = caller.uid { return "uid \(uid)" }
        return caller.host
    }
}

/// Which rule lets a principal in, and to what.
package struct Grant: Sendable {
    package enum Rule: String, Sendable, CaseIterable {
        /// It is the owner, on the owner's Unix socket.
        case owner = "unix"
        case token
        /// User and password of menshen's own pages.
        case password
        /// Authentication is switched off.
        case open = "auth.enable"
    }

    package let rule: Rule
    /// What policy says of the principal; nil until it was asked, which it is not for menshen's own pages.
    package var permit: Permit?
    /// The rule of `[[callers]]` that has refused the request.
    package var refusingRule: String?

    package init(_ rule: Rule) { self.rule = rule }

    /// The rule of `[[callers]]` that decides.
    package var ruleName: String? { refusingRule ?? permit?.rule?.name }
    /// What the record says of it.
    package var recordedRule: String { ruleName ?? rule.rawValue }

    /// Pages show what everybody has asked for, and not only the principal.
    package var showsAll: Bool { rule == .owner || rule == .password }
}
