// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
package import MenshenStore

/// A request for a page of the dashboard, past authentication.
package struct PageRequest: Sendable {
    /// Below `/_menshen/ui/`, decoded and split at slashes; empty for the overview.
    package var path: [String]
    /// Of the query, decoded, in their order.
    package var parameters: [(name: String, value: String)]
    /// Seconds since 1970.
    package var now: Int64
    package var zone: ZoneRules
    /// Of a session that may change something, for its forms; nil: whoever looks only looks.
    package var formToken: String?

    package init(
        path: [String], parameters: [(name: String, value: String)], now: Int64, zone: ZoneRules,
        formToken: String? = nil
    ) {
        self.path = path
        self.parameters = parameters
        self.now = now
        self.zone = zone
        self.formToken = formToken
    }
}

package struct PageAnswer: Sendable {
    package var status: Int
    package var contentType: String
    package var body: [UInt8]
    /// Besides those that every page has.
    package var fields: [(name: String, value: String)] = []

    /// Header fields of the answer. Scripts and styles come from the page's own server alone, no page is shown within another,
    /// and none is kept unless it says so.
    package var allFields: [(name: String, value: String)] {
        let policy =
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
            + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        let keeping = fields.contains { $0.name == "Cache-Control" } ? [] : [("Cache-Control", "no-store")]
        return [
            ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"), ("Content-Type", contentType),
        ] + keeping + fields
    }

    package init(status: Int = 200, contentType: String = "text/html; charset=utf-8", body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }
}

/// What pages are made of.
package struct PageSources {
    package let reports: RecordReports
    package let live: LiveView

    package init(reports: RecordReports, live: LiveView) {
        self.reports = reports
        self.live = live
    }
}

package enum Dashboard {
    /// The page at a path tells of requests under way, so that they have to be gathered for it.
    package static func listsUnderWay(_ path: [String]) -> Bool {
        Route(PageFormat.split(path).0) == .live
    }

    /// The page at an address; also as JSON and CSV, if the last part of the path ends so. A fault of the database is thrown, and
    /// all else (no such page, a parameter that is wrong) is a page of its own.
    package static func answer(_ request: PageRequest, _ sources: PageSources) throws(StoreFault) -> PageAnswer {
        if let asset = Assets.answer(request.path) { return asset }
        if let body = try RequestPage.body(request, sources.reports) { return body }
        let (request, format) = PageFormat.split(request)
        let page: Page
        if let route = Route(request.path) {
            page = try made(route, request, sources)
        } else {
            page = ErrorPage.noPage(request)
        }
        return format.answer(page, request, sources.live)
    }

    /// What stands in place of a page when records can't be read.
    package static func answer(_ request: PageRequest, _ live: LiveView, fault: StoreFault) -> PageAnswer {
        let (request, format) = PageFormat.split(request)
        let clock = PageClock(zone: request.zone, now: request.now)
        let page =
            switch Route(request.path) {
            case .live: UnderWayPage.page(live, clock)
            case .system: SystemPage.page(live, clock, formToken: request.formToken)
            default: ErrorPage.noRecords(fault.reason, fault.advice)
            }
        return format.answer(page, request, live)
    }

    private static func made(
        _ route: Route, _ request: PageRequest, _ sources: PageSources
    ) throws(StoreFault) -> Page {
        let parameters: PageParameters
        do throws(PageParameters.Fault) {
            parameters = try PageParameters(
                request, own: route.own, takesTime: route.takesTime, takesFilters: route.takesFilters)
            for (name, words) in route.choices { _ = try parameters.choice(name, words) }
        } catch {
            return ErrorPage.wrongParameter(error, request.path)
        }
        return try route.page(PageContext(request: request, parameters: parameters, sources: sources))
    }
}
