// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// The whole story of one request, as `menshen show` tells it.
struct RequestPage {
    /// So much of a kept body is on the page; all of it is a download.
    private static let bodyLimit = 24_000

    private let context: PageContext
    private let detail: RequestDetail

    private var record: RequestRecord { detail.record }
    private var clock: PageClock { context.clock }

    static func page(_ context: PageContext, _ id: RequestID) throws(StoreFault) -> Page {
        guard let detail = try context.reports.request(id) else { return notThere(id.description) }
        return try RequestPage(context: context, detail: detail).page()
    }

    static func notThere(_ id: String) -> Page {
        ErrorPage.notThere(
            "There is no request \(ShownName.cut(ShownName.clean(id), to: 40))",
            "It may be older than what is kept, or of another menshen.", .log)
    }

    /// A body as it is kept, to be saved: never as a type that a browser runs.
    static func body(_ request: PageRequest, _ reports: RecordReports) throws(StoreFault) -> PageAnswer? {
        guard request.path.count == 2, request.path[0] == "requests", let id = RequestID(request.path[1]),
            let kind = request.parameters.last(where: { $0.name == "body" })?.value,
            ["request", "response"].contains(kind)
        else { return nil }
        guard let bytes = try reports.body(of: id, isResponse: kind == "response") else { return nil }
        var answer = PageAnswer(contentType: "application/octet-stream", body: bytes)
        answer.fields = [("Content-Disposition", "attachment; filename=\"\(id)-\(kind).bin\"")]
        return answer
    }

    private func page() throws(StoreFault) -> Page {
        let outcome = OutcomeWords(record)
        let status = record.answered.status.map { "\($0) " } ?? ""
        let model: HTML =
            record.value(.model).map { "&nbsp;·&nbsp; <span class=\"soft\">\(HTML.name($0))</span> " }
            ?? "&nbsp;·&nbsp; "
        let caller: HTML = record.value(.caller).map { "for \(filtered(.caller, $0)) &nbsp;·&nbsp; " } ?? .nothing
        return Page(
            title: "Request \(record.id)", place: .log,
            main: """
                <div class="head"><h1 class="idline">Request <code id="id">\(record.id.description)</code></h1>\
                <button class="mini" data-copy="#id">Copy</button>
                <p>\(HTML.mark(outcome.mark, status + outcome.words)) \(model)\(caller)\(time)</p></div>
                \(HTML.facts(facts))\(problem)\(happened)
                <div class="grid">
                <div class="span2 column">
                \(cost)\(try asked())\(try answered())</div>
                <div class="column">
                \(who)\(route)\(cache)</div>
                </div>

                """,
            tables: [LogTable(records: [record], clock: clock).data, attempts],
            followsChanges: record.answered.endState == "open")
    }

    private var time: HTML {
        """
        <time datetime="\(clock.stamp(record.id.microseconds))" title="\(clock.full(record.id.microseconds))">\
        \(clock.day(record.id.microseconds / 1_000_000)), \(ZonedTime(record.id.microseconds / 1_000_000, in: clock.zone).clockWithSeconds)</time>
        """
    }

    private func filtered(_ dimension: Dimension, _ value: String) -> HTML {
        "<a href=\"\(Address("log", parameters: [.init(name: dimension.rawValue, value: value)]))\">\(HTML.name(value, of: dimension))</a>"
    }

    // MARK: Figures

    private var facts: [Fact] {
        let usage = record.usage
        let isUnknown = record.usageState == "unknown"
        let unknown: HTML = isUnknown ? "?" : "–"
        let total = record.answered.totalMicroseconds
        let streaming = total.flatMap { total in record.answered.firstByteMicroseconds.map { total - $0 } }
        var rate: HTML = .nothing
        if let out = usage.outputTotal, let streaming, streaming > 200_000, out > 0 {
            rate = "\(Int64((Double(out) * 1e6 / Double(streaming)).rounded())) tokens/s out"
        }
        let cached: HTML =
            usage.inputTotal.map { $0 > 0 ? "\(Figures.share(usage.cacheRead ?? 0, of: $0)) from the cache" : .nothing }
            ?? .nothing
        let waited = detail.attempts.filter { $0.reason != "ok" }.reduce(0) {
            $0 + $1.endedMicroseconds - $1.startedMicroseconds
        }
        let cost = LogTable.cost(record)
        return [
            Fact("Cost", cost.isEmpty ? "–" : cost, costNote),
            Fact("Total", total.map { "\(Figures.shortDuration($0))" } ?? "–", rate),
            Fact(
                "First byte", record.answered.firstByteMicroseconds.map { "\(Figures.shortDuration($0))" } ?? "–",
                waited > 0 ? "of which \(Figures.shortDuration(waited)) for failed tries" : .nothing),
            Fact("Tokens in", usage.inputTotal.map { "\(Figures.count($0))" } ?? unknown, cached),
            Fact(
                "Tokens out", usage.outputTotal.map { "\(Figures.count($0))" } ?? unknown,
                usage.reasoning.map { "\(Figures.count($0)) reasoning" } ?? .nothing),
            Fact(
                "Tries", "\(record.answered.attempts)",
                "\(Set(detail.attempts.map(\.provider)).count) \(Set(detail.attempts.map(\.provider)).count == 1 ? "provider" : "providers")"
            ),
        ]
    }

