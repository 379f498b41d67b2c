// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore

/// The table of menshen's own pages that have paths of their own. What else is menshen's (the dashboard's pages and files below
/// their prefixes, its stream of changes, and all that is unknown) `AdminPage.at` finds, in the order that it states.
extension AdminPage {
    static let all = [home, health, status, metrics, usage, keyInfo, live, tokens, keys, cache, dashboard]

    /// Leads to the dashboard, where somebody has to sign in; says nothing else.
    static let home = AdminPage(
        "/", access: .everybody,
        [
            Action(.get) { caller, _ in
                caller.answer(
                    page: LocalAnswer(
                        status: 303, fields: [("Location", "/_menshen/ui/"), ("Cache-Control", "no-store")]))
            }
        ])

    /// Besides menshen's own name the one that Claude Code asks for before its first request.
    static let health = AdminPage(
        "/_menshen/health", "/api/hello", access: .everybody,
        [
            Action(.get) { caller, _ in
                caller.answer(
                    page: LocalAnswer(
                        status: caller.isWell ? 200 : 503,
                        fields: [("Content-Type", "application/json"), ("Cache-Control", "no-store")],
                        body: Array(#"{"status":"\#(caller.isWell ? "ok" : "configuration broken")"}\#n"#.utf8)))
            }
        ])

    static let status = AdminPage(
        "/_menshen/status", access: .signedIn,
        [
            Action(.get) { caller, _ in
                let wantsText = caller.head.accepts("text/plain")
                caller.withStatus(.last) {
                    LocalAnswer(
                        status: 200,
                        fields: [
                            ("Content-Type", wantsText ? "text/plain; charset=utf-8" : "application/json"),
                            ("Cache-Control", "no-store"),
                        ],
                        body: Array((wantsText ? StatusReport.text($0) : StatusPage.json($0)).utf8))
                }
            }
        ])
}
