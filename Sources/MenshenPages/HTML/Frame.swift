// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What all pages have around them.
struct Frame {
    let live: LiveView
    let clock: PageClock
    /// Of the page itself; nil: there is nothing of it as JSON and CSV.
    let address: Address?

    func document(_ page: Page) -> HTML {
        return """
            \(Self.head(page.title))
            <body>
            <a class="skip" href="#main">Skip to content</a>
            \(Self.patterns)
            <div class="bar-top"><header class="top">
            <a class="brand" href="\(Address())">\(Self.sign)menshen</a>
            <nav class="pages" aria-label="Pages">
            \(places(page.place))</nav>
            <p class="where">\(state(page.place))</p>
            </header></div>
            <main id="main"\(" data-changes=\"\(Address("changes"))\"", if: page.followsChanges)>
            \(faults)\(page.main)
            </main>
            <footer class="foot">
            <span>menshen \(live.version) on \(live.host)</span>
            <span>Times in \(clock.zoneWords)</span>
            <span>Prices in US dollars</span>
            \(formats(page))</footer>
            </body>
            </html>

            """
    }

    static func head(_ title: String) -> HTML {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta name="referrer" content="no-referrer">
        <title>\(title) – menshen</title>
        <link rel="icon" href="data:,">
        <link rel="stylesheet" href="\(Assets.stylePath)">
        <script src="\(Assets.scriptPath)" defer></script>
        </head>
        """
    }

    static let sign: HTML = """
        <svg viewBox="0 0 20 20" aria-hidden="true"><path d="M3.6 7.4V18M3.8 2.2 6 4.9M8.6 4.2h7.8v12.4c0 .9-.5 1.4-1.4 1.4h-2.2"/></svg>
        """

    /// Hatches, which charts refer to.
    static let patterns: HTML = """
        <svg width="0" height="0" class="vh" aria-hidden="true" focusable="false"><defs>
        <pattern id="dense" width="3" height="3" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line class="hatch-line" x1="0" y1="0" x2="0" y2="3"/></pattern>
        </defs></svg>
        """

    private func places(_ current: Page.Place?) -> HTML {
        Page.Place.allCases.filter { $0 != .system && $0 != .live }.map { place in
            "<a href=\"\(place.address)\"\(" aria-current=\"page\"", if: place == current)>\(place.title)</a>\n"
        }.joined()
    }

    private func state(_ current: Page.Place?) -> HTML {
        let isWell = live.faults.isEmpty
        let (word, mark) =
            live.isDraining ? ("Stopping", "warn") : isWell ? ("Serving", "ok") : ("Look here", "warn loud")
        return """
            <a href="\(Page.Place.system.address)"><span class="st \(mark)">\(word)</span></a>\
            <a id="open" href="\(Page.Place.live.address)"\(" aria-current=\"page\"", if: current == .live)>\(live.openCount) open</a>\
            <span class="w3" id="clock">\(clock.second(clock.now * 1_000_000))</span>
            """
    }

    private var faults: HTML {
        if live.faults.isEmpty { return .nothing }
        let lines: [HTML] = live.faults.map { "<p>\($0)</p>" }
        let title = live.faults.count == 1 ? "One thing needs you" : "\(live.faults.count) things need you"
        return
            "<section class=\"note warn\" aria-labelledby=\"h-faults\"><h2 id=\"h-faults\">\(title)</h2>\(lines)</section>\n"
    }

    private func formats(_ page: Page) -> HTML {
        guard let address, !page.tables.isEmpty else { return .nothing }
        return """
            <span class="end noprint">This page as <a href="\(address.with(suffix: ".json"))">JSON</a> \
            or <a href="\(address.with(suffix: ".csv"))">CSV</a></span>

            """
    }
}
