// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Pages before somebody is signed in: they say nothing about what is behind.
package enum SignInPages {
    /// Behind a one-time link: nothing is opened before the button is pressed, so that a program that looks at links can't use it up.
    package static func open(host: String, user: String, version: String, action: String) -> PageAnswer {
        page(
            "Open", version,
            """
            <h1>Open the dashboard of \(HTML.name(user)) on <span class="nowrap">\(HTML.name(host))</span></h1>
            <p class="soft">This link works once, for two minutes, in this browser only. The session ends when <code>menshen dashboard</code> ends in your terminal.</p>
            <form method="post" action="\(action)"><p class="acts"><button class="primary" autofocus>Open</button></p></form>
            <p class="meta">Nothing is opened before you press the button, so that a program that looks at links cannot use it up.</p>
            """)
    }

    package static func used(host: String, version: String) -> PageAnswer {
        page(
            "Used", version, status: 410,
            """
            <h1>This link has been used, or is too old</h1>
            <p class="soft">Links work once and for two minutes. Get a new one where the old one came from:</p>
            \(HTML.command("c1", "menshen dashboard"))\
            <p class="meta">If you did not use it, somebody else on \(HTML.name(host)) may have seen your terminal. End <code>menshen dashboard</code> there: that closes its session.</p>
            """)
    }

    /// The body of a 401 or 429. `wait`: seconds until another try counts.
    package static func password(address: String?, wait: Int64?, version: String) -> PageAnswer {
        let throttled: HTML =
            wait.map { wait in
                let from: HTML = address.map { " from \(HTML.name($0))" } ?? .nothing
                return """
                    <section class="note bad"><p><b>Too many wrong passwords\(from).</b> Try again in \(Figures.wait(wait)).</p></section>

                    """
            } ?? .nothing
        return page(
            "Sign in", version, status: wait == nil ? 401 : 429,
            """
            <h1>Sign in</h1>
            \(throttled)<p class="soft">User and password are those of <code>[auth]</code> in the configuration. Your browser asks for them; reload this page to be asked again.</p>
            <p class="soft">Without a password, as the owner, this opens the dashboard for you alone, on a port of its own:</p>
            \(HTML.command("c1", "menshen dashboard"))
            """)
    }

    private static func page(_ title: String, _ version: String, status: Int = 200, _ content: HTML) -> PageAnswer {
        let document: HTML = """
            \(Frame.head(title))
            <body>
            <main id="main">
            <div class="center">
            <span class="brand">\(Frame.sign)menshen</span>
            \(content)
            </div>
            </main>
            <footer class="foot"><span>menshen \(version)</span></footer>
            </body>
            </html>

            """
        return PageAnswer(status: status, body: Array(document.text.utf8))
    }
}
