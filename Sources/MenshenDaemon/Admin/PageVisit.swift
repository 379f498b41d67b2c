// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore
internal import MenshenPages
internal import MenshenStore

/// One request for a page of menshen's own: what comes of its body, what the page may ask, and the way of its answer to the
/// exchange, which holds it as long as the page is made.
final class PageVisit: AdminCaller {
    /// Requests that the status tells of.
    private static let recentLimit = 20

    unowned let exchange: Exchange
    private let request: AdminRequest

    private init(_ page: AdminPage, _ exchange: Exchange) throws(Problem) {
        self.exchange = exchange
        request = try AdminRequest(page, exchange.head.method)
    }

    static func begin(_ page: AdminPage, _ exchange: Exchange) throws(Problem) {
        if page.isForOnlookers { exchange.worker.looksOn(exchange.connection, true) }
        let visit = try PageVisit(page, exchange)
        exchange.enter(.visiting(visit))
        try visit.request.begin(isWhole: exchange.intake.isComplete, visit)
        if visit.request.isGathering { exchange.connection.inviteBody(of: exchange.head) }
    }

    // MARK: The body comes

    func receive(_ bytes: UnsafeRawBufferPointer) throws(Problem) { try request.receive(bytes) }
    func bodyEnded() throws(Problem) { try request.bodyEnded(self) }

    // MARK: What the page asks

    var head: RequestHead { exchange.head }
    var token: AccessToken? { exchange.access.principal.token }
    var ownPots: ([PotState], ZoneRules) { Allowance.states(for: exchange) }
    var isWell: Bool { exchange.runtime.snapshot.fault == nil }

    func metrics(_ format: MetricText.Format) -> [UInt8] {
        let context = exchange.worker.context
        return context.metrics.text(format, exchange.runtime.snapshot, context)
    }

    var totals: RequestTally.Totals { exchange.worker.context.metrics.totals }

    func answer(page answer: LocalAnswer) {
        // The rest of a body that is not read hides where the next request begins.
        if !exchange.intake.isComplete { exchange.writer.closeAfter() }
        exchange.answer(answer)
    }

    func withStatus(_ requests: StatusSnapshot.Requests, _ render: @escaping (StatusSnapshot) -> LocalAnswer) {
        let exchange = exchange
        let isLive = requests == .underWay
        exchange.worker.survey(recent: isLive ? nil : Self.recentLimit, listing: isLive, for: exchange) {
            [self] rows, survey in
            // It was refused meanwhile, for its body.
            if exchange.phase.isOver { return }
            // A token's holder sees what that token has asked for; the owner, on the Unix socket or by password, all.
            let access = exchange.access
            let shown =
                access.grant?.showsAll == true
                ? rows : rows.filter { $0.caller.uid == nil && $0.caller.token == access.principal.tokenName }
            answer(page: render(exchange.worker.status(exchange.runtime, shown, survey)))
        }
    }

    // MARK: Refused

    /// Why a page of menshen's own is not shown. Only a browser whose user wants to sign in is asked for a password: others
    /// could show nothing else then.
    static func refusal(_ problem: Problem, of exchange: Exchange) -> LocalAnswer {
        let head = exchange.head
        let target = exchange.resolved?.target
        let hasPassword = exchange.runtime.snapshot.configuration.authentication.password != nil
        let isPage = head.accepts("text/html")
        let signsIn = head.first(.authorization) != nil || target?.queryValue("signin") != nil
        var answer = LocalAnswer(
            problem, exchange.dialect, exchange.id, asksForPassword: hasPassword && (signsIn || !isPage))
        if problem.status == 405, let page = exchange.resolved?.page { answer.fields.append(("Allow", page.methods)) }
        guard isPage, let target else { return answer }
        let canSignIn = problem.status == 401 && hasPassword
        answer.become(
            LonePages.refused(
                status: problem.status, message: problem.message, signIn: canSignIn ? target.path + "?signin" : nil))
        return answer
    }
}

extension RequestHead {
    /// The caller names that media type among those it takes.
    func accepts(_ type: String) -> Bool {
        fields.contains { field in
            field.known == .accept
                && text(field.value).split(separator: ",").contains { entry in
                    entry.prefix { $0 != ";" }.filter { $0 != " " }.lowercased() == type
                }
        }
    }
}
