// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What a principal may ask for. An empty list allows everything of its kind.
package struct Scope: Sendable, Equatable {
    package static let all = Scope()

    /// Names of providers.
    package var providers: [String] = []
    package var models: [ModelPattern] = []
    package var operations: [Operation] = []
    /// Of paths without the query, in the same form as models.
    package var paths: [ModelPattern] = []
}
