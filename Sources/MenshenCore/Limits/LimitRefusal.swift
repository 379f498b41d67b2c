// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension Problem {
    /// What a caller hears whose request is not admitted.
    package init(_ refusal: LimitRefusal, _ dialect: Dialect, _ zone: ZoneRules) {
        let who = "\(refusal.holder)"
        let wait = refusal.wait.map { UInt64(max(1, $0)) }
        switch refusal.reason {
        case .pot(let limit, let spent, let reserved, let wanted):
            let measure = limit.measure
            let alone = wanted > limit.amount
            let advice =
                alone
                ? " This request alone may use more than that; ask for fewer output tokens (max_tokens), or a higher limit."
                : ""
            self.init(
                measure == .money ? .budgetReached : .limitReached,
                status: measure == .money ? dialect.api.budgetStatus : 429,
                "The limit of \(limit.words) for \(who) does not allow this request: \(measure.text(spent)) spent, "
                    + "\(measure.text(reserved)) reserved by requests under way, and this one may use \(measure.text(wanted)). "
                    + Self.end(refusal.resetsAt, limit, zone) + advice, retryAfter: alone ? nil : wait)
        case .passed(let limit):
            self.init(
                limit.measure == .money ? .budgetReached : .limitReached,
                status: limit.measure == .money ? dialect.api.budgetStatus : 429,
                "This answer was cut: it has passed the limit of \(limit.words) for \(who), which cuts. "
                    + Self.end(refusal.resetsAt, limit, zone))
        case .concurrency(let most):
            self.init(
                .concurrencyLimited, status: 429,
                "\(Self.capitalised(who)) has \(most) requests under way, as many as its limit of concurrency allows.",
                isRetryable: true, retryAfter: wait)
        case .errors(let count):
            self.init(
                .tooManyErrors, status: 429,
                "The last \(count) requests of \(who) were errors to the provider, as many as max_errors allows. "
                    + "It may ask again in \(wait ?? 1) s. Look at what its requests say before that.", retryAfter: wait
            )
        }
    }

    private static func end(_ time: Int64?, _ limit: Limit, _ zone: ZoneRules) -> String {
        guard let time else { return "It does not start anew by itself." }
        if case .rolling = limit.window { return "There is room for it at \(zone.text(time))." }
        return "It starts anew at \(zone.text(time))."
    }

    private static func capitalised(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }

    /// What was spent is read from the records, and they could not be read so far.
    package static let spendingUnknown = Problem(
        .limitReached, status: 503,
        "What was spent before menshen started is not known yet: it is read from the records. Try again in a moment; 'menshen status' says whether the database is in use.",
        isRetryable: true)

    package static func unpriced(_ model: String?, _ provider: String, _ holder: Holder) -> Problem {
        let name = model.map { "the model '\($0)'" } ?? "a request without a model"
        return Problem(
            .unpricedModel, status: 403,
            "\(Self.capitalised("\(holder)")) has a limit in money, and \(name) has no price at provider '\(provider)'. "
                + "Set one with 'menshen prices set', or see limits.unpriced.")
    }
}
