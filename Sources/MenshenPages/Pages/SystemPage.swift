// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// How this menshen is, and what it was told.
enum SystemPage {
    /// `formToken`: of a session that may change something.
    static func page(_ live: LiveView, _ clock: PageClock, formToken: String?) -> Page {
        Page(
            title: "This menshen", place: .system,
            main: """
                \(HTML.pageHead("This menshen"))\
                <div class="grid">
                \(HTML.section("r", "Running", running(live, clock)))\
                \(HTML.section("l", "Listens on", .pairs(live.listeners.enumerated().map { ($0.offset == 0 ? "At" : "", "<code>\($0.element)</code>") })))\
                \(HTML.section("d", "Records", records(live)))</div>
                <div class="grid">
                \(HTML.section("c", "Configuration in force", note: "<code>\(live.configurationPath)</code>, secrets masked", kind: "block span2", "<div class=\"code\"><pre tabindex=\"0\">\(live.configuration)</pre></div>\n"))\
                \(cache(live, formToken))</div>

                """,
            tables: [data(live, clock)])
    }

    private static func running(_ live: LiveView, _ clock: PageClock) -> HTML {
        let state: HTML =
            live.isDraining
            ? .mark(.warning, "Stopping")
            : live.faults.isEmpty ? .mark(.fine, "Serving") : .mark(.warning, "Look above", isLoud: true)
        return .pairs([
            ("State", state), ("Version", "\(live.version)"),
            (
                "Since",
                "\(clock.moment(live.startedAt)) <span class=\"muted\">\(Figures.wait(clock.now - live.startedAt))</span>"
            ),
            ("Open", "\(Figures.counted(Int64(live.openCount), "request"))"), ("Host", HTML.name(live.host)),
        ])
    }

    private static func records(_ live: LiveView) -> HTML {
        .pairs([
            ("Database", "<code>\(live.databasePath)</code>"),
            ("Written", "\(Figures.count(live.recordsWritten)) <span class=\"muted\">since the start</span>"),
            ("Not yet written", "\(live.backlog)"),
        ])
    }

    private static func cache(_ live: LiveView, _ formToken: String?) -> HTML {
        guard let cache = live.cache else {
            return .section("k", "Own cache", "<p class=\"soft\">Off. <code>[cache]</code> turns it on.</p>\n")
        }
        let asked = cache.hits + cache.misses
        return .section(
            "k", "Own cache",
            .pairs([
                ("State", cache.unavailable.map { HTML.mark(.warning, $0, isLoud: true) } ?? .mark(.fine, "In use")),
                ("Answers", "\(Figures.count(Int64(cache.entries))), \(Figures.bytes(cache.bytes, space: "\u{202f}"))"),
                (
                    "Hit rate",
                    asked == 0
                        ? "–"
                        : "\(Figures.share(cache.hits, of: asked)) <span class=\"muted\">\(Figures.count(cache.hits)) of \(Figures.count(asked)) since the start</span>"
                ),
                ("Evicted", "\(Figures.count(cache.evictions))"),
            ]) + (formToken.map(CacheForm.html) ?? .nothing))
    }

    private static func data(_ live: LiveView, _ clock: PageClock) -> DataTable {
        DataTable(
            "system", ["version", "host", "started_at", "state", "open", "records_written", "backlog", "faults"],
            rows: [
                [
                    .text(live.version), .text(live.host), .text(clock.stamp(live.startedAt * 1_000_000)),
                    .text(live.isDraining ? "stopping" : live.faults.isEmpty ? "serving" : "impaired"),
                    .number(Int64(live.openCount)), .number(live.recordsWritten), .number(Int64(live.backlog)),
                    .text(live.faults.joined(separator: "\n")),
                ]
            ])
    }
}
