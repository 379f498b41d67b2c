// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Listeners, and who comes to them.
extension EventKind {
    static let listening: [EventKind] = [
        .listenFailed, .authenticationDisabled, .peerRefused,
    ]

    package static let listenFailed = EventKind(
        "e655b335cd1d4d8f90311a7b2088f6d9", priority: 3, ["MENSHEN_LISTENER", "MENSHEN_REASON"])

    package static let authenticationDisabled = EventKind(
        "60c683adce8e4ef1b0c9c10c003b4372", priority: 4, ["MENSHEN_LISTENER"])

    /// Another uid connected to the Unix socket and was cut off before any HTTP was read.
    package static let peerRefused = EventKind(
        "ab8b55a029be4496aa9c6c22212f9bab", priority: 4,
        ["MENSHEN_CALLER_UID", "MENSHEN_CALLER_PID", "MENSHEN_LISTENER"])
}

extension Event {
    package static func listenFailed(_ listener: String, _ reason: String) -> Event {
        Event(.listenFailed, "Not listening on \(listener): \(reason)", listener, reason)
    }

    package static func tcpRefused(_ reason: String) -> Event {
        Event(
            .listenFailed, "EVERY REQUEST OVER TCP IS REFUSED: \(reason). The Unix socket serves.", "tcp", reason)
    }

    package static func acceptFailed(_ listener: String, _ reason: String) -> Event {
        Event(
            .listenFailed, "A connection on \(listener) could not be accepted: \(reason).", listener, reason,
            isLimited: true)
    }

    package static func tooManyConnections(_ limit: Int, isOfDescriptors: Bool) -> Event {
        let reason =
            isOfDescriptors
            ? "\(limit) are open, which is all that the limit of open files allows; raise LimitNOFILE= (ulimit -n)."
            : "\(limit) are open (server.max_connections), or seven eighths of that on TCP."
        return Event(
            .listenFailed, "A connection was refused: \(reason)", "all",
            isOfDescriptors ? "open_files" : "max_connections", isLimited: true)
    }

    package static func authenticationDisabled(_ listener: String) -> Event {
        Event(
            .authenticationDisabled,
            "AUTHENTICATION IS OFF on \(listener): every local user and program can spend the key. Set [auth] enable = true.",
            listener)
    }

    package static func peerRefused(uid: UInt32, pid: Int32, _ listener: String) -> Event {
        Event(
            .peerRefused,
            "Refused uid \(uid) (pid \(pid)) on \(listener): this instance serves its own user only.", "\(uid)",
            "\(pid)", listener, isLimited: true)
    }
}
