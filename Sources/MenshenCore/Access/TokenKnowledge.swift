// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto

/// What is known of a token of which somebody gives only the name.
package struct TokenKnowledge: Sendable {
    /// What it may do by itself; everything, where nothing is known of it.
    package let token: AccessToken
    /// Why whoever shows it is refused; nil if it counts.
    package let problem: Problem?
    /// One step of an explanation; nil: nothing is known but its name.
    package let words: String?

    private init(_ token: AccessToken, _ problem: Problem?, _ words: String?) {
        self.token = token
        self.problem = problem
        self.words = words
    }

    /// A digest that no token has.
    private static let noDigest = Digest(of: [])

    /// Nobody knows it.
    package init(unknown name: String) {
        self.init(AccessToken(name: name, digest: Self.noDigest), nil, nil)
    }

    /// It stands in `[auth]`.
    package init(configured name: String) {
        self.init(
            AccessToken(name: name, digest: Self.noDigest), nil,
            "'\(name)' stands in [auth] of the configuration, and may by itself do everything")
    }

    /// `problem`: what whoever shows it would hear.
    package init(_ given: GivenToken, now: Int64, problem: Problem?) {
        let state = given.state(now: now)
        let words = given.terms.words
        self.init(
            given.token(Self.noDigest) ?? AccessToken(name: given.name, digest: Self.noDigest), problem,
            "'\(given.name)' is \(state)"
                + (words == TokenTerms.unlimited ? ", and may by itself do everything" : "; by itself: \(words)"))
    }
}
