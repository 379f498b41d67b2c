// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Why a request goes where it goes, in words: what `menshen route --explain` prints. Decided by the same table as the
/// request itself.
package struct RouteExplanation {
    package let text: String
    /// Somebody would get it.
    package let isAnswered: Bool

    /// nil for a path that is not forwarded. `sender`: what the fields say that the caller's SDK sends.
    package init?(_ configuration: Configuration, path given: String, model asked: String?, sender: Dialect = .common) {
        let routes = RouteTable(providers: configuration.providers)
        guard let question = RouteQuestion(routes, path: given, model: asked, sender: sender) else { return nil }
        let (target, dialect, model) = (question.target, question.dialect, question.model)
        var lines = [
            "path      \(given)",
            "dialect   \(dialect.rawValue) (\(question.operation.rawValue))"
                + (!question.isDecided ? ", by what the caller's SDK sends; see --sdk" : ""),
            "model     \(model ?? "not known: fits every list of models")", "",
        ]
        let fits = routes.judge(target, dialect, model: model)
        let isGoing = fits.map { $0 == .fits || $0 == .named }
        let going = routes.byPriority(routes.providers.indices.filter { isGoing[$0] }).map { routes.providers[$0] }
        let totals = going.reduce(into: [:]) { $0[$1.turn.priority, default: 0] += $1.turn.weight }
        for (index, provider) in routes.providers.enumerated() {
            guard isGoing[index] else {
                lines.append("  no   \(provider.name): \(Self.reason(fits[index], provider, dialect, model))")
                continue
            }
            lines.append(
                "  yes  \(provider.name): \(Self.share(provider, fits[index], totals, first: going[0].turn.priority))")
            lines += Self.details(provider, target, dialect, model).map { "         \($0)" }
        }
        isAnswered = !going.isEmpty
        lines.append("")
        lines += Self.outcome(going, configuration.failover, Self.problem(routes, target, dialect, model))
        text = lines.joined(separator: "\n") + "\n"
    }

    static func problem(
        _ routes: RouteTable, _ target: RequestTarget, _ dialect: Dialect, _ model: String?
    ) -> Problem? {
        do throws(Problem) {
            _ = try routes.fitting(target, dialect, model: model)
            return nil
        } catch {
            return error
        }
    }

    private static func share(
        _ provider: Provider, _ fit: RouteTable.Fit, _ totals: [Int: Int], first: Int
    ) -> String {
        if fit == .named { return "named by the path" }
        let total = totals[provider.turn.priority] ?? 0
        let percent = Double(provider.turn.weight) * 1000 / Double(max(1, total))
        let tenths = Int(percent.rounded())
        let share = "\(tenths / 10).\(tenths % 10) % of requests (weight \(provider.turn.weight) of \(total))"
        return provider.turn.priority == first
            ? "first in \(share)" : "priority \(provider.turn.priority): if those before it can't, \(share)"
    }

    private static func details(
        _ provider: Provider, _ target: RequestTarget, _ dialect: Dialect, _ model: String?
    ) -> [String] {
        let replacement = provider.replacement(for: model)
        let changed = replacement.flatMap { target.asking(for: $0, dialect) }
        var lines = [
            provider.baseURL.origin + (changed ?? target).upstream(base: provider.baseURL.path, kind: provider.kind)
        ]
        if let replacement {
            let why = provider.model != nil ? "its model" : "its alias of \(model ?? "")"
            lines.append("is asked for \(replacement) (\(why))")
        }
        if provider.key.count > 1 { lines.append("\(provider.key.count) keys: the next when one is limited") }
        if let limit = provider.maxConcurrent {
            lines.append("at most \(limit) requests at a time, \(provider.maxQueued) wait")
        }
        return lines
    }

    static func reason(
        _ fit: RouteTable.Fit, _ provider: Provider, _ dialect: Dialect, _ model: String?
    ) -> String {
        switch fit {
        case .fits, .named: ""
        case .otherNamed: "the path names another"
        case .switchedOff: "switched off (weight = 0)"
        case .otherDialect: "its kind is \(provider.kind.rawValue), and others speak \(dialect.rawValue)"
        case .otherModel:
            "its models (\(provider.models.map(\.description).joined(separator: ", "))) do not have \(model ?? "")"
        case .noAlias: "\(model ?? "") is an alias that others have"
        }
    }

    private static func outcome(
        _ going: [Provider], _ failover: Configuration.Failover, _ problem: Problem?
    ) -> [String] {
        if let problem { return ["Answered \(problem.status) \(problem.code.rawValue): \(problem.message)"] }
        if going.count == 1 { return ["No other provider fits, so none is asked if it fails."] }
        let names = going.map(\.name).joined(separator: ", ")
        return failover.enable
            ? ["If the first fails before its answer begins, the others are asked in this order: \(names)."]
            : ["If it fails, no other provider is asked (failover.enable = false)."]
    }
}
