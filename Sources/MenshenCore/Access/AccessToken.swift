// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Crypto

/// A proxy token, wherever it was given out, and what whoever shows it may do. A class: each request's principal refers to it.
package final class AccessToken: Sendable, Equatable {
    /// What records and reports call whoever shows it; the token itself is stored nowhere.
    package let name: String
    package let digest: Digest
    package let scope: Scope
    package let limits: [Limit]
    /// Requests at the same time.
    package let concurrency: Int?
    /// It is refused after so many errors of its requests one after the other.
    package let maxErrors: Int?
    /// Seconds since 1970.
    package let expires: Int64?
    /// Its limits, as each of its requests asks for them.
    package let demand: Demand

    package init(
        name: String, digest: Digest, scope: Scope = .all, limits: [Limit] = [], concurrency: Int? = nil,
        maxErrors: Int? = nil, expires: Int64? = nil
    ) {
        self.name = name
        self.digest = digest
        self.scope = scope
        self.limits = limits
        self.concurrency = concurrency
        self.maxErrors = maxErrors
        self.expires = expires
        demand = Demand(Holder(.token, name), limits, concurrency: concurrency, maxErrors: maxErrors)
    }

    package static func == (one: AccessToken, other: AccessToken) -> Bool {
        one.name == other.name && one.digest == other.digest
    }
}
