// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore

/// *authorise*: who asks, by which rule that is allowed, and for which web page. On a Unix socket the peer's uid was judged
/// when the connection was accepted.
struct Access {
    private(set) var principal: Principal
    /// A token that was shown and counts no more: who still uses one that was revoked.
    private(set) var formerToken: String?
    /// nil: nobody has been let in.
    private(set) var grant: Grant?
    /// Named in Access-Control-Allow-Origin.
    private(set) var allowedOrigin: String?
    /// What of this request policy forbids; nil: nothing.
    private(set) var confines: Confines?

    init(_ caller: CallerRecord) { principal = Principal(caller) }

    /// A head that could not be read: nothing is known but who sent it.
    mutating func acceptUnread(_ listener: Listener) {
        if !listener.isTCP { grant = Grant(.owner) }
    }

    /// Judges by the head alone. Returns the answer to a browser that only asks whether a page may call.
    mutating func authorise(
        _ head: RequestHead, _ resolved: ResolvedTarget, _ connection: Connection, _ runtime: Runtime
    ) throws(Problem) -> LocalAnswer? {
        let snapshot = runtime.snapshot
        if connection.listener.socket.isForMetrics {
            grant = Grant(.open)
            return try admitScraper(head, resolved, connection, snapshot)
        }
        if connection.listener.isTCP, snapshot.tcpFault != nil, resolved.page?.access != .everybody {
            throw .tcpRefused
        }
        if let preflight = try preflight(head, connection, snapshot) { return preflight }
        try judge(head, resolved, connection, runtime)
        if resolved.page == nil, grant != nil {
            let permit = connection.permitMemo.permit(for: principal, snapshot)
            grant?.permit = permit
            if let denial = permit.denial { throw refuse(denial) }
        }
        return nil
    }

    /// On a listener of metrics: who may see them needs to show nothing, and there is nothing else.
    private mutating func admitScraper(
        _ head: RequestHead, _ resolved: ResolvedTarget, _ connection: Connection, _ snapshot: Snapshot
    ) throws(Problem) -> LocalAnswer? {
        guard let page = resolved.page, page == .metrics || page == .health else { throw .onlyMetrics }
        return try preflight(head, connection, snapshot)
    }

    /// The answer to a browser that asks whether a page may call; nil if it is none. Throws for a foreign page.
    private mutating func preflight(
        _ head: RequestHead, _ connection: Connection, _ snapshot: Snapshot
    ) throws(Problem) -> LocalAnswer? {
        guard let gate = connection.listener.webGate(snapshot) else { return nil }
        if let problem = connection.hostMemo.check(head, gate, snapshot) { throw problem }
        switch gate.judgeOrigin(head) {
        case .absent, .own: return nil
        case .foreign: throw WebGate.foreignOrigin
        case .allowed(let origin):
            allowedOrigin = origin
            guard head.method == .options, head.first(.accessControlRequestMethod) != nil else { return nil }
            return LocalAnswer(status: 204, fields: LocalAnswer.preflightFields(head))
        }
    }

    private mutating func judge(
        _ head: RequestHead, _ resolved: ResolvedTarget, _ connection: Connection, _ runtime: Runtime
    ) throws(Problem) {
        let snapshot = runtime.snapshot
        let verdict = connection.credentialMemo.judge(head, resolved.target.queryKey, runtime.tokens)
        switch verdict {
        case .valid(let token): principal = Principal(principal.caller, token: token)
        case .refused(let refusal): formerToken = refusal.name
        case .missing, .invalid: break
        }
        if !connection.listener.isTCP { grant = Grant(.owner) }
        if resolved.page?.access == .administrators,
            let fault = administrationFault(head, connection, showsToken: verdict.isOfOurs)
        {
            throw fault
        }
        // Where no token is needed, other things that are shown are ignored. A token of ours that counts no more is refused even
        // there: whoever shows one wants to be judged by it.
        if case .refused(let refusal) = verdict, resolved.page?.access != .everybody { throw .refused(refusal) }
        guard connection.listener.isTCP else { return }
        if let page = resolved.page {
            if page.access != .everybody {
                grant = try judgePage(page, head, snapshot.configuration.authentication, verdict, connection)
            }
        } else if snapshot.configuration.authentication.enable, snapshot.fault == nil {
            if verdict == .invalid, let owner = TokenGate.keyOwner(head, queryKey: resolved.target.queryKey) {
                throw .realKey(of: owner)
            }
            grant = try Self.grant(verdict)
            if let problem = WebGate.checkContentType(ofKnown: head) { throw problem }
        } else {
            if !snapshot.configuration.authentication.enable { grant = Grant(.open) }
            if let problem = connection.listener.webGate(snapshot)?.checkPage(head) { throw problem }
        }
    }

