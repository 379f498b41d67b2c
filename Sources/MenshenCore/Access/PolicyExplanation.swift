// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// Why policy allows a request or refuses it, step by step: what `menshen policy test` prints. Decided by the same values as
/// the request itself.
package struct PolicyExplanation {
    /// Who asks for what.
    package struct Question {
        package let caller: CallerRecord
        /// What is known of the token that is shown.
        package let known: TokenKnowledge?
        package var token: AccessToken? { known?.token }
        package var path = "/v1/chat/completions"
        /// One of `methods`.
        package var method = "POST"
        package var model: String?

        package init(_ caller: CallerRecord, _ token: TokenKnowledge? = nil) {
            self.caller = caller
            known = token
        }

        package static let methods = RequestHead.Method.allCases.map(\.rawValue)
    }

    private enum Mark: String {
        case yes, no
        /// It was not looked at.
        case none = "-"
    }

    private struct Line {
        let mark: Mark
        let name: String
        let words: String
    }

    private var rules: [Line] = []
    private var steps: [Line] = []
    private var providers: [Line] = []
    private var limits: [Line] = []
    private let question: Question
    private let route: RouteQuestion
    private let permit: Permit
    private var refusal: Problem?

    package var isAllowed: Bool { refusal == nil }

    /// nil for a path that is not forwarded.
    package init?(_ configuration: Configuration, _ question: Question) {
        let routes = RouteTable(providers: configuration.providers)
        guard let route = RouteQuestion(routes, path: question.path, model: question.model, sender: .common) else {
            return nil
        }
        self.question = question
        self.route = route
        let policy = Policy(configuration.callers)
        permit = policy.permit(for: Principal(question.caller, token: question.token))
        explainRules(policy.rules)
        if let problem = judgeToken() {
            refusal = problem
            return
        }
        do throws(PolicyDenial) { try judge(routes) } catch { refusal = error.problem }
        if refusal == nil { explainLimits(LimitTable(configuration), routes) }
    }

    // MARK: Rules

    private mutating func explainRules(_ all: [CallerRule]) {
        var isFound = false
        for rule in all {
            let name = "\(rule.name) (line \(rule.line))"
            if isFound {
                rules.append(Line(mark: .none, name: name, words: "an earlier one matches"))
            } else if let mismatch = rule.mismatch(question.caller, token: question.token?.name) {
                rules.append(Line(mark: .no, name: name, words: Self.words(mismatch, rule)))
            } else {
                isFound = true
                rules.append(Line(mark: .yes, name: name, words: rule.isDenied ? "matches, and refuses" : "matches"))
            }
        }
    }

    private static func words(_ mismatch: CallerRule.Matcher, _ rule: CallerRule) -> String {
        let wanted =
            switch mismatch {
            case .user: rule.users.map(\.text)
            case .group: rule.groups.map(\.text)
            case .token: rule.tokens.map(\.description)
            case .unit: rule.units.map(\.description)
            case .program: rule.programs.map(\.description)
            case .job: rule.jobs.map(\.description)
            case .project: rule.projects.map(\.description)
            }
        return "its \(mismatch.rawValue) is \(wanted.joined(separator: " or "))"
    }

    // MARK: Steps

    /// What whoever shows it hears, whatever is asked for.
    private mutating func judgeToken() -> Problem? {
        guard let known = question.known, let words = known.words else { return nil }
        steps.append(Line(mark: known.problem == nil ? .yes : .no, name: "token", words: words))
        return known.problem
    }

    /// What the request counts in. Whether there is room is judged when it comes.
    private mutating func explainLimits(_ table: LimitTable, _ routes: RouteTable) {
        var demands = table.admission(question.token, permit.demands)
        for (index, provider) in routes.providers.enumerated()
        where providers.contains(where: { $0.mark == .yes && $0.name == provider.name }) {
            let model = provider.replacement(for: route.model) ?? route.model
            for demand in table.attempt(index, model: model)
            where !demands.contains(where: { $0.holder == demand.holder }) {
                demands.append(demand)
            }
        }
        limits = demands.map { Line(mark: .none, name: "\($0.holder)", words: $0.words) }
    }

    private mutating func judge(_ routes: RouteTable) throws(PolicyDenial) {
        if let own = permit.ownRule {
            let words = "without its token it falls under '\(own.name)', which has to allow it too"
            steps.append(Line(mark: own.isDenied ? .no : .yes, name: "user", words: words))
        }
        let permit = permit
        try step("caller", permit.rule.map { "the rule '\($0.name)' decides" } ?? "there are no rules") {
            () throws(PolicyDenial) in if let denial = permit.denial { throw denial }
        }
        let outline = RequestOutline(
            route.target, route.operation, pathModel: route.facts.model,
            method: RequestHead.Method(rawValue: question.method) ?? .post, hasBody: true, isWebSocket: false)
        let confines = Confines(permit, outline)
        try step("head", "path and operation '\(route.operation.rawValue)' are allowed") { () throws(PolicyDenial) in
            try confines?.judge()
        }
        let word = Confines.ModelWord.told(route.model, further: false)
        try step("model", route.model.map { "'\($0)' is allowed" } ?? "none is named, and none need be") {
            () throws(PolicyDenial) in _ = try confines?.narrow([], routes, word)
        }
        try judgeProviders(routes, confines, word)
    }

    private mutating func step(
        _ name: String, _ words: String, _ check: () throws(PolicyDenial) -> Void
    ) throws(PolicyDenial) {
        do throws(PolicyDenial) {
            try check()
            steps.append(Line(mark: .yes, name: name, words: words))
        } catch {
            steps.append(Line(mark: .no, name: name, words: error.problem.message))
            throw error
        }
    }

    private mutating func judgeProviders(
        _ routes: RouteTable, _ confines: Confines?, _ word: Confines.ModelWord
    ) throws(PolicyDenial) {
        let fits = routes.judge(route.target, route.dialect, model: route.model)
        for (index, provider) in routes.providers.enumerated() {
            let words: String
            switch fits[index] {
            case .fits, .named:
                if let denial = confines?.denial(at: provider, word) {
                    words = denial.problem.message
                    break
                }
                let asked = provider.replacement(for: route.model) ?? route.model
                providers.append(
                    Line(mark: .yes, name: provider.name, words: asked.map { "is asked for \($0)" } ?? "is asked"))
                continue
            case let other: words = RouteExplanation.reason(other, provider, route.dialect, route.model)
            }
            providers.append(Line(mark: .no, name: provider.name, words: words))
        }
        if let problem = RouteExplanation.problem(routes, route.target, route.dialect, route.model) {
            refusal = problem
            return
        }
        let fitting = fits.indices.filter { fits[$0] == .fits || fits[$0] == .named }
        _ = try confines?.narrow(fitting, routes, word)
    }
}