    private var costNote: HTML {
        switch record.cost?.state {
        case .priced: "list price"
        case .provider: "as the provider says"
        case .partial: "by when it broke off"
        case .unpriced: record.cost?.reason.map { "\($0)" } ?? .nothing
        case .some(.none): "nothing to pay"
        case nil: .nothing
        }
    }

    private var problem: HTML {
        guard let problem = record.answered.problem, !problem.isEmpty else { return .nothing }
        let kind = record.isFailed ? "bad" : "warn"
        return .note(
            kind, OutcomeWords(record).words,
            "<p><code>\(problem)</code>: <code>menshen config check</code> and the manual’s page of faults say what helps.</p>"
        )
    }

    private var happened: HTML {
        guard let total = record.answered.totalMicroseconds, record.count == 1 else { return .nothing }
        var steps: [Waterfall.Step] = []
        if let first = detail.attempts.first {
            let rule: HTML = record.caller.rule.map { "rule <b>\(HTML.name($0))</b>" } ?? .nothing
            steps.append(
                .init(
                    name: "Read, recognised, admitted", detail: rule, start: 0, end: first.startedMicroseconds,
                    outcome: .mark(.fine, "OK")))
        }
        for attempt in detail.attempts { steps.append(step(attempt)) }
        if let first = record.answered.firstByteMicroseconds, first <= total {
            let bytes: HTML = record.answered.bytes.map { "\(Figures.bytes($0, space: "\u{202f}"))" } ?? .nothing
            let outcome = OutcomeWords(record)
            steps.append(
                .init(
                    name: "Relayed to the caller", detail: bytes, start: first, end: total,
                    outcome: .mark(outcome.mark, outcome.words)))
        }
        if steps.isEmpty { return .nothing }
        return .section("w", "What happened", Waterfall(steps: steps, total: max(1, total)).html)
    }

    private func step(_ attempt: RecordedAttempt) -> Waterfall.Step {
        let isOK = attempt.reason == "ok"
        let key = attempt.key.map { ", key \($0)" } ?? ""
        let words =
            ([attempt.status.map { "\($0)" } ?? ""] + [isOK ? "complete" : Dimension.outcome.shown(attempt.reason)])
            .filter { !$0.isEmpty }.joined(separator: " ")
        let model: HTML = attempt.model.map { "asked for \(HTML.name($0))" } ?? .nothing
        return .init(
            name: "Try \(attempt.number): \(HTML.name(attempt.provider))\(key)", detail: model,
            start: attempt.startedMicroseconds, end: attempt.endedMicroseconds, isWaiting: !isOK,
            outcome: .mark(isOK ? .fine : .failed, words))
    }

    private var attempts: DataTable {
        DataTable(
            "attempts", ["number", "provider", "key", "model", "status", "reason", "started_us", "ended_us"],
            rows: detail.attempts.map {
                [
                    .number(Int64($0.number)), .text($0.provider), .number($0.key.map(Int64.init)), .text($0.model),
                    .number($0.status.map(Int64.init)), .text($0.reason), .number($0.startedMicroseconds),
                    .number($0.endedMicroseconds),
                ]
            })
    }

    // MARK: Cost and bodies

    private var cost: HTML {
        let usage = record.usage
        guard usage.isCounted else { return .nothing }
        let parts: [(String, Int64?)] = [
            ("Input", usage.inputTotal), ("of it not cached", usage.inputUncached),
            ("of it read from a cache", usage.cacheRead),
            ("of it written to a cache", usage.cacheWrite), ("Output", usage.outputTotal),
            ("of it reasoning", usage.reasoning),
            ("Audio in", usage.audioIn), ("Audio out", usage.audioOut), ("Images in", usage.imageIn),
            ("Images out", usage.imageOut),
        ]
        let rows: [HTML] = parts.compactMap { name, count in
            count.map {
                "<tr><th scope=\"row\" class=\"c-name\">\(name)</th><td class=\"n c-main\">\(Figures.count($0))</td></tr>\n"
            }
        }
        let raw: HTML =
            usage.raw.isEmpty
            ? .nothing
            : """
            <details class="fold"><summary>Usage as \(record.answered.provider ?? "the provider") reported it</summary>\
            <div class="code"><pre tabindex="0">\(KeptBody.readable(usage.raw))</pre></div></details>

            """
        let exact: HTML = record.cost?.amount.map { "<span class=\"mono\">$\($0.dollars)</span>" } ?? .nothing
        let version: HTML = record.cost?.priceVersion.map { "<p class=\"meta\">Prices \($0).</p>\n" } ?? .nothing
        return .section(
            "c", "Usage and cost", note: exact,
            """
            <table class="stack plain"><thead><tr><th scope="col">Part</th><th scope="col" class="n">Tokens</th></tr></thead>
            <tbody>
            \(rows)</tbody></table>
            \(version)\(raw)
            """)
    }

