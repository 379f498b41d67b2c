// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Why policy refuses a request: who says so, and what would be allowed.
package struct PolicyDenial: Error, Sendable {
    /// Whose word it is.
    package enum Holder: Sendable, Equatable, CustomStringConvertible {
        case rule(String)
        case token(String)

        package var description: String {
            switch self {
            case .rule(let name): "the rule '\(name)' of [[callers]]"
            case .token(let name): "the token '\(name)'"
            }
        }
    }

    /// nil: no rule is for this caller.
    package let holder: Holder?
    private let sentence: String
    /// The caller's project was not known in time; the next request may find it.
    private let mayPass: Bool
    /// The further the request came, the larger.
    let depth: Int

    /// `deny = true`.
    init(refusedBy rule: String) {
        holder = .rule(rule)
        sentence = "\(Self.begin(.rule(rule))) refuses this caller."
        depth = 0
        mayPass = false
    }

    /// `caller`: who it is, in words.
    init(unlisted caller: String) {
        holder = nil
        sentence =
            "No rule of [[callers]] is for this caller (\(caller)). Add one to menshen's configuration; 'menshen policy test' explains."
        depth = 0
        mayPass = false
    }

    /// `isAwaited`: it is still looked for.
    init(undecided rule: String, isAwaited: Bool) {
        holder = .rule(rule)
        sentence =
            "\(Self.begin(.rule(rule))) goes by the repository that the caller works in, which is not known: "
            + (isAwaited
                ? "its directory has not answered yet. Try again."
                : "it was not read when this connection was made. Connect anew, from a process that goes on running.")
        depth = 0
        mayPass = isAwaited
    }

    init(_ holder: Holder, _ scope: Scope, _ fault: ScopeFault) {
        self.holder = holder
        sentence = "\(Self.begin(holder)) \(Self.words(fault)) (it allows: \(Self.allowed(by: scope, fault)))."
        depth = fault.depth
        mayPass = false
    }

    /// Name of the rule of `[[callers]]`.
    package var ruleName: String? { if case .rule(let name) = holder { name } else { nil } }

    package var problem: Problem {
        Problem(.deniedByPolicy, status: mayPass ? 503 : 403, sentence, isRetryable: mayPass)
    }

    private static func begin(_ holder: Holder) -> String {
        let text = holder.description
        return text.prefix(1).uppercased() + text.dropFirst()
    }

    private static func words(_ fault: ScopeFault) -> String {
        switch fault {
        case .path(let path): "does not allow the path '\(AuditText.name(path))'"
        case .operation(let operation): "does not allow the operation '\(operation.rawValue)'"
        case .provider(let name): "does not allow the provider '\(name)'"
        case .model(let model): "does not allow the model '\(AuditText.name(model))'"
        case .replacement(let wanted, let model?, let provider):
            "does not allow the model '\(wanted)', which provider '\(provider)' is asked for in place of '\(AuditText.name(model))'"
        case .replacement(let wanted, nil, let provider):
            "does not allow the model '\(wanted)', which provider '\(provider)' is asked for"
        case .noModel: "allows only some models, and the request names none"
        case .hidden(let place): "allows only some models, and \(words(place))"
        }
    }

    private static func words(_ place: HiddenModel) -> String {
        switch place {
        case .batch: "which models a batch asks for is not read"
        case .messages: "this WebSocket names its models in its messages, which are not read"
        case .session: "which model such a session has is not read"
        case .path: "it is not known where a request with this path names its model"
        case .fallbacks: "the body names further ones ('models' or 'fallbacks')"
        }
    }

    /// More than these would be no help.
    private static let most = 20

    private static func allowed(by scope: Scope, _ fault: ScopeFault) -> String {
        let all: [String]
        switch fault {
        case .path: all = scope.paths.map(\.description)
        case .operation: all = scope.operations.map(\.rawValue)
        case .provider: all = scope.providers
        case .model, .replacement, .noModel, .hidden: all = scope.models.map(\.description)
        }
        return all.prefix(most).joined(separator: ", ") + (all.count > most ? ", …" : "")
    }
}
