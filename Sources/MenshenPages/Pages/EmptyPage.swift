// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// The overview before there is a request.
enum EmptyPage {
    static func page(_ context: PageContext) -> Page {
        let live = context.live
        let providers: [HTML] = live.providers.map {
            "<tr><th scope=\"row\">\(HTML.name($0.name))</th><td>\($0.mark)<span class=\"sub\">\($0.keySource)</span></td></tr>\n"
        }
        return Page(
            title: "Overview", place: .overview,
            main: """
                \(HTML.pageHead("Overview", note: "No request yet. The first one appears here by itself"))\
                <div class="grid">
                \(HTML.section("first", "Send the first request", kind: "block span2", steps))\
                <section class="block" aria-labelledby="h-this"><header><h2 id="h-this">This menshen</h2>\(HTML.more(Address("system"), "All of it"))</header>
                \(HTML.pairs([
                    ("Listens on", live.listeners.map { "<code>\($0)</code>" as HTML }.joined(separator: "<br>")),
                    ("Configuration", "<code>\(live.configurationPath)</code>"), ("Records", "<code>\(live.databasePath)</code>"),
                ]))
                <h3 class="gap">Providers</h3>
                <table class="plain"><thead><tr><th scope="col">Provider</th><th scope="col">State</th></tr></thead><tbody>
                \(providers)</tbody></table></section>
                </div>

                """,
            tables: [DataTable("buckets", ["since", "until"] + ReportSums.columns)])
    }

    private static let steps: HTML = """
        <ol class="steps">
        <li><div><h3>From a terminal, over the Unix socket. No token: the kernel says who asks</h3>
        \(HTML.command("e1", """
            curl --unix-socket "$XDG_RUNTIME_DIR/menshen/menshen.sock" http://localhost/v1/chat/completions \\
              -H 'Content-Type: application/json' \\
              -d '{"model": "gpt-6-luna", "messages": [{"role": "user", "content": "Good morning!"}]}'
            """))</div></li>
        </ol>

        """
}
