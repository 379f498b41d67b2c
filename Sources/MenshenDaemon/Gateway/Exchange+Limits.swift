// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore

/// What a caller may take of what all share, and the end of a token.
extension Exchange {
    /// Whose share of the bodies' memory this is.
    private var payer: String {
        let caller = connection.caller
        if let tokenName { return "token \(tokenName)" }
        if let program = caller.executable ?? caller.unit { return program }
        if let uid = caller.uid { return "uid \(uid)" }
        return caller.host
    }

    /// Room for so many more bytes of a body that is kept.
    func reserve(_ count: Int) throws(Problem) {
        if body.count + count <= BodyBudget.small { return }
        let missing = body.count + count - charged
        if worker.bodies.take(missing, for: payer) { return charged += missing }
        throw Problem(
            .overloaded, status: 503,
            "The request bodies of this caller that are not whole yet fill its share of server.max_buffered_bodies.",
            isRetryable: true)
    }

    func giveBack() {
        if charged == 0 { return }
        worker.bodies.give(charged, of: payer)
        charged = 0
    }

    /// What the caller may be told of a broken configuration: a stranger on TCP is not told what the owner wrote.
    func brokenProblem(_ fault: String) -> Problem {
        Problem(
            .configurationBroken, status: 503,
            "menshen has no usable configuration. "
                + (connection.listener.isTCP
                    ? "Its journal and 'menshen status' tell its owner the reason." : fault))
    }

    /// Its token is none any more: what is under way ends now, a WebSocket with status 1008 ("policy violation").
    func endIfRevoked(_ tokens: TokenGate) {
        guard connection.listener.isTCP, tokenName != nil, ending == nil else { return }
        if case .valid = tokens.judge(head, queryKey: resolved?.target.queryKey) { return }
        let problem = Problem(.unauthenticated, status: 401, "The proxy token was revoked.")
        guard framing != nil else { return fail(problem) }
        problemCode = problem.code.rawValue
        if webSocket == nil, framing == .untilClose { SocketIO.resetOnClose(connection.fd) }
        connection.abort(.policyViolation)
    }
}
