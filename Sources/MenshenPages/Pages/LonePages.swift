// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Pages that are made without looking at anything: before somebody is signed in, when the daemon does not answer, and what becomes
/// of a form. They say nothing about what is behind.
package enum LonePages {
    // MARK: Signing in

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

    /// Without the cookie of a session.
    package static func noSession(version: String) -> PageAnswer {
        page(
            "No session", version, status: 401,
            """
            <h1>This browser has no session here</h1>
            <p class="soft">One begins with a link that works once. In a terminal of yours, this opens it:</p>
            \(HTML.command("c1", "menshen dashboard"))
            """)
    }

    /// For a browser that may not see a page of the daemon's. `signIn`: where it is asked for user and password.
    package static func refused(status: Int, message: String, signIn: String?) -> PageAnswer {
        let title =
            status == 401 ? "Sign in to see this page" : status == 429 ? "Too many tries" : "This page cannot be shown"
        let button: HTML =
            signIn.map { "<p class=\"acts\"><a class=\"button primary\" href=\"\($0)\">Sign in</a></p>\n" } ?? .nothing
        let isDoor = status == 401 || status == 429
        let other: HTML = """
            <p class="soft">Without a password, as the owner, this opens the dashboard for you alone, on a port of its own:</p>
            \(HTML.command("c1", "menshen dashboard"))
            """
        return page(title, nil, status: status, "<h1>\(title)</h1>\n<p>\(message)</p>\n\(button)\(other, if: isDoor)")
    }

    /// What went wrong on the way to a page, and what to do about it.
    package static func fault(status: Int, title: String, message: String, version: String) -> PageAnswer {
        page(title, version, status: status, "<h1>\(title)</h1>\n<p class=\"soft\">\(message)</p>\n")
    }

    // MARK: Forms

    /// The answer to a form that made a token, or a new one in its place: the only page that ever shows it.
    package static func created(name: String, token: String, isRotated: Bool, version: String) -> PageAnswer {
        page(
            "Token \(ShownName.clean(name))", version,
            """
            <h1>Token \(HTML.name(name))</h1>
            <section class="note ok" aria-labelledby="h-once"><h2 id="h-once">\(isRotated ? "Rotated" : "Created"). This page shows the token once; menshen keeps only its hash</h2>
            \(HTML.command("tok", token))</section>
            <p class="meta">Keep the token in a file that only its user can read; what stands in a command line is seen by every user of the host.</p>
            <p class="acts"><a class="button primary" href="\(Address("tokens"))">Done</a></p>
            """)
    }

    /// The answer to a form that was refused: what is wrong, in menshen's words. `mend`: where the form is, as it was filled in;
    /// nil: it was a token's, and can't be filled in again.
    package static func notDone(status: Int, message: String, mend: String?, version: String) -> PageAnswer {
        page(
            "Not done", version, status: status,
            """
            <h1>Nothing was changed</h1>
            \(HTML.note("bad", message, .nothing))\
            <p class="acts"><a class="button primary" href="\(mend ?? Address("tokens").text)">\(mend == nil ? "Tokens" : "Mend it")</a></p>
            """)
    }

    /// `version`: nil for strangers.
    private static func page(_ title: String, _ version: String?, status: Int = 200, _ content: HTML) -> PageAnswer {
        let document: HTML = """
            \(Frame.head(title))
            <body>
            <main id="main">
            <div class="center">
            <span class="brand">\(Frame.sign)menshen</span>
            \(content)
            </div>
            </main>
            <footer class="foot"><span>menshen \(version ?? "")</span></footer>
            </body>
            </html>

            """
        return PageAnswer(status: status, body: Array(document.text.utf8))
    }
}
