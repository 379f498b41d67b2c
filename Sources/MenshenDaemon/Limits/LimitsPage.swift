// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore

/// What callers are told of limits that concern them.
enum LimitsPage {
    private typealias Member = JSONMember

    /// `GET /_menshen/usage`.
    static func usage(_ states: [PotState], _ zone: ZoneRules) -> LocalAnswer {
        json(Member.object([members(states, zone)]))
    }

    /// "timezone" and "limits".
    static func members(_ states: [PotState], _ zone: ZoneRules) -> String {
        let limits = states.map { state in
            Member.object([
                Member.text("holder", state.holder.kind.rawValue), Member.text("name", state.holder.name),
                Member.text("limit", state.limit.description), Member.text("measure", state.limit.measure.rawValue),
                Member.json("amount", amount(state, state.limit.amount)),
                Member.json("spent", amount(state, state.spent)),
                Member.json("reserved", amount(state, state.reserved)),
                Member.json("remaining", amount(state, state.remaining)),
                Member.text("resets_at", state.resetsAt.map { zone.stamp($0) }),
                Member.json("is_known", "\(state.isKnown)"),
            ])
        }
        return Member.text("timezone", zone.name) + "," + Member.list("limits", limits)
    }

    /// `GET /key/info` as LiteLLM answers it about the caller's own key, for the status bars that know that. Its budget is the
    /// token's first limit in money.
    static func key(_ token: AccessToken, _ states: [PotState], _ zone: ZoneRules) -> LocalAnswer {
        let budget = states.first { $0.limit.measure == .money }
        func perMinute(_ measure: Limit.Measure) -> Int64? {
            token.limits.first { $0.measure == measure && $0.window == .minute }?.amount
        }
        let info = Member.object([
            Member.text("key_name", token.name), Member.text("key_alias", token.name),
            Member.json("spend", budget.map { amount($0, $0.spent) } ?? "0"),
            Member.json("max_budget", budget.map { amount($0, $0.limit.amount) }),
            Member.text("budget_duration", budget.flatMap { duration($0.limit.window) }),
            Member.text("budget_reset_at", budget?.resetsAt.map { zone.stamp($0) }),
            Member.text("expires", token.expires.map { ZoneRules.utc.stamp($0) }),
            Member.number("tpm_limit", perMinute(.tokens)), Member.number("rpm_limit", perMinute(.requests)),
            Member.number("max_parallel_requests", token.concurrency),
            Member.json("user_id", nil), Member.json("team_id", nil), Member.json("blocked", "false"),
        ])
        return json(Member.object([Member.text("key", token.name), Member.json("info", info)]))
    }

    /// As LiteLLM says it.
    private static func duration(_ window: Limit.Window) -> String? {
        switch window {
        case .minute: "1m"
        case .hour: "1h"
        case .day: "1d"
        case .week: "7d"
        case .month: "1mo"
        case .rolling(let seconds): "\(seconds)s"
        case .ever: nil
        }
    }

    // MARK: JSON

    private static func json(_ text: String) -> LocalAnswer {
        LocalAnswer(
            status: 200, fields: [("Content-Type", "application/json"), ("Cache-Control", "no-store")],
            body: Array("\(text)\n".utf8))
    }

    /// Money as a number of dollars, with all of its digits.
    private static func amount(_ state: PotState, _ amount: Int64) -> String {
        state.limit.measure == .money ? Money(picodollars: amount).dollars : "\(amount)"
    }
}

extension AdminPage {
    static let usage = AdminPage(
        "/_menshen/usage", access: .signedIn,
        [
            Action(.get) { caller, _ in
                let (states, zone) = caller.ownPots
                caller.answer(page: LimitsPage.usage(states, zone))
            }
        ])

    /// Where LiteLLM has it.
    static let keyInfo = AdminPage(
        "/key/info", access: .signedIn,
        [
            Action(.get) { (caller, _) throws(Problem) in
                guard let token = caller.token else {
                    throw Problem(.notFound, status: 404, "This is about the caller's own token, and none was shown.")
                }
                let (states, zone) = caller.ownPots
                caller.answer(
                    page: LimitsPage.key(token, states.filter { $0.holder == Holder(.token, token.name) }, zone))
            }
        ])
}

extension Allowance {
    /// What there is of the limits that concern a caller: whoever sees all requests sees all of the configuration's.
    static func states(for exchange: Exchange) -> ([PotState], ZoneRules) {
        let limits = exchange.runtime.snapshot.limits
        let permit = exchange.connection.permitMemo.permit(for: exchange.access.principal, exchange.runtime.snapshot)
        var demands = limits.admission(exchange.access.principal.token, permit.demands)
        if exchange.access.grant?.showsAll == true { demands += limits.all.filter { $0.holder != .instance } }
        return (exchange.worker.context.pots.look(demands, exchange.runtime.snapshot), limits.zone)
    }
}
