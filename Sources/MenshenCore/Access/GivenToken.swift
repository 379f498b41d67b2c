// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Crypto

/// A token that was given out, as its administrator sees it. Nobody can see the token itself again.
package struct GivenToken: Sendable, Equatable {
    package let id: Int64
    package let name: String
    /// Seconds since 1970.
    package let created: Int64
    package let createdBy: String
    package let revokedAt: Int64?
    package let terms: TokenTerms
    /// Until then the token that had its name before counts as well.
    package let graceUntil: Int64?

    package init(
        id: Int64, name: String, created: Int64, createdBy: String, revokedAt: Int64?, terms: TokenTerms,
        graceUntil: Int64?
    ) {
        self.id = id
        self.name = name
        self.created = created
        self.createdBy = createdBy
        self.revokedAt = revokedAt
        self.terms = terms
        self.graceUntil = graceUntil
    }

    /// As requests are judged by it; nil if a word of its terms can't be read. `until`: it was replaced, and ends then.
    package func token(_ digest: Digest, until: Int64? = nil) -> AccessToken? {
        guard let scope = terms.scope, let limits = terms.readLimits else { return nil }
        return AccessToken(
            name: name, digest: digest, scope: scope, limits: limits, concurrency: terms.concurrency,
            maxErrors: terms.maxErrors, expires: until.map { min($0, terms.expires ?? .max) } ?? terms.expires)
    }

    package func state(now: Int64) -> String {
        if revokedAt != nil { return "revoked" }
        if terms.scope == nil || terms.readLimits == nil { return "unreadable" }
        return terms.expires.map { $0 <= now } ?? false ? "expired" : "valid"
    }
}

/// Who does something that only an owner may, as the kernel says.
package struct Administrator: Sendable, Equatable {
    package let uid: UInt32
    package let pid: Int32?

    package init(uid: UInt32, pid: Int32?) {
        self.uid = uid
        self.pid = pid
    }
}

/// What was done, for the journal and the table `admin`.
package struct AdministrativeAct: Sendable, Equatable {
    package let who: Administrator
    /// "token create"
    package let act: String
    package let target: String
    /// "done", or why not.
    package let outcome: String

    package init(_ who: Administrator, _ act: String, _ target: String, outcome: String = "done") {
        self.who = who
        self.act = act
        self.target = target
        self.outcome = outcome
    }
}
