// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What policy lets one principal do: the rule that it falls under, and what its token may. A class: a connection keeps it for
/// all its requests.
package final class Permit: Sendable {
    /// Without rules, and with a token that may do everything.
    package static let everything = Permit(rule: nil, token: nil)

    /// The rule of `[[callers]]`; nil if there are none, or none is for this principal.
    package let rule: CallerRule?
    /// The rule that the caller falls under without its token, if that is another. Both have to allow a request.
    package let ownRule: CallerRule?
    /// Whatever it asks for is refused.
    package let denial: PolicyDenial?
    /// It holds only as long as the caller's project is not known.
    package let isProvisional: Bool
    /// All that forbids anything.
    fileprivate let bounds: [Bound]
    /// Some of them name providers.
    fileprivate let listsProviders: Bool

    /// A class: each step of each request goes through them, and a scope is four lists.
    fileprivate final class Bound: Sendable {
        let holder: PolicyDenial.Holder
        let scope: Scope

        init(_ holder: PolicyDenial.Holder, _ scope: Scope) {
            self.holder = holder
            self.scope = scope
        }
    }

    /// The limits of these rules, as each request asks for them.
    package let demands: [Demand]

    init(rule: CallerRule?, own: CallerRule? = nil, token: AccessToken?) {
        self.rule = rule
        ownRule = own
        let rules = [rule, own].compactMap { $0 }
        demands = rules.map {
            Demand(Holder(.caller, $0.name), $0.limits, concurrency: $0.concurrency, maxErrors: $0.maxErrors)
        }.filter { !$0.isEmpty }
        denial = rules.first { $0.isDenied }.map { PolicyDenial(refusedBy: $0.name) }
        var bounds = rules.map { Bound(.rule($0.name), $0.scope) }
        if let token { bounds.append(Bound(.token(token.name), token.scope)) }
        bounds.removeAll { $0.scope.isAll }
        self.bounds = bounds
        listsProviders = bounds.contains { !$0.scope.providers.isEmpty }
        isProvisional = false
    }

    private init(_ denial: PolicyDenial, isProvisional: Bool = false) {
        rule = nil
        ownRule = nil
        self.denial = denial
        self.isProvisional = isProvisional
        demands = []
        bounds = []
        listsProviders = false
    }

    convenience init(unlisted principal: Principal) { self.init(PolicyDenial(unlisted: principal.words)) }

    /// Whether the rule is for the caller is not known. Another rule may allow what this one refuses, so neither counts.
    convenience init(undecided rule: CallerRule, _ caller: CallerRecord) {
        let isAwaited = caller.project?.standing == .awaited
        self.init(PolicyDenial(undecided: rule.name, isAwaited: isAwaited), isProvisional: isAwaited)
    }
}

/// What of one request a permit forbids. A class: a request has one or none, and looks into it at each step.
package final class Confines: Sendable {
    /// What is known of the model that the request names.
    package enum ModelWord: Sendable {
        /// The body may still name one.
        case awaited
        /// All has been read. `further`: beside its model the request names others.
        case told(String?, further: Bool)
    }

    private let permit: Permit
    private let outline: RequestOutline

    /// nil: nothing is forbidden to anybody with that permit.
    package init?(_ permit: Permit, _ outline: @autoclosure () -> RequestOutline) {
        if permit.bounds.isEmpty { return nil }
        self.permit = permit
        self.outline = outline()
    }

    /// The first step: by the head.
    package func judge() throws(PolicyDenial) {
        for bound in permit.bounds {
            if let fault = bound.scope.fault(outline) { throw PolicyDenial(bound.holder, bound.scope, fault) }
        }
    }

    /// Whoever has to know the request's model; nil if nobody.
    package var reader: PolicyDenial.Holder? {
        permit.bounds.first { bound in
            switch bound.scope.duty(outline) {
            case .ifNamed, .named: true
            case .none, .hidden: false
            }
        }?.holder
    }

    /// The second step: of the providers that fit, those that are allowed with the model that each would be asked for.
    package func narrow(_ fitting: [Int], _ routes: RouteTable, _ word: ModelWord) throws(PolicyDenial) -> [Int] {
        if case .told(let model, let further) = word {
            for bound in permit.bounds {
                if let fault = bound.scope.fault(outline, model: model, furtherModels: further) {
                    throw PolicyDenial(bound.holder, bound.scope, fault)
                }
            }
        }
        // Nothing tells one provider from another, whatever the model.
        if !permit.listsProviders, !routes.replacesModels { return fitting }
        var deepest: PolicyDenial?
        var allowed: [Int] = []
        for index in fitting {
            guard let denial = denial(at: routes.providers[index], word) else {
                allowed.append(index)
                continue
            }
            if denial.depth > deepest?.depth ?? -1 { deepest = denial }
        }
        if allowed.isEmpty, let deepest { throw deepest }
        return allowed
    }

    /// Why that provider is not to be asked; nil if it may be.
    package func denial(at provider: Provider, _ word: ModelWord) -> PolicyDenial? {
        for bound in permit.bounds {
            if !bound.scope.allows(provider: provider.name) {
                return PolicyDenial(bound.holder, bound.scope, .provider(provider.name))
            }
            if case .told(let model, _) = word, let fault = bound.scope.fault(outline, model: model, at: provider) {
                return PolicyDenial(bound.holder, bound.scope, fault)
            }
        }
        return nil
    }
}

extension Principal {
    /// For whom policy has no rule.
    var words: String {
        var parts: [String] = []
        if let uid = caller.uid { parts.append("uid \(uid)") }
        if let program = caller.executable { parts.append("program \(program)") }
        if let unit = caller.unit { parts.append("unit \(unit)") }
        if let job = caller.job { parts.append("job \(job)") }
        if let project = caller.project?.text { parts.append("project \(project)") }
        if let token { parts.append("token '\(token.name)'") }
        return parts.isEmpty ? "no token" : parts.joined(separator: ", ")
    }
}
