// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// What goes on right now, as `menshen top` shows it. It needs no records, and with a script it follows by itself.
enum UnderWayPage {
    static func page(_ live: LiveView, _ clock: PageClock) -> Page {
        let unlisted = live.openCount - live.underWay.count
        return Page(
            title: "Under way", place: .live,
            main: """
                \(HTML.pageHead("Under way", controls, note: "Requests whose answers are not over, the oldest first, and the providers that have them"))\
                \(live.underWay.isEmpty ? nothing(clock) : requests(live.underWay))\
                \("<p class=\"meta\">\(Figures.counted(Int64(unlisted), "more", "more"))</p>\n" as HTML, if: !live.underWay.isEmpty && unlisted > 0)\
                \(HTML.section("p", "Providers", providers(live.providers)))
                """,
            tables: [data(live.underWay)], followsChanges: true)
    }

    /// What the script has to say stands here, so that there are no words in it.
    private static let controls: HTML = """
        <div class="acts"><p class="following" role="status"><span class="st ok">Follows</span>\
        <span class="st warn">Not connected, tries again</span>\
        <span class="st off">menshen has stopped, or sleeps: this asks it again</span></p>\
        <a class="button" href="\(Page.Place.live.address)">Refresh</a></div>

        """

    private static func nothing(_ clock: PageClock) -> HTML {
        .empty(
            "Nothing is under way", "What is asked for appears here, with the tokens that have come so far.",
            [.button(Address("log"), "What was asked for before")])
    }

    // MARK: Requests

    private static func requests(_ requests: [LiveView.UnderWay]) -> HTML {
        """
        <table class="stack lim" id="under-way">
        <colgroup><col class="w-end"><col class="w-who"><col class="l-prog c-l4"><col><col class="l-prov"><col class="w-num">\
        <col class="w-num"><col class="w-num c-l3"><col class="w-num c-l3"><col class="w-num"></colgroup>
        <thead><tr><th scope="col">State</th><th scope="col">Caller</th><th scope="col" class="c-l4">Program, session</th>\
        <th scope="col">Model</th><th scope="col">Provider</th><th scope="col" class="n">In</th><th scope="col" class="n">Out</th>\
        <th scope="col" class="n c-l3">Tokens/s</th><th scope="col" class="n c-l3">Sent</th><th scope="col" class="n">Age</th></tr></thead>
        <tbody>
        \(requests.map(row))</tbody></table>

        """
    }

    private static func row(_ request: LiveView.UnderWay) -> HTML {
        let client: HTML = request.client.map(HTML.name) ?? .nothing
        let session: HTML =
            request.session.map {
                " <a class=\"mono\" href=\"\(Address("sessions", $0))\" title=\"session \($0)\">\(HTML.name(String($0.prefix(8))))</a>"
            } ?? .nothing
        let output = request.leastOutput.map { $0 > 0 ? "≥\u{202f}\(Figures.tokens($0))" : "" } ?? ""
        return """
            <tr id="r-\(request.id.description)"><td class="c-name">\(state(request.state))</td>\
            <td><span class="cut">\(HTML.name(request.caller, of: .caller))</span></td>\
            <td class="c-l4"><span class="cut">\(client)\(session)</span></td>\
            <td class="c-wide"><span class="cut" title="\(request.model ?? "")">\(HTML.name(request.model, of: .model))</span></td>\
            <td><span class="cut">\(request.provider.map(HTML.name) ?? .nothing)</span></td>\
            <td class="n" data-l="In">\(request.inputTokens.map(Figures.tokens) ?? "")</td>\
            <td class="n" data-l="Out">\(output)</td>\
            <td class="n c-l3" data-l="Tokens/s">\(rate(request) ?? "")</td>\
            <td class="n c-l3" data-l="Sent">\(request.bytesOut > 0 ? Figures.bytes(request.bytesOut, space: "\u{202f}") : "")</td>\
            <td class="n c-main">\(Figures.shortDuration(request.age))</td></tr>

            """
    }

    private static func state(_ state: OpenState) -> HTML {
        switch state {
        case .reading: .mark(.off, "Reading")
        case .waiting: .mark(.off, "Waiting")
        case .queued: .mark(.warning, "Queued")
        case .asked: .mark(.open, "Asked")
        case .answering: .mark(.open, "Answering")
        case .streaming: .mark(.open, "Streaming")
        }
    }

    /// Of the whole answer so far.
    private static func rate(_ request: LiveView.UnderWay) -> String? {
        guard let tokens = request.leastOutput, tokens > 0, let time = request.answering, time > 200_000 else {
            return nil
        }
        let tenths = Int64((Double(tokens) * 1e7 / Double(time)).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    private static func providers(_ providers: [LiveView.Provider]) -> HTML {
        if providers.isEmpty { return "<p class=\"soft\">None is configured.</p>\n" }
        let rows: [HTML] = providers.map { provider in
            """
            <tr><th scope="row" class="c-name">\(HTML.name(provider.name))</th><td class="c-main">\(provider.mark)</td>\
            <td class="n" data-l="Places">\(provider.placesText)</td>\
            <td class="n" data-l="Queued">\(provider.queued > 0 ? Figures.count(Int64(provider.queued)) : "")</td></tr>

            """
        }
        return """
            <table class="stack"><thead><tr><th scope="col">Provider</th><th scope="col">State</th>\
            <th scope="col" class="n">Places in use</th><th scope="col" class="n">Queued</th></tr></thead>
            <tbody>
            \(rows)</tbody></table>

            """
    }

    private static func data(_ requests: [LiveView.UnderWay]) -> DataTable {
        DataTable(
            "requests",
            [
                "id", "state", "caller", "client", "session", "model", "provider", "age_us", "answering_us",
                "input_tokens", "output_tokens_least", "bytes_out",
            ],
            rows: requests.map {
                [
                    .text($0.id.description), .text($0.state.rawValue), .text($0.caller), .text($0.client),
                    .text($0.session), .text($0.model), .text($0.provider), .number($0.age), .number($0.answering),
                    .number($0.inputTokens), .number($0.leastOutput), .number($0.bytesOut),
                ]
            })
    }
}
