// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore
internal import MenshenStore

extension Exchange: AdminCaller {
    /// Rows on the status page.
    private static let recentLimit = 20

    var isWell: Bool { runtime.snapshot.fault == nil }

    func serve(_ page: AdminPage) throws(Problem) {
        let request = try AdminRequest(page, head.method)
        phase = .composing(request)
        try request.begin(isWhole: intake.isComplete, self)
        if request.isGathering { inviteBody() }
    }

    func answer(page answer: LocalAnswer) {
        // The rest of a body that is not read hides where the next request begins.
        if !intake.isComplete { writer.closeAfter() }
        self.answer(answer)
    }

    func withStatus(_ render: @escaping (StatusSnapshot) -> LocalAnswer) {
        worker.recentRequests(Self.recentLimit, for: self) { [self] rows, survey in
            // It was refused meanwhile, for its body.
            if phase.isOver { return }
            // A token's holder sees what that token has asked for; the owner, on the Unix socket or by password, all.
            let shown =
                access.grant?.showsAll == true
                ? rows : rows.filter { $0.callerUID == nil && $0.tokenName == access.principal.tokenName }
            answer(page: render(worker.status(runtime, shown, survey)))
        }
    }

    /// Why a page of menshen's own is not shown. Only a browser whose user wants to sign in is asked for a password: others
    /// could show nothing else then.
    func pageAnswer(_ problem: Problem) -> LocalAnswer {
        let hasPassword = runtime.snapshot.configuration.authentication.password != nil
        let isPage = head.accepts("text/html")
        let signsIn = head.first(.authorization) != nil || resolved?.target.queryValue("signin") != nil
        var answer = LocalAnswer(problem, dialect, id, asksForPassword: hasPassword && (signsIn || !isPage))
        if problem.status == 405, let page = resolved?.page { answer.fields.append(("Allow", page.methods)) }
        guard isPage, let target = resolved?.target else { return answer }
        let canSignIn = problem.status == 401 && hasPassword
        answer.become(
            page: StatusPage.html(problem, signInPath: canSignIn ? target.path + "?signin" : nil), AdminPage.pageFields)
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
