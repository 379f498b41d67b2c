// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore
internal import MenshenStore

/// What an administrator asks for: tokens are given out, changed and taken away.
extension PageVisit {
    func query(_ name: String) -> String? { exchange.resolved?.target.queryValue(name) }

    var configuredTokens: [String] { exchange.runtime.snapshot.configuration.authentication.tokens.map(\.name) }

    var configuredProviders: [String] { exchange.runtime.snapshot.configuration.providers.map(\.name) }

    func record(_ act: KeyAct, _ render: @escaping () -> LocalAnswer) throws(Problem) {
        let exchange = exchange
        exchange.worker.record(act.act(by: try administrator()), for: exchange) { [self] outcome in
            answer(outcome, to: exchange) { (_) throws(Problem) in render() }
        }
    }

    func administrator() throws(Problem) -> Administrator {
        let caller = exchange.access.principal.caller
        guard let uid = caller.uid else { throw .administeredElsewhere }
        return Administrator(uid: uid, pid: caller.pid)
    }

    func perform(_ act: TokenAct, _ render: @escaping (TokenOutcome) -> LocalAnswer) throws(Problem) {
        let exchange = exchange
        let who = try administrator()
        try check(act)
        exchange.worker.administer(act, by: who, for: exchange) { [self] outcome in
            answer(outcome, to: exchange, render)
        }
    }

    func withTokens(_ render: @escaping ([GivenToken]) throws(Problem) -> LocalAnswer) {
        let exchange = exchange
        exchange.worker.listTokens(for: exchange) { [self] outcome in
            answer(outcome, to: exchange) { (done) throws(Problem) in try render(done.all) }
        }
    }

    func answer(
        _ outcome: Result<TokenOutcome, Problem>, to exchange: Exchange,
        _ render: (TokenOutcome) throws(Problem) -> LocalAnswer
    ) {
        if exchange.phase.isOver { return }
        exchange.orFail { () throws(Problem) in answer(page: try render(outcome.get())) }
    }

    /// What the configuration has to say to it.
    private func check(_ act: TokenAct) throws(Problem) {
        switch act {
        case .create(let name, let terms):
            if configuredTokens.contains(name) {
                throw .token(
                    "[auth] in the configuration has a token '\(name)' already, and records could not tell the two apart.",
                    status: 409)
            }
            try check(providers: terms.providers)
        case .edit(_, let members):
            for case ("providers", .list(let names)) in members { try check(providers: names) }
        case .revoke, .rotate: break
        }
    }

    private func check(providers: [String]) throws(Problem) {
        let known = configuredProviders
        guard exchange.runtime.snapshot.fault == nil, let unknown = providers.first(where: { !known.contains($0) })
        else {
            return
        }
        throw .token(
            "There is no provider '\(unknown)' in the configuration, which has \(known.joined(separator: ", ")).")
    }
}