    // MARK: Policy

    /// The first step: by the head. What depends on the model is judged once that is known (`Intake.refuseGuess`, `narrow`).
    mutating func confine(
        _ head: RequestHead, _ resolved: ResolvedTarget, hasBody: Bool, isWebSocket: Bool
    ) throws(Problem) {
        guard let permit = grant?.permit else { return }
        confines = Confines(
            permit,
            RequestOutline(
                resolved.target, resolved.operation, pathModel: resolved.facts.model, method: head.method,
                hasBody: hasBody, isWebSocket: isWebSocket))
        do throws(PolicyDenial) { try confines?.judge() } catch { throw refuse(error) }
    }

    /// The second: of the providers that fit, those that policy allows; for a WebSocket those that have one.
    mutating func fitting(
        _ exchange: Exchange, _ resolved: ResolvedTarget, _ word: Confines.ModelWord
    ) throws(Problem) -> [Int] {
        let snapshot = exchange.runtime.snapshot
        var fitting = try resolved.fitting(snapshot, model: exchange.intake.facts.model)
        if let confines {
            do throws(PolicyDenial) {
                fitting = try confines.narrow(fitting, snapshot.routes, word)
            } catch {
                throw refuse(error)
            }
        }
        if exchange.intake.upgrade == nil { return fitting }
        return try snapshot.commons.webSockets.having(fitting, of: snapshot.routes.providers, resolved)
    }

    /// Before each attempt: nothing leads out of what is allowed, whatever the plan says.
    mutating func check(_ provider: Provider, _ word: Confines.ModelWord) throws(Problem) {
        if let denial = confines?.denial(at: provider, word) { throw refuse(denial) }
    }

    private mutating func refuse(_ denial: PolicyDenial) -> Problem {
        grant?.refusingRule = denial.ruleName
        return denial.problem
    }

    // MARK: The door

    private static func grant(_ verdict: TokenGate.Verdict) throws(Problem) -> Grant {
        switch verdict {
        case .valid: return Grant(.token)
        case .refused(let refusal): throw .refused(refusal)
        case .missing:
            throw Problem(
                .unauthenticated, status: 401,
                "A proxy token is needed: send it as 'Authorization: Bearer TOKEN', or where your SDK puts its API key."
            )
        case .invalid:
            throw Problem(
                .unauthenticated, status: 401,
                "The proxy token is not known. Send one that 'menshen token create' has printed, or one of [auth] in its configuration, not the provider's key."
            )
        }
    }

    /// Why the caller may not administer; nil: it may. Whoever gives out rights shows none: only the kernel's word counts, and no
    /// page has sent it. Over TCP there is nothing there, for anybody.
    func administrationFault(_ head: RequestHead, _ connection: Connection, showsToken: Bool) -> Problem? {
        guard !connection.listener.isTCP, let uid = principal.caller.uid else { return .administeredElsewhere }
        guard connection.worker.context.gate.judge(uid: uid) != .foreign else { return .notAdministrator }
        if showsToken { return .administersWithToken }
        let isFromPage = head.first(.origin) != nil || head.first(.secFetchSite) != nil
        return isFromPage ? .administersFromPage : nil
    }

    private func judgePage(
        _ page: AdminPage, _ head: RequestHead, _ authentication: Configuration.Authentication,
        _ verdict: TokenGate.Verdict, _ connection: Connection
    ) throws(Problem) -> Grant {
        if !authentication.enable { return Grant(.open) }
        if case .valid = verdict {
            if page.access == .owners { throw .forOwners }
            return Grant(.token)
        }
        guard let password = authentication.password else {
            throw Problem(
                .unauthenticated, status: 401,
                "menshen's own pages are closed over TCP because there is no password. Set [auth] user and password, or use the Unix socket."
            )
        }
        // A browser asks without, before it asks its user.
        guard TokenGate.basicCredential(head) != nil else { throw .signInNeeded }
        let outcome = connection.worker.context.signIns.judge(
            from: principal.caller.host, now: connection.worker.now,
            isRight: BasicCredentials.match(head, user: authentication.user, password: password))
        switch outcome {
        case .right: return Grant(.password)
        case .wrong: throw .signInNeeded
        case .tooOften(let seconds): throw .tooManySignIns(waiting: seconds)
        }
    }

    /// The token with which the caller was let in is one no more.
    func isRevoked(by tokens: TokenGate) -> Bool {
        guard let token = principal.token else { return false }
        return tokens.valid([token.digest]) == nil
    }
}
