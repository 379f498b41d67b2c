// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto

/// The tokens that `menshen token` has given out, at one moment: those that count, and those that did and are told apart from
/// strangers. Never changes; each change makes another.
package final class IssuedTokens: Sendable {
    package enum State: Sendable, Equatable {
        case valid
        /// Another token has its name now; until this one expires, both count.
        case replaced
        case revoked
        /// What it may do can't be read, so it may do nothing.
        case unreadable
    }

    package struct Entry: Sendable {
        package let token: AccessToken
        package let state: State

        package init(_ token: AccessToken, _ state: State) {
            self.token = token
            self.state = state
        }

        func isValid(at now: () -> Int64) -> Bool {
            switch state {
            case .valid: token.expires.map { $0 > now() } ?? true
            case .replaced: token.expires.map { $0 > now() } ?? false
            case .revoked, .unreadable: false
            }
        }
    }

    package static let none = IssuedTokens([])

    private let entries: [Digest: Entry]
    /// Why none of them can be judged: the file that holds them can't be read.
    package let fault: String?
    /// Those in use.
    package let names: Set<String>

    package init(_ entries: [Entry], fault: String? = nil) {
        self.entries = Dictionary(entries.map { ($0.token.digest, $0) }) { first, _ in first }
        self.fault = fault
        names = Set(entries.filter { $0.state == .valid }.map(\.token.name))
    }

    var isEmpty: Bool { entries.isEmpty }

    subscript(digest: Digest) -> Entry? { entries[digest] }
}

extension IssuedTokens {
    /// A name that one of the configuration's tokens has too.
    package func name(amongst configuration: Configuration) -> String? {
        configuration.authentication.tokens.map(\.name).first { names.contains($0) }
    }
}
