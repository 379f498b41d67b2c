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
    let page: AdminPage?
    /// Model and stream flag, where the dialect carries them in the path.
    let facts: RequestFacts
    /// The bytes of a stored file are asked for, not what is known of it.
    let isContent: Bool
    /// Indices of the providers that fit, as far as the target tells.
    private var fits: [Int]?
    private var lines: [Int: (bytes: [UInt8], hasModel: Bool)] = [:]

    init(_ target: RequestTarget, _ dialect: Dialect) {
        self.target = target
        self.dialect = dialect
        operation = Operation(dialect, path: target.plainPath)
        page = AdminPage.at(target)
        facts = RequestFacts(dialect, path: target.plainPath)
        isContent = target.isContent
    }

    /// Indices of the providers that may get a request for `model`.
    func fitting(_ snapshot: Snapshot, model: String?) throws(Problem) -> [Int] {
        if model != facts.model { return try snapshot.routes.fitting(target, dialect, model: model) }
        if let fits { return fits }
        let fits = try snapshot.routes.fitting(target, dialect, model: model)
        self.fits = fits
        return fits
    }

    /// The target as the provider gets it, with the zero byte that ends it for libcurl, and whether `model`, to be asked
    /// for in place of the caller's, stands in it. What stands in the target decides `model`, so one line a provider will do.
    /// `inQuery`: a WebSocket's may stand there.
    func line(
        for provider: Provider, _ index: Int, model: String?, inQuery: Bool
    ) -> (bytes: [UInt8], hasModel: Bool) {
        if let known = lines[index] { return known }
        let changed = model.flatMap {
            target.asking(for: $0, dialect) ?? (inQuery ? target.askingInQuery(for: $0) : nil)
        }
        let text = (changed ?? target).upstream(base: provider.baseURL.path, kind: provider.kind)
        let line = (bytes: Array(text.utf8) + [0], hasModel: changed != nil)
        lines[index] = line
        return line
    }
}

/// Targets seen before: programs call the same few paths over and over, and taking one apart costs more than the rest of
/// the decisions together.
struct TargetCache {
    /// Paths with ids in them would grow it without bound; then it starts anew.
    private static let limit = 256

    private struct Known {
        /// The head need not be looked at.
        let isDecided: Bool
        /// One for each dialect that was met.
        var targets: [ResolvedTarget]
    }

    private var known: [ArraySlice<UInt8>: Known] = [:]

    /// nil for a path with a dot segment, and for a head that could not be read.
    /// `routes`: with several companies' APIs, a path that is nobody's in particular and an SDK whose company is not among
    /// them leave OpenAI's, which most servers speak.
    mutating func resolve(_ head: RequestHead, _ routes: RouteTable) -> ResolvedTarget? {
        if head.target.isEmpty { return nil }
        let key = head.bytes[head.target]
        if let hit = known[key] {
            if hit.isDecided { return hit.targets[0] }
            let dialect = routes.spoken(Dialect(sentBy: head))
            if let target = hit.targets.first(where: { $0.dialect == dialect }) { return target }
        }
        guard let target = RequestTarget(of: head, providerNames: routes.names) else { return nil }
        let decided = Dialect.decided(by: target.plainPath)
        let resolved = ResolvedTarget(
            target, decided ?? routes.spoken(Dialect(sentBy: head, credentialInQuery: target.queryKeyName)))
        // A query is not kept: it may hold a credential.
        guard head.query == nil else { return resolved }
        if known[key] != nil {
            known[key]?.targets.append(resolved)
        } else {
            if known.count >= Self.limit { known.removeAll(keepingCapacity: true) }
            known[ArraySlice(Array(key))] = Known(isDecided: decided != nil, targets: [resolved])
        }
        return resolved
    }
}
