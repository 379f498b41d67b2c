// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// Requests as rows, newest first, under the days they were on.
struct LogTable {
    let records: [RequestRecord]
    let clock: PageClock

    var html: HTML {
        """
        <table class="stack lim log">
        <colgroup><col class="l-time"><col class="l-end"><col class="l-who"><col class="l-prog c-l4"><col><col class="l-prov">\
        <col class="l-n"><col class="l-n c-l3"><col class="l-n"><col class="l-cost"><col class="l-t c-l3"><col class="l-t"></colgroup>
        <thead><tr><th scope="col" class="n" aria-sort="descending">Time</th><th scope="col">End</th><th scope="col">Caller</th>\
        <th scope="col" class="c-l4">Program, session</th><th scope="col">Model asked <span class="nowrap">→ answered</span></th>\
        <th scope="col">Provider</th><th scope="col" class="n">In</th><th scope="col" class="n c-l3">Cached</th>\
        <th scope="col" class="n">Out</th><th scope="col" class="n">Cost</th><th scope="col" class="n c-l3">First byte</th>\
        <th scope="col" class="n">Total</th></tr></thead>
        \(days)
        </table>

        """
    }

    private var days: HTML {
        var parts: HTML = .nothing
        var day: ZonedTime?
        for record in records {
            let time = ZonedTime(record.id.microseconds / 1_000_000, in: clock.zone)
            if day.map({ !$0.isSameDay(as: time) }) ?? true {
                parts += "</tbody>\n" as HTML
                parts += """
                    <tbody class="day"><tr><th scope="rowgroup" colspan="12">\(clock.day(record.id.microseconds / 1_000_000))</th></tr></tbody>
                    <tbody>

                    """
                day = time
            }
            parts += row(record)
        }
        return "<tbody>\(parts)</tbody>"
    }

    private func row(_ record: RequestRecord) -> HTML {
        let outcome = OutcomeWords(record)
        let usage = record.usage
        let isHit = record.cache?.state == "hit"
        return """
            <tr><td class="n">\(clock.second(record.id.microseconds))</td>\
            <td class="c-name">\(HTML.outcome(outcome, status: record.answered.status))</td>\
            <td><span class="cut">\(HTML.name(record.value(.caller), of: .caller))</span></td>\
            <td class="c-l4"><span class="cut">\(program(record))</span></td>\
            <td class="c-wide"><span class="cut">\(model(record))</span></td>\
            <td><span class="cut">\(record.answered.provider.map(HTML.name) ?? .nothing)</span></td>\
            <td class="n" data-l="In">\(count(usage.inputTotal, record))</td>\
            <td class="n c-hide c-l3">\(usage.inputTotal.map { $0 > 0 && !isHit ? Figures.share(usage.cacheRead ?? 0, of: $0) : "" } ?? "")</td>\
            <td class="n" data-l="Out">\(count(usage.outputTotal, record))</td>\
            <td class="n c-main">\(Self.cost(record))</td>\
            <td class="n c-hide c-l3">\(record.answered.firstByteMicroseconds.map(Figures.shortDuration) ?? "")</td>\
            <td class="n" data-l="Total">\(record.answered.totalMicroseconds.map(Figures.shortDuration) ?? "")</td></tr>

            """
    }

    private func program(_ record: RequestRecord) -> HTML {
        guard let session = record.caller.session else {
            return record.caller.client.map(HTML.name) ?? record.caller.executable.map(HTML.name) ?? .nothing
        }
        let client: HTML = record.caller.client.map(HTML.name) ?? .nothing
        return """
            \(client) <a class="mono" href="\(Address("sessions", session))" title="session \(session)">\(HTML.name(String(session.prefix(8))))</a>
            """
    }

    private func model(_ record: RequestRecord) -> HTML {
        let address = Address("requests", record.id.description)
        let (asked, answered) = (record.asked.model, record.answered.model)
        let words: HTML
        if record.count > 1 {
            words = "\(Figures.count(record.count)) requests"
        } else if let asked, let answered, asked != answered, !answered.hasPrefix(asked) {
            words = "\(HTML.name(asked)) → \(HTML.name(answered))"
        } else {
            words = .name(asked ?? answered, of: .model)
        }
        let title = [asked, answered].compactMap(\.self).first ?? Dimension.model.noneText
        return "<a href=\"\(address)\" title=\"\(title)\">\(words)</a>"
    }

    private func count(_ value: Int64?, _ record: RequestRecord) -> HTML {
        if let value { return "\(Figures.tokens(value))" }
        return record.usageState == "unknown" ? "<span title=\"The provider did not say\">?</span>" : .nothing
    }

    /// Of one request; blank where there is nothing to pay, and never 0 where it is not known.
    static func cost(_ record: RequestRecord) -> HTML {
        guard let cost = record.cost else {
            return record.answered.endState == "open" || record.usageState == "none" || record.usageState == nil
                ? .nothing : "<span title=\"Not known\">?</span>"
        }
        switch (cost.state, cost.amount) {
        case (.none, _): return .nothing
        case (.partial, let amount?): return "≥ \(Figures.cost(amount))"
        case (_, let amount?): return "\(Figures.cost(amount))"
        case (_, nil):
            if record.usageState == "unknown" {
                return "<span title=\"The provider did not say what was used\">?</span>"
            }
            return "<span class=\"muted\">unpriced</span>"
        }
    }

    var data: DataTable {
        DataTable(
            "requests",
            [
                "id", "time", "status", "outcome", "problem", "caller", "client", "session", "agent", "project",
                "model",
                "answer_model", "provider", "attempts", "input_tokens", "cache_read_tokens", "output_tokens", "cost",
                "cost_state", "first_byte_us", "total_us", "count",
            ],
            rows: records.map { record in
                let (caller, answered, usage) = (record.caller, record.answered, record.usage)
                return [
                    .text(record.id.description), .text(clock.stamp(record.id.microseconds)),
                    .number(answered.status.map(Int64.init)), .text(answered.endState), .text(answered.problem),
                    .text(record.value(.caller)), .text(caller.client), .text(caller.session), .text(caller.agent),
                    .text(caller.project), .text(record.asked.model), .text(answered.model), .text(answered.provider),
                    .number(Int64(answered.attempts)), .number(usage.inputTotal), .number(usage.cacheRead),
                    .number(usage.outputTotal), .money(record.cost?.amount), .text(record.cost?.state.rawValue),
                    .number(answered.firstByteMicroseconds), .number(answered.totalMicroseconds), .number(record.count),
                ]
            })
    }
}
