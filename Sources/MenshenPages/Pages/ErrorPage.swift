// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Pages for what can't be shown.
enum ErrorPage {
    static func noPage(_ request: PageRequest) -> Page {
        let name = request.path.last ?? ""
        let known = Page.Place.allCases.map(\.rawValue)
        let meant: HTML =
            NearName.of(name, among: known).flatMap { Page.Place(rawValue: $0) }.map {
                "Did you mean <a href=\"\($0.address)\">\($0.title)</a>?"
            } ?? "The pages are in the line above."
        return Page(
            status: 404, title: "No such page",
            main: .pageHead("There is no such page") + "<p class=\"soft\">\(meant)</p>\n",
            tables: [table("There is no such page.")])
    }

    static func wrongParameter(_ fault: PageParameters.Fault, _ path: [String]) -> Page {
        Page(
            status: 400, title: "A parameter is wrong",
            main: .pageHead(fault.title)
                + """
                <p class="soft">\(fault.detail)</p>
                <p class="acts">\(HTML.button(Address(path: path), "The page without parameters"))</p>

                """,
            tables: [table("\(fault.title). \(fault.detail)")])
    }

    static func notThere(_ title: String, _ text: HTML, _ place: Page.Place) -> Page {
        Page(
            status: 404, title: title, place: place,
            main: .pageHead(title)
                + "<p class=\"soft\">\(text)</p>\n<p class=\"acts\">\(HTML.button(place.address, place.title))</p>\n",
            tables: [table("\(title).")])
    }

    /// Nothing can be read; what is known without records is on the page of this menshen.
    static func noRecords(_ reason: String, _ advice: String) -> Page {
        Page(
            status: 503, title: "No records",
            main: .note("bad", "The records can’t be read", "<p>\(reason) \(advice)</p>")
                + "<p class=\"soft\">What needs no records: <a href=\"\(Page.Place.system.address)\">this menshen</a>.</p>\n",
            tables: [table(reason)])
    }

    private static func table(_ message: String) -> DataTable {
        DataTable("error", ["message"], rows: [[.text(message)]])
    }
}
