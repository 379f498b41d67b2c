// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore
internal import MenshenStore

/// menshen's own pages: `/` and `/_menshen/…`.
enum Surface: Equatable {
    /// Besides menshen's own name the one that Claude Code asks for before its first request.
    private static let healthPaths = ["/_menshen/health", "/api/hello"]

    case page
    case health
    case status
    case unknown

    /// A page loads nothing from anywhere and runs no script.
    static let pageFields: [(name: String, value: String)] = [
        ("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store"),
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
    ]

    /// nil for everything that belongs to a provider.
    init?(_ target: RequestTarget) {
        guard target.providerName == nil else { return nil }
        switch target.path {
        case "/": self = .page
        case _ where Self.healthPaths.contains(target.path): self = .health
        case "/_menshen/status": self = .status
        default:
            guard target.path.hasPrefix("/_menshen") else { return nil }
            self = .unknown
        }
    }
}

extension Exchange {
    /// Rows on the status page.
    private static let recentLimit = 20

    func serve(_ surface: Surface) throws(Problem) {
        guard head.method == .get || head.method == .head else {
            throw Problem(.methodNotAllowed, status: 405, "This page only answers GET.")
        }
        switch surface {
        case .health:
            let isWell = runtime.snapshot.fault == nil
            answer(
                LocalAnswer(
                    status: isWell ? 200 : 503,
                    fields: [("Content-Type", "application/json"), ("Cache-Control", "no-store")],
                    body: Array(#"{"status":"\#(isWell ? "ok" : "configuration broken")"}\#n"#.utf8)))
        case .page:
            present {
                StatusPage.html($0)
            } fields: {
                Surface.pageFields
            }
        case .status:
            let wantsText = head.accepts("text/plain")
            present {
                wantsText ? StatusReport.text($0) : StatusPage.json($0)
            } fields: {
                [
                    ("Content-Type", wantsText ? "text/plain; charset=utf-8" : "application/json"),
                    ("Cache-Control", "no-store"),
                ]
            }
        case .unknown:
            throw Problem(
                .notFound, status: 404, "There is no such page. menshen's own are / and /_menshen/{health,status}.")
        }
    }

    /// Why a page of menshen's own is not shown. Only a browser whose user wants to sign in is asked for a password: others
    /// could show nothing else then.
    func pageAnswer(_ problem: Problem) -> LocalAnswer {
        let hasPassword = runtime.snapshot.configuration.authentication.password != nil
        guard head.accepts("text/html"), let target = resolved?.target else {
            return LocalAnswer(problem, dialect, id, asksForPassword: hasPassword)
        }
        let signsIn = head.first(.authorization) != nil || target.queryValue("signin") != nil
        var answer = LocalAnswer(problem, dialect, id, asksForPassword: hasPassword && signsIn)
        let canSignIn = problem.status == 401 && hasPassword
        answer.become(
            page: StatusPage.html(problem, signInPath: canSignIn ? target.path + "?signin" : nil), Surface.pageFields)
        return answer
    }

    private func present(
        _ render: @escaping (StatusSnapshot) -> String, fields: @escaping () -> [(name: String, value: String)]
    ) {
        worker.recentRequests(Self.recentLimit, for: self) { [self] rows, survey in
            // A token's holder sees what that token has asked for; the owner, on the Unix socket or by password, all.
            let shown =
                access.grant?.showsAll == true
                ? rows : rows.filter { $0.callerUID == nil && $0.tokenName == access.principal.token }
            let snapshot = worker.status(runtime, shown, survey)
            answer(LocalAnswer(status: 200, fields: fields(), body: Array(render(snapshot).utf8)))
        }
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
