// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// Limits with what of them is used, and the tokens there are.
enum TokensPage {
    static func page(_ context: PageContext) -> Page {
        let live = context.live
        let pots = live.pots.sorted { $0.share > $1.share }
        let isOwner = context.formToken != nil
        let create: HTML =
            "<div class=\"acts\">\(HTML.button(TokenForms.newAddress, "New token", isFirst: true))</div>\n"
        let note: HTML =
            "Changed by the owner, in the session of <code>menshen dashboard</code> or by <code>menshen token</code>"
        return Page(
            title: "Tokens and budgets", place: .tokens,
            main: """
                \(HTML.pageHead("Tokens and budgets", isOwner ? create : .nothing, note: isOwner ? .nothing : note))\
                \(HTML.section("b", "Budgets", note: "solid: spent; hatched: reserved by requests under way; marks at 50% and 80%", budgets(pots, context.clock)))\
                \(HTML.section("t", "Tokens", tokens(context)))
                """,
            tables: [data(pots, context.clock), tokenData(context)])
    }

    private static func budgets(_ pots: [PotState], _ clock: PageClock) -> HTML {
        if pots.isEmpty { return "<p class=\"soft\">Nobody has a limit.</p>\n" }
        let rows: [HTML] = pots.map { pot in
            let parts = PotParts(pot, clock)
            return """
                <tr id="\(parts.anchor)"><th scope="row" class="c-name">\(parts.name) <span class="muted">\(parts.holder.kind)</span></th>\
                <td class="soft">\(parts.limit)</td><td class="c-wide mid">\(parts.bar)</td><td class="n c-main">\(parts.percent)</td>\
                <td class="n" data-l="Spent">\(parts.amount(pot.spent))</td>\
                <td class="n" data-l="Reserved">\(pot.reserved > 0 ? parts.amount(pot.reserved) : "")</td>\
                <td class="n" data-l="Left">\(parts.amount(pot.remaining))</td><td class="n" data-l="Resets">\(parts.resets)</td>\
                <td class="n muted c-hide">\(parts.resetsIn)</td></tr>

                """
        }
        return """
            <table class="stack lim" id="pots">
            <colgroup><col class="w-pot"><col class="w-lim"><col><col class="w-sm"><col class="w-num"><col class="w-num"><col class="w-num"><col class="w-num"><col class="w-in"></colgroup>
            <thead><tr><th scope="col">Holder</th><th scope="col">Limit</th><th scope="col">Used</th><th scope="col"><span class="vh">Share</span></th>\
            <th scope="col" class="n">Spent</th><th scope="col" class="n">Reserved</th><th scope="col" class="n">Left</th><th scope="col" class="n" colspan="2">Resets</th></tr></thead>
            <tbody>
            \(rows)</tbody></table>

            """
    }

    private static func tokens(_ context: PageContext) -> HTML {
        let (live, clock) = (context.live, context.clock)
        var rows: [HTML] = live.tokens.map { token in
            """
            <tr><th scope="row" class="c-name"><a href="\(Address("tokens", token.name))">\(HTML.name(token.name))</a></th>\
            <td class="c-main">\(state(token, context.now))</td><td class="c-wide soft">\(token.terms.note ?? "")</td>\
            <td class="soft c-wide">\(token.terms.words)</td><td class="n" data-l="Made">\(clock.moment(token.created))</td>\
            <td><a href="\(Address("usage", parameters: [.init(name: "token", value: token.name)]))">Usage</a></td></tr>

            """
        }
        rows += live.configuredTokens.map { name in
            """
            <tr><th scope="row" class="c-name">\(HTML.name(name))</th><td class="c-main">\(HTML.mark(.fine, "Configured"))</td>\
            <td class="c-wide soft">in <code>\(live.configurationPath)</code></td><td></td><td></td>\
            <td><a href="\(Address("usage", parameters: [.init(name: "token", value: name)]))">Usage</a></td></tr>

            """
        }
        if rows.isEmpty {
            return "<p class=\"soft\">There is none. <code>menshen token create NAME</code> makes one.</p>\n"
        }
        return """
            <table class="stack">
            <thead><tr><th scope="col">Token</th><th scope="col">State</th><th scope="col">Note</th><th scope="col">May ask</th>\
            <th scope="col" class="n">Made</th><th scope="col"><span class="vh">More</span></th></tr></thead>
            <tbody>
            \(rows)</tbody></table>

            """
    }

    static func state(_ token: GivenToken, _ now: Int64) -> HTML {
        switch token.state(now: now) {
        case "valid": .mark(.fine, "Valid")
        case "expired": .mark(.off, "Expired")
        case "revoked": .mark(.off, "Revoked")
        default: .mark(.failed, "Unreadable", isLoud: true)
        }
    }

    private static func data(_ pots: [PotState], _ clock: PageClock) -> DataTable {
        func amount(_ pot: PotState, _ value: Int64) -> DataTable.Datum {
            pot.limit.measure == .money ? .money(Money(picodollars: value)) : .number(value)
        }
        return DataTable(
            "budgets", ["holder", "name", "limit", "amount", "spent", "reserved", "left", "resets_at"],
            rows: pots.map { pot in
                [
                    .text(pot.holder.kind.rawValue), .text(pot.holder.name),
                    .text(pot.limit.description), amount(pot, pot.limit.amount), amount(pot, pot.spent),
                    amount(pot, pot.reserved), amount(pot, pot.remaining),
                    .text(pot.resetsAt.map { clock.stamp($0 * 1_000_000) }),
                ]
            })
    }

    private static func tokenData(_ context: PageContext) -> DataTable {
        DataTable(
            "tokens", ["name", "state", "note", "terms", "created"],
            rows: context.live.tokens.map {
                [
                    .text($0.name), .text($0.state(now: context.now)), .text($0.terms.note), .text($0.terms.words),
                    .text(context.clock.stamp($0.created * 1_000_000)),
                ]
            })
    }
}
