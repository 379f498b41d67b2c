// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// As what a page is asked for.
enum PageFormat: String, CaseIterable {
    case html
    case json = ".json"
    case csv = ".csv"

    /// The request without the end that names a format.
    static func split(_ request: PageRequest) -> (PageRequest, PageFormat) {
        var request = request
        let format: PageFormat
        (request.path, format) = split(request.path)
        return (request, format)
    }

    static func split(_ path: [String]) -> ([String], PageFormat) {
        guard let last = path.last else { return (path, .html) }
        for format in [json, csv] where last.hasSuffix(format.rawValue) && last.utf8.count > format.rawValue.utf8.count
        {
            let path = path.dropLast() + [String(last.dropLast(format.rawValue.count))]
            return (path == ["overview"] ? [] : Array(path), format)
        }
        return (path, .html)
    }

    func answer(_ page: Page, _ request: PageRequest, _ live: LiveView) -> PageAnswer {
        switch self {
        case .html:
            let clock = PageClock(zone: request.zone, now: request.now)
            var address = Address(path: request.path)
            address.parameters = request.parameters.filter { !$0.value.isEmpty }.map {
                .init(name: $0.name, value: $0.value)
            }
            let frame = Frame(live: live, clock: clock, address: page.status == 200 ? address : nil)
            return PageAnswer(status: page.status, body: Array(frame.document(page).text.utf8))
        case .json:
            return PageAnswer(
                status: page.status, contentType: "application/json",
                body: DataTable.json(page.place?.rawValue ?? "page", page.tables))
        case .csv:
            guard let table = page.tables.first else {
                return PageAnswer(status: 404, contentType: "text/csv; charset=utf-8", body: [])
            }
            return PageAnswer(status: page.status, contentType: "text/csv; charset=utf-8", body: table.csv)
        }
    }
}
