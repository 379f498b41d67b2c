// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenPages
internal import MenshenStore
internal import Reactor

extension AdminPage {
    /// All pages of the dashboard: `Dashboard` (MenshenPages) finds them by what follows.
    static let dashboard = AdminPage(
        "/_menshen/ui", access: .owners, [Action(.get) { caller, _ in caller.showDashboard() }])

    /// Scripts and styles come from here alone, and no page is shown within another.
    fileprivate static let dashboardFields: [(name: String, value: String)] = [
        (
            "Content-Security-Policy",
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
                + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
    ]
}

/// A page of the dashboard: what the workers know is gathered, then the page is made on the thread that reads records.
extension PageVisit {
    func showDashboard() {
        let exchange = exchange
        // Tokens that can't be listed are told of among the faults.
        exchange.worker.listTokens(for: exchange) { [self] outcome in
            let tokens = (try? outcome.get().all) ?? []
            exchange.worker.recentRequests(0, for: exchange) { [self] _, survey in
                if exchange.phase.isOver { return }
                let status = exchange.worker.status(exchange.runtime, [], survey)
                var live = LiveView(status, exchange.runtime.snapshot)
                live.pots = Allowance.states(for: exchange).0
                live.tokens = tokens
                live.configuredTokens = configuredTokens
                draw(live)
            }
        }
    }

    private func draw(_ live: LiveView) {
        let exchange = exchange
        guard let target = exchange.resolved?.target else { return }
        let request = PageRequest(
            path: target.path.split(separator: "/").dropFirst(2).map { PercentEncoding.decode($0) },
            // What has made the browser ask for the password is no parameter of the page.
            parameters: target.queryParameters.filter { $0.name != "signin" },
            now: Int64(Clock.wall() / 1_000_000),
            zone: exchange.runtime.snapshot.configuration.limits.zone)
        exchange.worker.drawPage(request, live, for: exchange) { [self] drawn in
            if exchange.phase.isOver { return }
            var fields = AdminPage.dashboardFields + drawn.fields + [("Content-Type", drawn.contentType)]
            if !drawn.fields.contains(where: { $0.name == "cache-control" }) {
                fields.append(("Cache-Control", "no-store"))
            }
            answer(page: LocalAnswer(status: drawn.status, fields: fields, body: drawn.body))
        }
    }
}

extension Worker {
    /// Has a page made where records are read; `body` runs later, unless the caller leaves first.
    func drawPage(
        _ request: PageRequest, _ live: LiveView, for exchange: Exchange, _ body: @escaping (PageAnswer) -> Void
    ) {
        let id = exchange.id
        let mailbox = context.mailbox
        let path = context.board.database
        waiting.awaitDrawing(body, id)
        let isRead = context.store.runApart { mailbox.post(.drawn(id, Dashboard.make(request, live, path))) }
        if !isRead { mailbox.post(.drawn(id, Dashboard.answer(request, live, fault: .closing))) }
    }
}

extension Dashboard {
    /// Opens the records for one page: the file may be another one by the next.
    fileprivate static func make(_ request: PageRequest, _ live: LiveView, _ path: String) -> PageAnswer {
        do throws(StoreFault) {
            let reports = try RecordReports(path)
            var live = live
            live.open = try open(reports, request.now)
            return try answer(request, PageSources(reports: reports, live: live))
        } catch {
            return answer(request, live, fault: error)
        }
    }

    /// What is under way, as far as it is recorded: of the last day, a hundred at most.
    private static func open(_ reports: RecordReports, _ now: Int64) throws(StoreFault) -> [RequestRecord] {
        var query = LogQuery()
        query.filters = [ReportFilter(.outcome, ["open"])]
        query.after = RequestID(microseconds: (now - 86_400) * 1_000_000)
        query.limit = 100
        return try reports.requests(query).records
    }
}

extension StoreFault {
    fileprivate static let closing = StoreFault(
        reason: "menshen is stopping", advice: "Ask again when it runs.")
}
