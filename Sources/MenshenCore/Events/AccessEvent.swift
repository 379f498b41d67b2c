// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What is to be said of the tokens that are given out, and of administration.
package enum AccessEvent: Sendable, Equatable {
    case unavailable(path: String, fault: StoreFault)
    case recovered(path: String, tokens: Int)
    /// Its file was deleted or replaced.
    case taken(path: String)
    case acted(AdministrativeAct)

    package var event: Event {
        switch self {
        case .unavailable(let path, let fault):
            Event(
                .accessUnavailable,
                "The tokens in \(path) can't be used: \(fault.reason). Those who show one are refused; everything else goes on. "
                    + fault.advice,
                path, fault.reason)
        case .recovered(let path, let tokens):
            Event(
                .accessRead, "The tokens in \(path) can be used: \(tokens) token\(tokens == 1 ? "" : "s").", path,
                "\(tokens)")
        case .taken(let path):
            Event(
                .accessTaken,
                "\(path) was deleted or replaced while menshen ran. What counts now is what stands there now.", path)
        case .acted(let act):
            Event(
                .administered,
                "\(act.act) '\(act.target)' by uid \(act.who.uid)"
                    + (act.who.pid.map { " (process \($0))" } ?? "") + ": \(act.outcome)",
                act.act, act.target, "\(act.who.uid)", act.who.pid.map { "\($0)" } ?? "", act.outcome)
        }
    }
}

extension EventKind {
    static let access: [EventKind] = [.accessUnavailable, .accessRead, .accessTaken, .administered]

    package static let accessUnavailable = EventKind(
        "08d0d09e49fc4963bb49cd826f006811", priority: 3, ["MENSHEN_ACCESS", "MENSHEN_REASON"])

    package static let accessRead = EventKind(
        "4e8ee826c6e04c1c9693a0c61202580b", priority: 6, ["MENSHEN_ACCESS", "MENSHEN_COUNT"])

    package static let accessTaken = EventKind(
        "379eacb781ad4987ac700a0202439242", priority: 4, ["MENSHEN_ACCESS"])

    /// Somebody gave out, changed or took away what others may do.
    package static let administered = EventKind(
        "3b3f2ed6c673415fbe1d2d3323e9af88", priority: 5,
        ["MENSHEN_ACT", "MENSHEN_TARGET", "MENSHEN_CALLER_UID", "MENSHEN_CALLER_PID", "MENSHEN_OUTCOME"])
}
