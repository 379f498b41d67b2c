// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenStore

/// The page at `/` and its JSON twin.
enum StatusPage {
    // MARK: HTML

    /// `content` is what stands in the body.
    private static func document(_ content: String) -> String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>menshen</title>
        <style>\(style)</style>
        </head>
        <body>
        \(content)
        </body>
        </html>

        """
    }

    /// What a browser shows of a refusal. `signInPath` leads to the browser's question for user and password.
    static func html(_ problem: Problem, signInPath: String?) -> String {
        document(
            """
            <header><h1>menshen</h1></header>
            <main><h2>\(problem.status == 401 ? "Sign in to see this page" : "This page cannot be shown")</h2>
            <p>\(escape(problem.message))</p>
            \(signInPath.map { "<p><a href=\"\($0)\">Sign in</a></p>" } ?? "")</main>
            """)
    }

    static func html(_ status: StatusSnapshot) -> String {
        let zone = LocalTime.zone(Int64(status.wallMicroseconds))
        return document(
            """
            <header><h1>menshen</h1><p>\(escape(status.board.version)) · pid \(status.board.pid) · up \(duration(status.uptimeSeconds)) · \(stateMark(status)) · <a href="/_menshen/ui/">Dashboard</a></p></header>
            \(warnings(status))
            <section><h2>Listeners</h2><ul>\(status.board.listeners.map { "<li><code>\(escape($0))</code></li>" }.joined())</ul>
            <p>Open connections: \(status.connections). Configuration <code>\(escape(status.board.configuration))</code>,
            records in <code>\(escape(status.board.database))</code> (\(status.store.recordsWritten) written since the start).\(status.cache.map { " Cache: \(escape(StatusReport.words($0)))." } ?? "")</p></section>
            <section><h2>Providers</h2><div class="scroll"><table><thead><tr><th>Name</th><th>Kind</th><th>Base URL</th><th>Key from</th><th class="n">Weight</th><th class="n">Active</th><th class="n">Queued</th><th>State</th><th>Last failure</th></tr></thead>
            <tbody>\(status.providers.map(providerRow).joined())</tbody></table></div></section>
            \(HeadroomReport.html(status))
            <section><h2>Last requests</h2><div class="scroll"><table><thead><tr><th>Time (\(escape(zone)))</th><th>Caller</th><th>Request</th><th>Provider</th><th>Model</th>
            <th class="n">Status</th><th>End</th><th class="n">First byte</th><th class="n">Total</th></tr></thead>
            <tbody>\(status.requests.map(requestRow).joined())</tbody></table></div>
            \(status.requests.isEmpty ? "<p>None yet.</p>" : "")</section>
            """)
    }

    private static let style = """
        :root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 18%,transparent)}
        body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:76rem;padding:1.5rem}
        h1{margin:0;font-size:1.5rem}h2{font-size:1.05rem;margin:1.8rem 0 .5rem}header p{margin:.2rem 0}p,li{overflow-wrap:anywhere}
        table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .7rem .35rem 0;border-bottom:1px solid var(--line);white-space:nowrap}
        th{font-weight:600}.n{text-align:right;font-variant-numeric:tabular-nums}.scroll{overflow-x:auto}
        ul{padding-left:1.2rem;margin:.3rem 0}.ok{color:#1b7446}.bad{color:#b8232c;font-weight:600}
        .warn{border-left:4px solid #c0262d;padding:.5rem .9rem;margin:1rem 0;background:color-mix(in srgb,#c0262d 10%,transparent)}
        @media (prefers-color-scheme:dark){.ok{color:#55c88d}.bad{color:#ff8a8d}}
        @media (max-width:40rem){body{padding:1rem}thead{display:none}tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}
        td{display:block;border:0;padding:.1rem 0;white-space:normal;overflow-wrap:anywhere;text-align:left}td.n{text-align:left}td:empty{display:none}
        td[data-l]::before{content:attr(data-l) " ";opacity:.8}}
        """

    private static func stateMark(_ status: StatusSnapshot) -> String {
        if status.isDraining { return #"<span class="bad">stopping</span>"# }
        if status.fault != nil { return #"<span class="bad">no usable configuration</span>"# }
        return #"<span class="ok">serving</span>"#
    }

    private static func warnings(_ status: StatusSnapshot) -> String {
        var texts: [String] = []
        if let fault = status.fault { texts.append(fault) }
        if let fault = status.tcpFault { texts.append("Every request over TCP is refused: \(fault).") }
        if let fault = status.accessFault { texts.append("Tokens that were given out are refused: \(fault).") }
        if let reason = status.store.degraded {
            texts.append("The audit database is not in use: \(reason). \(StatusReport.whereRecordsGo(status))")
        }
        return texts.map { #"<p class="warn">\#(escape($0))</p>"# }.joined(separator: "\n")
    }

    private static func providerRow(_ row: StatusSnapshot.Row) -> String {
        let state = row.weight == 0 ? "switched off" : row.report.state
        let cells = [
            "<td>\(escape(row.name))</td><td>\(row.kind)</td><td><code>\(escape(row.baseURL))</code></td>",
            "<td data-l=\"Key from\">\(escape(row.keySource))\(row.report.keyTrouble.map { " <span class=\"bad\">\(escape($0))</span>" } ?? "")</td><td class=\"n\" data-l=\"Weight\">\(row.weight)</td>",
            "<td class=\"n\" data-l=\"Active\">\(row.report.active)</td>",
            "<td class=\"n\" data-l=\"Queued\">\(row.report.queued)</td>",
            "<td class=\"\(state == "ok" ? "ok" : row.weight == 0 ? "" : "bad")\">\(escape(state))</td>",
            "<td data-l=\"Last failure\">\(escape(row.report.failureText ?? "none"))</td>",
        ]
        return "<tr>\(cells.joined())</tr>"
    }

    private static func requestRow(_ row: RequestRecord) -> String {
        let request =
            row.count > 1 || row.asked.method == nil
            ? "\(row.count) refusals" : "\(row.asked.method ?? "") \(row.asked.path ?? "")"
        // Each says for itself what went wrong: a 429 that was relayed whole is complete all the same.
        let isWhole = row.answered.endState == EndState.complete.rawValue
        let cells = [
            "<td>\(LocalTime.text(row.id.microseconds))</td>", "<td>\(escape(caller(row)))</td>",
            "<td>\(escape(request))</td>",
            "<td>\(escape(row.answered.provider ?? ""))</td>", "<td>\(escape(row.asked.model ?? ""))</td>",
            "<td class=\"n\((row.answered.status ?? 0) < 400 ? "" : " bad")\" data-l=\"Status\">\(row.answered.status.map(String.init) ?? "")</td>",
            "<td class=\"\(isWhole ? "ok" : "bad")\">\(escape(row.answered.problem.map { "\(row.answered.endState): \($0)" } ?? row.answered.endState))</td>",
            "<td class=\"n\" data-l=\"First byte\">\(row.answered.firstByteMicroseconds.map(milliseconds) ?? "")</td>",
            "<td class=\"n\" data-l=\"Total\">\(row.answered.totalMicroseconds.map(milliseconds) ?? "")</td>",
        ]
        return "<tr>\(cells.joined())</tr>"
    }

    private static func caller(_ row: RequestRecord) -> String {
        row.caller.token ?? row.caller.unit ?? row.caller.executable ?? row.caller.uid.map { "uid \($0)" } ?? "no token"
    }

    static func escape(_ text: String) -> String {
        var output = ""
        for character in text {
            switch character {
            case "&": output += "&amp;"
            case "<": output += "&lt;"
            case ">": output += "&gt;"
            case "\"": output += "&quot;"
            case "'": output += "&#39;"
            default: output.append(character)
            }
        }
        return output
    }

    private static func milliseconds(_ micros: Int64) -> String { "\(micros / 1000).\(micros % 1000 / 100) ms" }

    static func duration(_ seconds: UInt64) -> String {
        seconds < 120 ? "\(seconds) s" : seconds < 7200 ? "\(seconds / 60) min" : "\(seconds / 3600) h"
    }

    // MARK: JSON

    static func json(_ status: StatusSnapshot) -> String {
        var output: [UInt8] = []
        func text(_ key: String, _ value: String?) -> String {
            var field = Array("\"\(key)\":".utf8)
            if let value { field.append(json: value) } else { field.append(contentsOf: "null".utf8) }
            return String(decoding: field, as: UTF8.self)
        }
        func number(_ key: String, _ value: (some BinaryInteger)?) -> String {
            "\"\(key)\":\(value.map { "\($0)" } ?? "null")"
        }
        func list(_ texts: [String]) -> String {
            "[\(texts.map { String(text("", $0).dropFirst(3)) }.joined(separator: ","))]"
        }
        let providers = status.providers.map { row in
            let keys = row.report.keys.map { key in
                "{\(text("breaker", key.breaker.rawValue)),\(number("wait_ms", key.wait / 1000)),\"limited_models\":\(list(key.limited)),\"headroom\":\(HeadroomReport.json(key.headroom, status))}"
            }
            let failure = row.report.lastFailure.map {
                "{\(text("reason", $0.reason)),\(number("status", $0.status)),\(number("ago_ms", $0.ago / 1000))}"
            }
            let fields = [
                text("name", row.name), text("kind", row.kind), text("base_url", row.baseURL),
                text("key_source", row.keySource), text("key_trouble", row.report.keyTrouble),
                number("weight", row.weight),
                text("state", row.weight == 0 ? "switched off" : row.report.state),
                number("active", row.report.active), number("queued", row.report.queued),
                "\"keys\":[\(keys.joined(separator: ","))]", "\"last_failure\":\(failure ?? "null")",
            ]
            return "{\(fields.joined(separator: ","))}"
        }
        let requests = status.requests.map { row in
            let fields = [
                text("id", row.id.description), text("method", row.asked.method), text("path", row.asked.path),
                text("provider", row.answered.provider), text("model", row.asked.model),
                number("status", row.answered.status),
                text("end_state", row.answered.endState), text("problem", row.answered.problem),
                text("token", row.caller.token),
                text("executable", row.caller.executable), text("unit", row.caller.unit), number("uid", row.caller.uid),
                number("ttfb_us", row.answered.firstByteMicroseconds),
                number("total_us", row.answered.totalMicroseconds),
                number("count", row.count),
            ]
            return "{\(fields.joined(separator: ","))}"
        }
        let cache = status.cache.map { cache in
            let fields = [
                number("entries", cache.entries), number("bytes", cache.bytes), number("hits", cache.hits),
                number("misses", cache.misses), number("stored", cache.stored), number("evictions", cache.evictions),
                number("expired", cache.expired), text("fault", cache.unavailable),
            ]
            return "{\(fields.joined(separator: ","))}"
        }
        let fields = [
            text("version", status.board.version), number("pid", status.board.pid),
            text("state", status.isDraining ? "stopping" : status.fault == nil ? "serving" : "broken"),
            text("fault", status.fault), text("tcp_fault", status.tcpFault),
            text("access_fault", status.accessFault),
            number("uptime_seconds", status.uptimeSeconds), number("connections", status.connections),
            text("configuration", status.board.configuration), text("database", status.board.database),
            text("journal", status.journal.rawValue),
            text("database_fault", status.store.degraded), number("records_written", status.store.recordsWritten),
            number("not_journalled", status.store.notJournalled), number("audit_backlog", status.store.backlog),
            "\"listeners\":\(list(status.board.listeners))",
            "\"cache\":\(cache ?? "null")", "\"telemetry\":\(status.telemetry?.json ?? "null")",
            "\"providers\":[\(providers.joined(separator: ","))]", "\"requests\":[\(requests.joined(separator: ","))]",
        ]
        output.append(contentsOf: "{\(fields.joined(separator: ","))}\n".utf8)
        return String(decoding: output, as: UTF8.self)
    }
}
