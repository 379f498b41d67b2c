// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What those hear whose token or password is not taken, and those who may not give any out.
extension Problem {
    static func refused(_ refusal: TokenGate.Refusal) -> Problem {
        if case .unreadable = refusal {
            return Problem(
                .tokensUnavailable, status: 503,
                "menshen cannot read the tokens that were given out at present. 'menshen status' and its journal say why.",
                isRetryable: true)
        }
        return Problem(.unauthenticated, status: 401, sentence(refusal))
    }

    static func realKey(of owner: String) -> Problem {
        Problem(
            .unauthenticated, status: 401,
            "This looks like a real key of \(owner) where a proxy token of menshen's belongs. It was sent to menshen, not "
                + "to a provider, and is recorded nowhere. Send a token that 'menshen token create' has printed; replace "
                + "the key at its provider if others can read what this connection carries.")
    }

    private static func sentence(_ refusal: TokenGate.Refusal) -> String {
        switch refusal {
        case .unknown:
            "The proxy token has menshen's form, but this menshen has not given it out. It may be another instance's. "
                + "'menshen token create NAME' prints a new one."
        case .misspelt:
            "The proxy token is misspelt or cut off: its check digits do not fit. Copy it whole, without spaces."
        case .unreadable: ""
        case .replaced(let name):
            "The proxy token '\(name)' was replaced by a new one of that name ('menshen token rotate'). Send that."
        case .expired(let name):
            "The proxy token '\(name)' has expired. 'menshen token edit \(name) --expires 30d' makes it count again."
        case .revoked(let name):
            "The proxy token '\(name)' was revoked. 'menshen token create NAME' prints a new one."
        }
    }

    static let signInNeeded = Problem(.unauthenticated, status: 401, "User and password of [auth] are needed.")

    /// `seconds`: until another password counts.
    static func tooManySignIns(waiting seconds: UInt64) -> Problem {
        Problem(
            .unauthenticated, status: 429,
            "Too many wrong passwords have come from this address. Send the right one in \(seconds) s, or use the Unix socket, "
                + "as 'menshen dashboard' and 'menshen status' do.",
            isRetryable: true, retryAfter: seconds)
    }

    // MARK: Administration

    static let administeredElsewhere = Problem(
        .notFound, status: 404, "There is no such page over TCP: menshen is administered over its Unix socket.")

    static let notAdministrator = Problem(
        .forbiddenAdministration, status: 403, "Only menshen's own user and root may administer it.")

    static let administersWithToken = Problem(
        .forbiddenAdministration, status: 403,
        "Nobody administers menshen with a proxy token. Leave it out: on the Unix socket your user counts.")

    static let administersFromPage = Problem(
        .forbiddenAdministration, status: 403, "A web page may not administer menshen.")
}