    private func asked() throws(StoreFault) -> HTML {
        let asked = record.asked
        let line = [asked.method, asked.path].compactMap(\.self).joined(separator: " ")
        let size = asked.bytes.map { Figures.bytes($0, space: "\u{202f}") } ?? ""
        let note = [line, size].filter { !$0.isEmpty }.joined(separator: ", ")
        if record.count > 1 { return .nothing }
        return .section(
            "q", "Asked", note: "\(note)", more: saved("request", detail.requestBodyBytes),
            try body(false, detail.requestBodyBytes))
    }

    private func answered() throws(StoreFault) -> HTML {
        guard record.answered.status != nil, record.count == 1 else { return .nothing }
        let reason: HTML =
            record.answered.finishReason.map { "finish reason <span class=\"soft\">\($0)</span>" } ?? .nothing
        return .section(
            "a", "Answered", note: reason, more: saved("response", detail.responseBodyBytes),
            try body(true, detail.responseBodyBytes))
    }

    private func saved(_ kind: String, _ bytes: Int?) -> HTML {
        guard bytes != nil else { return .nothing }
        let address = Address("requests", record.id.description).with("body", kind)
        return "<span class=\"more\"><a href=\"\(address)\" download>as it is kept</a></span>"
    }

    private func body(_ isResponse: Bool, _ length: Int?) throws(StoreFault) -> HTML {
        guard length != nil, let bytes = try context.reports.body(of: record.id, isResponse: isResponse) else {
            return "<p class=\"muted\">Not kept. <code>[logging]</code> says whether bodies are.</p>\n"
        }
        let text = KeptBody.readable(Array(bytes.prefix(Self.bodyLimit)))
        let isCut = bytes.count > Self.bodyLimit
        let cut: HTML = isCut ? "<p class=\"meta\">Cut here: the whole is behind the link above.</p>\n" : .nothing
        return "<div class=\"code wrap\"><pre tabindex=\"0\">\(text)</pre></div>\n\(cut)"
    }

    // MARK: Who and where

    private var who: HTML {
        let caller = record.caller
        let uid: HTML = caller.uid.map { " <span class=\"muted\">uid \($0), by the socket</span>" } ?? .nothing
        let pid: HTML = caller.pid.map { ", pid \($0)" } ?? .nothing
        func name(_ value: String?) -> HTML { value.map { HTML.name($0) } ?? .nothing }
        func link(_ dimension: Dimension, _ value: String?) -> HTML {
            value.map { filtered(dimension, $0) } ?? .nothing
        }
        let session: HTML =
            caller.session.map { "<a class=\"mono\" href=\"\(Address("sessions", $0))\">\(HTML.name($0))</a>" }
            ?? .nothing
        return .section(
            "who", "Who",
            .pairs([
                (
                    "Caller",
                    record.value(.caller).map { "\(filtered(.caller, $0))\(uid)" }
                        ?? "<span class=\"muted\">no token</span>"
                ),
                ("From", caller.address == "unix" ? .nothing : name(caller.address)),
                ("Process", caller.executable.map { "<code>\($0)</code>\(pid)" } ?? .nothing),
                ("Unit", caller.unit.map { "<code>\($0)</code>" } ?? .nothing),
                ("Program", link(.client, caller.client)), ("Session", session), ("Agent", link(.agent, caller.agent)),
                ("Project", link(.project, caller.project)), ("Job", link(.job, caller.job)),
                ("End user", link(.endUser, caller.endUser)),
                ("Rule", caller.rule.map { "<b>\(HTML.name($0))</b>" } ?? .nothing),
            ]))
    }

    private var route: HTML {
        let (asked, answered) = (record.asked, record.answered)
        func code(_ value: String?) -> HTML { value.map { "<code>\($0)</code>" } ?? .nothing }
        return .section(
            "route", "Route",
            .pairs([
                ("Provider", answered.provider.map { filtered(.provider, $0) } ?? "<span class=\"muted\">none</span>"),
                ("Asked for", code(asked.model)), ("Answered", code(answered.model)),
                ("Operation", code(asked.operation)),
                ("Dialect", code(asked.dialect)), ("Stream", asked.isStream.map { $0 ? "yes" : "no" } ?? .nothing),
                ("Tier", code(answered.tier ?? asked.tier)), ("Speed", code(answered.speed)),
                ("Where", code(answered.geo)),
            ]))
    }

    private var cache: HTML {
        guard let cache = record.cache else { return .nothing }
        let source: HTML =
            cache.source.map {
                "<a class=\"mono\" href=\"\(Address("requests", $0.description))\">\($0.description)</a>"
            } ?? .nothing
        return .section(
            "cache", "Own cache",
            .pairs([
                ("Found", "\(cache.state)"), ("Answer of", source),
                (
                    "Saved",
                    cache.savedInput.map {
                        "\(Figures.count($0)) tokens in, \(Figures.count(cache.savedOutput ?? 0)) out"
                    } ?? .nothing
                ),
            ]))
    }
}
