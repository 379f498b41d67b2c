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

    /// That there is something else to see, as it happens. Apart from `/_menshen/ui/live`, the page that tells what.
    static let changes = AdminPage(
        "/_menshen/ui/changes", access: .owners, [Action(.get) { caller, _ in caller.followChanges() }])

    /// Style sheet and script, which pages before signing in need too; the same for everybody.
    static let assets = AdminPage(
        "/_menshen/ui/assets/", access: .everybody,
        [
            Action(.get) { (caller, _) throws(Problem) in
                let path = caller.head.text(caller.head.path).split(separator: "/").dropFirst(2).map(String.init)
                guard let asset = Assets.answer(path) else {
                    throw Problem(.notFound, status: 404, "There is no such file; a page of this version names others.")
                }
                caller.answer(page: LocalAnswer(asset))
            }
        ])
}

extension LocalAnswer {
    init(_ page: PageAnswer) { self.init(status: page.status, fields: page.allFields, body: page.body) }

    /// The same for a person at a browser.
    mutating func become(_ page: PageAnswer) {
        body = page.body
        fields = fields.filter { $0.name != "Content-Type" } + page.allFields
    }
}

/// A page of the dashboard: what the workers know is gathered, then the page is made on the thread that reads records.
extension PageVisit {
    func showDashboard() {
        let exchange = exchange
        let listing = Dashboard.listsUnderWay(pagePath)
        // Tokens that can't be listed are told of among the faults.
        exchange.worker.listTokens(for: exchange) { [self] outcome in
            let tokens = (try? outcome.get().all) ?? []
            exchange.worker.survey(recent: 0, listing: listing, for: exchange) { [self] _, survey in
                if exchange.phase.isOver { return }
                let status = exchange.worker.status(exchange.runtime, [], survey)
                var live = LiveView(status, exchange.runtime.snapshot)
                live.openCount = exchange.worker.context.metrics.openRequests
                live.pots = Allowance.states(for: exchange).0
                live.tokens = tokens
                live.configuredTokens = configuredTokens
                draw(live)
            }
        }
    }

    /// Below the dashboard's own, decoded.
    private var pagePath: [String] {
        let path = exchange.resolved?.target.path ?? ""
        return path.split(separator: "/").dropFirst(2).map { PercentEncoding.decode($0) }
    }

    func followChanges() {
        let isHead = exchange.head.method == .head
        if !isHead, ChangeStream.begin(exchange) { return }
        let words = "\(ChangeStream.limit) pages of the dashboard follow what goes on already; close one of them."
        answer(
            page: LocalAnswer(
                status: isHead ? 200 : 503,
                fields: [
                    ("Content-Type", isHead ? "text/event-stream" : "text/plain; charset=utf-8"),
                    ("Cache-Control", "no-store"),
                ], body: isHead ? [] : Array("\(words)\n".utf8)))
    }

    private func draw(_ live: LiveView) {
        let exchange = exchange
        guard let target = exchange.resolved?.target else { return }
        let request = PageRequest(
            path: pagePath,
            // What has made the browser ask for the password is no parameter of the page.
            parameters: target.queryParameters.filter { $0.name != "signin" },
            now: Int64(Clock.wall() / 1_000_000),
            zone: exchange.runtime.snapshot.configuration.limits.zone, formToken: formToken)
        exchange.worker.drawPage(request, live, for: exchange) { [self] drawn in
            if exchange.phase.isOver { return }
            answer(page: LocalAnswer(drawn))
        }
    }

    /// What `menshen dashboard` says of its session, on behalf of somebody who may administer: forms that carry it are then shown.
    /// They are sent to that command, and not here. A browser can't say it, and it opens nothing.
    private var formToken: String? {
        let head = exchange.head
        guard let said = head.first(.menshenForm) else { return nil }
        let access = exchange.access
        let fault = access.administrationFault(
            head, exchange.connection, showsToken: access.principal.token != nil)
        return fault == nil ? head.text(said) : nil
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
            return try answer(request, PageSources(reports: try RecordReports(path), live: live))
        } catch {
            return answer(request, live, fault: error)
        }
    }
}

extension StoreFault {
    fileprivate static let closing = StoreFault(
        reason: "menshen is stopping", advice: "Ask again when it runs.")
}
