// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
internal import MenshenStore

/// Forms that make and change tokens; only in a session that may.
package enum TokenForms {
    static func new(_ context: PageContext) -> Page {
        page(
            context, "New token", "Leave empty what shall not be limited. Everything can be changed later but the name",
            name: nil, TokenTerms(), Address("tokens", "new"))
    }

    static func edit(_ context: PageContext, _ name: String) -> Page {
        guard let token = context.live.tokens.first(where: { $0.name == name && $0.revokedAt == nil }) else {
            return ErrorPage.notThere(
                "There is no token \(ShownName.cut(ShownName.clean(name), to: 40))", "It may have been revoked.",
                .tokens)
        }
        return page(
            context, "Edit \(ShownName.clean(name))", "An empty field is no limit", name: name, token.terms,
            Address("tokens", name, "edit"))
    }

    /// What a form says, as the members of a request about tokens are called. `fields`: in their order, decoded.
    package static func members(_ fields: [(name: String, value: String)]) -> [(name: String, value: FlatObject.Value)]
    {
        func list(_ name: String) -> FlatObject.Value {
            let texts = fields.filter { $0.name == name }.flatMap { $0.value.split { ",\r\n".contains($0) } }
            return .list(texts.map(trimmed).filter { !$0.isEmpty })
        }
        func text(_ name: String) -> FlatObject.Value { .text(trimmed(fields.last { $0.name == name }?.value ?? "")) }
        return ["providers", "models", "operations", "limits"].map { ($0, list($0)) }
            + ["concurrency", "max_errors", "expires", "note"].map { ($0, text($0)) }
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        let start = text.drop { $0 == " " || $0 == "\t" }
        return String(start.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }

    private static func page(
        _ context: PageContext, _ title: String, _ note: HTML, name: String?, _ terms: TokenTerms, _ action: Address
    ) -> Page {
        guard let formToken = context.formToken else {
            return Page(
                status: 403, title: title, place: .tokens,
                main: .pageHead(title)
                    + .note(
                        "", "This session can only look",
                        "<p>Tokens are changed in the session that <code>menshen dashboard</code> opens, or by <code>menshen token</code>.</p>"
                    ))
        }
        let providers: [HTML] = context.live.providers.map {
            """
            <label class="check"><input type="checkbox" name="providers" value="\($0.name)"\(" checked", if: terms.providers.contains($0.name))> \(HTML.name($0.name))</label>
            """
        }
        let nameField: HTML = """
            <label>Name<input name="name" required pattern="[A-Za-z0-9._\\-]+" autocomplete="off"></label>

            """
        let expires = terms.expires.map { context.clock.field($0) } ?? ""
        return Page(
            title: title, place: .tokens,
            main: """
                \(HTML.pageHead(title, note: note))\
                <form class="column narrow" method="post" action="\(action)"><input type="hidden" name="form" value="\(formToken)">
                <fieldset class="block"><legend><h2>Who</h2></legend><div class="formgrid">
                \(nameField, if: name == nil)<label class="two">Note<input name="note" placeholder="For you, to remember what it is for" value="\(terms.note ?? "")"></label>
                <label>Expires<input name="expires" placeholder="Never; 90d, 2026-12-31" value="\(expires)"></label>
                </div></fieldset>
                <fieldset class="block"><legend><h2>What it may ask</h2></legend><div class="formgrid">
                <label class="two">Models<input name="models" value="\(terms.models.joined(separator: ", "))" placeholder="Any; * for any text, commas between"></label>
                <label class="two">Operations<input name="operations" value="\(terms.operations.joined(separator: ", "))" placeholder="Any; chat, messages, responses, …"></label>
                <div class="label two" role="group" aria-label="Providers">Providers<span class="acts checks">\(providers)</span></div>
                </div></fieldset>
                <fieldset class="block"><legend><h2>How much</h2></legend><div class="formgrid">
                <label class="two">Limits<input name="limits" value="\(terms.limits.joined(separator: ", "))" placeholder="None; 5usd/day, 1000requests/hour"></label>
                <label>At once<input name="concurrency" inputmode="numeric" placeholder="No limit" value="\(terms.concurrency.map { "\($0)" } ?? "")"></label>
                <label>Errors in a row<input name="max_errors" inputmode="numeric" placeholder="No limit" value="\(terms.maxErrors.map { "\($0)" } ?? "")"></label>
                </div></fieldset>
                <p class="acts"><button class="primary">\(name == nil ? "Create token" : "Save")</button><a class="button" href="\(name.map { Address("tokens", $0) } ?? Address("tokens"))">Cancel</a></p>
                </form>

                """)
    }

    /// The answer to a form that made a token or a new one in its place: the only page that ever shows it.
    package static func created(
        _ request: PageRequest, _ live: LiveView, name: String, token: String, isRotated: Bool = false
    ) -> PageAnswer {
        let page = Page(
            title: "Token \(ShownName.clean(name))", place: .tokens,
            main: """
                <div class="head"><h1>Token \(HTML.name(name))</h1></div>
                <section class="note ok" aria-labelledby="h-once"><h2 id="h-once">\(isRotated ? "Rotated" : "Created"). This page shows the token once; menshen keeps only its hash</h2>
                \(HTML.command("tok", token))</section>
                <p class="meta">Keep the token in a file that only its user can read; what stands in a command line is seen by every user of the host.</p>
                <p class="acts"><a class="button primary" href="\(Address("tokens"))">Done</a></p>

                """)
        return PageFormat.html.answer(page, request, live)
    }

    /// The answer to a form that was refused: what is wrong, in menshen's words.
    package static func refused(_ request: PageRequest, _ live: LiveView, status: Int, message: String) -> PageAnswer {
        let page = Page(
            status: status, title: "Not done", place: .tokens,
            main: .pageHead("Nothing was changed") + .note("bad", message, "<p>Go back to mend it.</p>"))
        return PageFormat.html.answer(page, request, live)
    }
}
