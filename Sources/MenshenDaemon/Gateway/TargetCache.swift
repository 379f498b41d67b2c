// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore

/// Everything that follows from a request's target and the configuration alone.
final class ResolvedTarget {
    let target: RequestTarget
    let dialect: Dialect
    let operation: Operation
    /// Set for menshen's own pages.
    let surface: Surface?
    /// Model and stream flag, where the dialect carries them in the path.
    let facts: RequestFacts
    private var lines: [Int: [UInt8]] = [:]

    init(_ target: RequestTarget, _ dialect: Dialect) {
        self.target = target
        self.dialect = dialect
        operation = Operation(dialect, path: target.path)
        surface = Surface(target)
        switch dialect {
        case .gemini, .anthropic: facts = RequestFacts(googlePath: target.path)
        case .bedrock: facts = RequestFacts(bedrockPath: target.path)
        case .azure:
            var facts = RequestFacts()
            facts.model = RequestFacts.azureDeployment(target.path)
            self.facts = facts
        case .openai: facts = RequestFacts()
        }
    }

    /// The target as the provider gets it, with the zero byte that ends it for libcurl.
    func line(for provider: Provider, _ index: Int) -> [UInt8] {
        if let known = lines[index] { return known }
        let line = Array(target.upstream(base: provider.baseURL.path, kind: provider.kind).utf8) + [0]
        lines[index] = line
        return line
    }
}

/// Targets seen before: programs call the same few paths over and over, and taking one apart costs more than the rest of
/// the decisions together.
struct TargetCache {
    /// Paths with ids in them would grow it without bound; then it starts anew.
    private static let limit = 256

    private var known: [ArraySlice<UInt8>: ResolvedTarget] = [:]

    /// nil for a path with a dot segment, and for a head that could not be read.
    mutating func resolve(_ head: RequestHead, providerNames: Set<String>) -> ResolvedTarget? {
        if head.target.isEmpty { return nil }
        let key = head.bytes[head.target]
        if let hit = known[key] { return hit }
        guard
            let target = RequestTarget(
                path: head.text(head.path), query: head.query.map(head.text), providerNames: providerNames)
        else { return nil }
        let dialect = Dialect(path: target.path)
        // What follows from the head as well is not kept.
        if dialect == .openai, Dialect.isShared(target.path) {
            return ResolvedTarget(target, Dialect(sharedPathOf: head))
        }
        let resolved = ResolvedTarget(target, dialect)
        // Nor is a query, which may hold a credential.
        guard head.query == nil else { return resolved }
        if known.count >= Self.limit { known.removeAll(keepingCapacity: true) }
        known[ArraySlice(Array(key))] = resolved
        return resolved
    }
}
