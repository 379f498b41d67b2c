// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Limits and budgets.
extension EventKind {
    static let limits: [EventKind] = [.limitPassed, .notifyFailed]

    /// A part of a limit is used up that `limits.notify` names.
    package static let limitPassed = EventKind(
        "6e0c2c2f3b7a4f4d9a55b9b0a6e1d7c4", priority: 5,
        ["MENSHEN_HOLDER", "MENSHEN_LIMIT", "MENSHEN_PERCENT", "MENSHEN_SPENT", "MENSHEN_RESETS_AT"])

    package static let notifyFailed = EventKind(
        "0b5d1f6a94c84b1e8f0c7d2a3e9b6f15", priority: 4, ["MENSHEN_REASON"])
}

extension Event {
    /// `resetsAt`: when the limit starts anew.
    package static func limitPassed(_ notice: LimitNotice, resetsAt: String) -> Event {
        let spent = notice.key.measure.text(notice.spent)
        return Event(
            .limitPassed,
            "\(notice.percent) % of the limit of \(notice.limit.words) for \(notice.key.holder) are used up: \(spent).",
            "\(notice.key.holder)", "\(notice.limit)", "\(notice.percent)", spent, resetsAt)
    }

    package static func notifyFailed(_ reason: String) -> Event {
        Event(
            .notifyFailed, "limits.notify_command did not do its work. \(reason)", reason, isLimited: true)
    }
}
