// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenStore

/// What goes on right now, for `menshen top`: requests under way, providers, limits, and what was counted since the start, from
/// which whoever looks twice knows a rate. It comes from the workers, and asks no records.
enum LivePage {
    static func json(
        _ status: StatusSnapshot, _ totals: RequestTally.Totals, _ pots: [PotState], _ zone: ZoneRules
    ) -> String {
        JSONMember.object([
            JSONMember.text("schema", "menshen.live.v1"), JSONMember.text("version", status.board.version),
            JSONMember.text("host", HostName.own), JSONMember.number("pid", status.board.pid),
            JSONMember.text("state", status.state), JSONMember.number("time_us", status.wallMicroseconds),
            JSONMember.number("uptime_seconds", status.uptimeSeconds), JSONMember.texts("faults", status.faults),
            JSONMember.text("database_fault", status.store.degraded),
            JSONMember.number("requests_ended", totals.requests), JSONMember.number("requests_failed", totals.failed),
            JSONMember.number("requests_open", status.open.count),
            JSONMember.list("requests", status.open.oldest.map { $0.json(now: status.monotonicMicroseconds) }),
            JSONMember.list("providers", status.providers.map { StatusPage.json($0, status) }),
            LimitsPage.members(pots, zone),
        ]) + "\n"
    }
}

extension AdminPage {
    static let live = AdminPage(
        "/_menshen/live", access: .administrators,
        [
            Action(.get) { caller, _ in
                caller.withStatus(.underWay) { status in
                    let (pots, zone) = caller.ownPots
                    return LocalAnswer(
                        status: 200, fields: [("Content-Type", "application/json"), ("Cache-Control", "no-store")],
                        body: Array(LivePage.json(status, caller.totals, pots, zone).utf8))
                }
            }
        ])
}