// MARK: Shown

extension PolicyExplanation {
    package var text: String {
        var lines = [
            "caller    \(Principal(question.caller, token: question.token).words)",
            "request   \(question.method) \(question.path) (\(route.dialect.rawValue) \(route.operation.rawValue)), "
                + (route.model.map { "model \($0)" } ?? "no model"),
        ]
        for (title, part) in [
            ("rules", rules), ("steps", steps), ("providers, in this order", providers),
            ("limits that it counts in, if there is room", limits),
        ] where !part.isEmpty {
            lines += ["", title]
            lines += part.map { "  \($0.mark.rawValue.padded) \($0.name): \($0.words)" }
        }
        lines.append("")
        if let refusal {
            lines.append("Refused: answered \(refusal.status) \(refusal.code.rawValue): \(refusal.message)")
        } else {
            lines.append("Allowed.")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// One object, with the same content.
    package var json: String {
        var output = Array("{\"allowed\":\(isAllowed)".utf8)
        output.add(",\"rule\":", permit.rule?.name)
        output.add(",\"without_token\":", permit.ownRule?.name)
        output.add(",\"model\":", route.model)
        for (title, part) in [("rules", rules), ("steps", steps), ("providers", providers), ("limits", limits)] {
            output.append(contentsOf: ",\"\(title)\":[".utf8)
            for (index, line) in part.enumerated() {
                output.add((index > 0 ? "," : "") + "{\"name\":", line.name)
                output.add(",\"result\":", line.mark == .none ? nil : line.mark.rawValue)
                output.add(",\"why\":", line.words)
                output.append(UInt8(ascii: "}"))
            }
            output.append(UInt8(ascii: "]"))
        }
        if let refusal {
            output.append(contentsOf: ",\"status\":\(refusal.status)".utf8)
            output.add(",\"code\":", refusal.code.rawValue)
            output.add(",\"message\":", refusal.message)
        }
        return String(decoding: output, as: UTF8.self) + "}\n"
    }
}

extension String {
    fileprivate var padded: String { self + String(repeating: " ", count: max(0, 3 - count)) }
}

extension [UInt8] {
    fileprivate mutating func add(_ key: String, _ value: String?) {
        append(contentsOf: key.utf8)
        if let value { append(json: value) } else { append(contentsOf: "null".utf8) }
    }
}
