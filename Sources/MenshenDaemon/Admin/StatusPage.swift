// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenPages
internal import MenshenStore

/// What `/_menshen/status` tells programs.
enum StatusPage {
    static func duration(_ seconds: UInt64) -> String {
        seconds < 120 ? "\(seconds) s" : seconds < 7200 ? "\(seconds / 60) min" : "\(seconds / 3600) h"
    }

    private typealias Member = JSONMember

    /// A provider, as the live page has it as well.
    static func json(_ row: StatusSnapshot.Row, _ status: StatusSnapshot) -> String {
        let keys = row.report.keys.map { key in
            Member.object([
                Member.text("breaker", key.breaker.rawValue), Member.number("wait_ms", key.wait / 1000),
                Member.texts("limited_models", key.limited),
                Member.json("headroom", HeadroomReport.json(key.headroom, status)),
            ])
        }
        let failure = row.report.lastFailure.map {
            Member.object([
                Member.text("reason", $0.reason), Member.number("status", $0.status),
                Member.number("ago_ms", $0.ago / 1000),
            ])
        }
        return Member.object([
            Member.text("name", row.name), Member.text("kind", row.kind),
            Member.text("base_url", row.baseURL), Member.text("key_source", row.keySource),
            Member.text("key_trouble", row.report.keyTrouble), Member.number("weight", row.weight),
            Member.text("health", row.health.rawValue), Member.text("state", row.state),
            Member.number("active", row.report.active), Member.number("places", row.places),
            Member.number("queued", row.report.queued),
            Member.list("keys", keys), Member.json("last_failure", failure),
        ])
    }

    static func json(_ status: StatusSnapshot) -> String {
        let providers = status.providers.map { json($0, status) }
        let requests = status.requests.map { row in
            let fields = [
                Member.text("id", row.id.description), Member.text("method", row.asked.method),
                Member.text("path", row.asked.path),
                Member.text("provider", row.answered.provider), Member.text("model", row.asked.model),
                Member.number("status", row.answered.status),
                Member.text("end_state", row.answered.endState), Member.text("problem", row.answered.problem),
                Member.text("token", row.caller.token),
                Member.text("executable", row.caller.executable), Member.text("unit", row.caller.unit),
                Member.number("uid", row.caller.uid),
                Member.number("ttfb_us", row.answered.firstByteMicroseconds),
                Member.number("total_us", row.answered.totalMicroseconds),
                Member.number("count", row.count),
            ]
            return Member.object(fields)
        }
        let cache = status.cache.map { cache in
            let fields = [
                Member.number("entries", cache.entries), Member.number("bytes", cache.bytes),
                Member.number("hits", cache.hits),
                Member.number("misses", cache.misses), Member.number("stored", cache.stored),
                Member.number("evictions", cache.evictions),
                Member.number("expired", cache.expired), Member.text("fault", cache.unavailable),
            ]
            return Member.object(fields)
        }
        let fields = [
            Member.text("version", status.board.version), Member.number("pid", status.board.pid),
            Member.text("state", status.state),
            Member.text("fault", status.fault), Member.text("tcp_fault", status.tcpFault),
            Member.text("access_fault", status.accessFault),
            Member.number("uptime_seconds", status.uptimeSeconds), Member.number("connections", status.connections),
            Member.text("configuration", status.board.configuration),
            Member.number("configured_at_us", status.configuredAt), Member.text("database", status.board.database),
            Member.text("journal", status.journal.rawValue),
            Member.text("database_fault", status.store.degraded),
            Member.number("records_written", status.store.recordsWritten),
            Member.number("not_journalled", status.store.notJournalled),
            Member.number("audit_backlog", status.store.backlog),
            Member.texts("listeners", status.board.listeners),
            Member.json("cache", cache), Member.json("telemetry", status.telemetry?.json),
            Member.list("providers", providers), Member.list("requests", requests),
        ]
        return Member.object(fields) + "\n"
    }
}
