// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
internal import MenshenStore

/// Forms that make and change tokens, for a session that may; and what is said in them.
package enum TokenForms {
    /// Beside the tokens' own addresses, of which "new" may be one.
    package static let newPath = "new-token"
    static let newAddress = Address(newPath)
    /// Where a token is shown.
    package static func path(of name: String) -> String { Address("tokens", name).text }

    /// Names of fields beside those of a token's terms.
    package enum Field {
        /// Of the session; in every form.
        package static let form = "form"
        package static let name = "name"
        package static let grace = "grace"
        package static let now = "now"
        /// The name once more, before it is taken away for good.
        package static let confirmation = "confirm"
    }

    // MARK: Pages

    static func new(_ context: PageContext) -> Page {
        page(
            context, "New token", "Leave empty what shall not be limited. Everything can be changed later but the name",
            of: nil, TokenTerms())
    }

    static func edit(_ context: PageContext, _ name: String) -> Page {
        guard let token = context.live.tokens.first(where: { $0.name == name && $0.revokedAt == nil }) else {
            return ErrorPage.notThere(
                "There is no token \(ShownName.cut(ShownName.clean(name), to: 40))", "It may have been revoked.",
                .tokens)
        }
        let title = "Edit \(ShownName.clean(name))"
        if !isWritable(token.terms) {
            return refusal(
                403, title, "A term of this token holds what a form cannot send back",
                "Change it by <code>menshen token edit</code>.")
        }
        return page(
            context, title, "An empty field is no limit", of: name, token.terms)
    }

    /// The form once more, with what was typed in it; nil if that is too much for an address. `path`: of the form, below the root.
    package static func address(_ path: [String], _ fields: [(name: String, value: String)]) -> String? {
        let typed = fields.filter { names.contains($0.name) && !$0.value.isEmpty }
        let text = Address(path: path, parameters: typed.map { .init(name: $0.name, value: $0.value) }).text
        return text.utf8.count <= 4096 ? text : nil
    }

    /// Fields that an address may fill in.
    static let names =
        [Field.name, "providers"] + lists + texts
    private static let lists = ["models", "operations", "paths", "limits"]
    private static let texts = ["concurrency", "max_errors", "expires", "note"]

    /// What else can be done to a token, on its own page.
    static func changes(_ context: PageContext, _ name: String) -> HTML {
        guard let formToken = context.formToken else { return .nothing }
        let hidden = HTML.hidden([Address.Parameter(name: Field.form, value: formToken)])
        return """
            <div class="grid">
            \(HTML.section("ro", "Rotate", """
                <p class="soft small">A new token takes this one’s place, with the same name, limits and records.</p>
                <form method="post" action="\(Address("tokens", name, "rotate"))">\(hidden)\
                <label>The old one counts for another<input name="\(Field.grace)" placeholder="Not at all; 30min, 1h" autocomplete="off"></label>
                <p class="acts gap"><button>Rotate</button></p></form>

                """))\
            \(HTML.section("re", "Revoke", """
                <p class="soft small">From then on nobody gets in with it. What was recorded stays.</p>
                <form method="post" action="\(Address("tokens", name, "revoke"))">\(hidden)\
                <label>Type the token’s name<input name="\(Field.confirmation)" required autocomplete="off" spellcheck="false"></label>
                <label class="check gap"><input type="checkbox" name="\(Field.now)" value="true"> End what is under way with it</label>
                <p class="acts gap"><button class="danger">Revoke</button></p></form>

                """))</div>

            """
    }

    private static func page(
        _ context: PageContext, _ title: String, _ note: HTML, of name: String?, _ terms: TokenTerms
    ) -> Page {
        guard let formToken = context.formToken else {
            return refusal(
                403, title, "Whoever looks here only looks",
                "Tokens are changed in the session that <code>menshen dashboard</code> opens, or by <code>menshen token</code>."
            )
        }
        // What was typed comes back when it was refused.
        let given = context.parameters.given
        let fields = Fields(given.isEmpty ? Self.fields(of: terms) : given)
        let back = name.map { Address("tokens", $0) } ?? Address("tokens")
        return Page(
            title: title, place: .tokens,
            main: """
                \(HTML.pageHead(title, note: note))\
                <form class="column narrow" method="post" action="\(name.map { Address("tokens", $0, "edit") } ?? newAddress)">\(HTML.hidden([Address.Parameter(name: Field.form, value: formToken)]))
                <fieldset class="block"><legend><h2>Who</h2></legend><div class="formgrid">
                \(fields.name, if: name == nil)\(fields.text("note", "Note", "For you, to remember what it is for", isWide: true))\
                \(fields.text("expires", "Expires", "Never; 90d, 2026-12-31"))\
                </div></fieldset>
                <fieldset class="block"><legend><h2>What it may ask</h2></legend><div class="formgrid">
                \(fields.text("models", "Models", "Any; gpt-*, commas between", isWide: true))\
                \(fields.text("operations", "Operations", "Any; chat, messages, responses, …", isWide: true))\
                \(fields.text("paths", "Paths", "Any; /v1/chat/*", isWide: true))\
                \(fields.providers(context.live))\
                </div></fieldset>
                <fieldset class="block"><legend><h2>How much</h2></legend><div class="formgrid">
                \(fields.text("limits", "Limits", "None; 5usd/day, 1000requests/hour", isWide: true))\
                \(fields.text("concurrency", "At once", "No limit", isNumber: true))\
                \(fields.text("max_errors", "Errors in a row", "No limit", isNumber: true))\
                </div></fieldset>
                <p class="acts"><button class="primary">\(name == nil ? "Create token" : "Save")</button>\(HTML.button(back, "Cancel"))</p>
                </form>

                """)
    }

    private static func refusal(_ status: Int, _ title: String, _ reason: String, _ advice: HTML) -> Page {
        Page(
            status: status, title: title, place: .tokens,
            main: .pageHead(title) + .note("", reason, "<p>\(advice)</p>"))
    }

    // MARK: Fields

    /// As the form of a token with these terms has them.
    private static func fields(of terms: TokenTerms) -> [Address.Parameter] {
        let ofLists = [terms.models, terms.operations, terms.paths, terms.limits]
        let ofTexts = [
            terms.concurrency.map { String($0) }, terms.maxErrors.map { String($0) },
            terms.expires.map(ExpiryText.typed), terms.note,
        ]
        return terms.providers.map { .init(name: "providers", value: $0) }
            + zip(lists, ofLists).map { .init(name: $0, value: $1.joined(separator: ", ")) }
            + zip(texts, ofTexts).map { .init(name: $0, value: $1 ?? "") }
    }

    /// What stands in a form.
    private struct Fields {
        let given: [Address.Parameter]

        init(_ given: [Address.Parameter]) { self.given = given }

        private func value(_ name: String) -> String { given.last { $0.name == name }?.value ?? "" }

        var name: HTML {
            """
            <label>Name<input name="\(Field.name)" value="\(value(Field.name))" required maxlength="64" autocomplete="off" spellcheck="false"></label>

            """
        }

        func text(
            _ name: String, _ label: String, _ placeholder: String, isWide: Bool = false, isNumber: Bool = false
        ) -> HTML {
            """
            <label\(" class=\"two\"", if: isWide)>\(label)<input name="\(name)" value="\(value(name))" placeholder="\(placeholder)" autocomplete="off"\(" inputmode=\"numeric\"", if: isNumber)></label>

            """
        }

        /// Also those that are in the configuration no more: left out, they would make it a token for all.
        func providers(_ live: LiveView) -> HTML {
            let checked = given.filter { $0.name == "providers" }.map(\.value)
            let known = live.providers.map(\.name)
            let boxes: [HTML] = (known + checked.filter { !known.contains($0) }).map {
                """
                <label class="check"><input type="checkbox" name="providers" value="\($0)"\(" checked", if: checked.contains($0))> \(HTML.name($0))</label>
                """
            }
            return """
                <div class="label two" role="group" aria-label="Providers">Providers; none: any<span class="acts checks">\(boxes)</span></div>

                """
        }
    }

    /// What the form shows is what it sends back.
    private static func isWritable(_ terms: TokenTerms) -> Bool {
        let lists = terms.models + terms.operations + terms.paths + terms.limits
        let texts = lists + terms.providers + [terms.note].compactMap { $0 }
        return lists.allSatisfy { !$0.contains(",") }
            && texts.allSatisfy { trimmed($0) == $0 && ShownName.clean($0) == $0 }
    }

    /// What a form says, as the members of a request about tokens are called. `fields`: in their order, decoded.
    package static func members(_ fields: [(name: String, value: String)]) -> [(name: String, value: FlatObject.Value)]
    {
        func list(_ name: String) -> FlatObject.Value {
            let texts = fields.filter { $0.name == name }.flatMap { $0.value.split { ",\r\n".contains($0) } }
            return .list(texts.map(trimmed).filter { !$0.isEmpty })
        }
        func text(_ name: String) -> FlatObject.Value { .text(trimmed(fields.last { $0.name == name }?.value ?? "")) }
        let checked = fields.filter { $0.name == "providers" }.map(\.value)
        return [("providers", .list(checked))]
            + lists.map { ($0, list($0)) }
            + texts.map { ($0, text($0)) }
    }

    /// Without the blanks around it.
    package static func trimmed(_ text: some StringProtocol) -> String {
        let start = text.drop { $0 == " " || $0 == "\t" }
        return String(start.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
