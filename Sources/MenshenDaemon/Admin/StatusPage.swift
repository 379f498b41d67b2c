// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenStore

/// What `/_menshen/status` tells programs.
enum StatusPage {
    static func duration(_ seconds: UInt64) -> String {
        seconds < 120 ? "\(seconds) s" : seconds < 7200 ? "\(seconds / 60) min" : "\(seconds / 3600) h"
    }

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
