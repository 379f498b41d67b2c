// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A request that somebody asks about, and nobody sends.
struct RouteQuestion {
    let target: RequestTarget
    let dialect: Dialect
    /// The path has told the dialect.
    let isDecided: Bool
    let operation: Operation
    /// What the path says of it.
    let facts: RequestFacts
    let model: String?

    /// nil for a path that is not forwarded. `sender`: what the fields say that the caller's SDK sends.
    init?(_ routes: RouteTable, path given: String, model asked: String?, sender: Dialect) {
        let parts = given.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = parts.first, path.hasPrefix("/"),
            let target = RequestTarget(
                path: String(path), query: parts.count > 1 ? String(parts[1]) : nil, providerNames: routes.names)
        else { return nil }
        self.target = target
        let decided = Dialect.decided(by: target.plainPath)
        isDecided = decided != nil
        dialect = decided ?? sender
        operation = Operation(dialect, path: target.plainPath)
        facts = RequestFacts(dialect, path: target.plainPath)
        model = facts.model ?? asked
    }
}
