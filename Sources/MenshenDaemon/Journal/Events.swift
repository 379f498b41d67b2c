// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import MenshenCore
package import MenshenStore
internal import Synchronization
package import Systemd

/// Every line menshen logs about its own life: one function an event, with a constant sentence. Any thread.
package final class Events: Sendable {
    /// Of events that a stranger can cause at will, so many are logged in a minute; the rest is counted.
    private static let perMinute = 10

    private struct Window {
        var start: UInt64 = 0
        var seen = 0
    }

    private let log: EventLog
    private let windows = Mutex<[EventKind: Window]>([:])

    package init(_ log: EventLog) { self.log = log }

    package func started(version: String, configuration: String, listeners: [String], database: String) {
        write(
            .started, "menshen \(version) serves on \(listeners.joined(separator: ", ")).",
            [
                ("MENSHEN_VERSION", version), ("MENSHEN_CONFIG", configuration),
                ("MENSHEN_LISTENERS", listeners.joined(separator: " ")), ("MENSHEN_DATABASE", database),
            ])
    }

    /// A line for a person at the terminal; nothing happens in it.
    package func say(_ text: String) { log.write(LogEvent(priority: 6, message: text)) }

    /// `text` is only made where somebody asked for debug lines.
    package func debug(_ text: @autoclosure () -> String) {
        if log.isVerbose { log.write(LogEvent(priority: 7, message: text())) }
    }

    package func remark(_ text: String) { log.write(LogEvent(priority: 4, message: text)) }

    package func diagnostic(_ diagnostic: Diagnostic) {
        let line = diagnostic.description.split(separator: "\n").map { $0.drop { $0 == " " } }.joined(separator: "; ")
        log.write(LogEvent(priority: diagnostic.severity == .error ? 3 : 4, message: line))
    }

    package func stopping(inFlight: Int, seconds: UInt64) {
        write(
            .stopping, "Stopping; \(inFlight) connections have \(seconds) s to finish.",
            [("MENSHEN_IN_FLIGHT", "\(inFlight)"), ("MENSHEN_DRAIN_SECONDS", "\(seconds)")])
    }

    package func stopped(_ reason: String) { write(.stopped, "Stopped (\(reason)).", [("MENSHEN_REASON", reason)]) }

    package func reloaded(_ path: String) { write(.reloaded, "Reloaded \(path).", [("MENSHEN_CONFIG", path)]) }

    package func reloadFailed(_ fault: String, _ path: String = "") {
        write(
            .reloadFailed, "The new configuration is not used; the old one stays in force. \(fault)",
            [("MENSHEN_CONFIG", path), ("MENSHEN_FAULT", fault)])
    }

    package func configurationBroken(_ fault: String, _ path: String) {
        write(
            .configurationBroken,
            "No usable configuration: every request is answered 503 until a reload finds one. \(fault)",
            [("MENSHEN_CONFIG", path), ("MENSHEN_FAULT", fault)])
    }

    package func authenticationDisabled(_ listener: String) {
        write(
            .authenticationDisabled,
            "AUTHENTICATION IS OFF on \(listener): every local user and program can spend the key. Set [auth] enable = true.",
            [("MENSHEN_LISTENER", listener)])
    }

    func peerRefused(_ peer: PeerIdentity, _ listener: String) {
        guard isAllowed(.peerRefused) else { return }
        write(
            .peerRefused,
            "Refused uid \(peer.uid) (pid \(peer.pid)) on \(listener): this instance serves its own user only.",
            [
                ("MENSHEN_CALLER_UID", "\(peer.uid)"), ("MENSHEN_CALLER_PID", "\(peer.pid)"),
                ("MENSHEN_LISTENER", listener),
            ])
    }

    func keyUnavailable(_ provider: String, _ reason: String) {
        guard isAllowed(.keyUnavailable) else { return }
        write(
            .keyUnavailable, "Provider '\(provider)' has no key. \(reason)",
            [("MENSHEN_PROVIDER", provider), ("MENSHEN_REASON", reason)])
    }

    func keyStale(_ provider: String, _ reason: String) {
        guard isAllowed(.keyStale) else { return }
        write(
            .keyStale,
            "Provider '\(provider)' still gets its previous key, for \(KeyRing.grace / 1_000_000) s at most. \(reason)",
            [("MENSHEN_PROVIDER", provider), ("MENSHEN_REASON", reason)])
    }

    func providerPaused(_ provider: String, _ reason: String, seconds: UInt64) {
        guard isAllowed(.providerPaused) else { return }
        write(
            .providerPaused, "Provider '\(provider)' gets no requests for \(seconds) s (\(reason)).",
            [("MENSHEN_PROVIDER", provider), ("MENSHEN_REASON", reason), ("MENSHEN_SECONDS", "\(seconds)")])
    }

    func acceptFailed(_ listener: String, _ error: SystemError) {
        guard isAllowed(.listenFailed) else { return }
        write(
            .listenFailed, "A connection on \(listener) could not be accepted: \(error).",
            [("MENSHEN_LISTENER", listener), ("MENSHEN_REASON", error.description)])
    }

    func listenFailed(_ listener: String, _ reason: String) {
        write(
            .listenFailed, "Not listening on \(listener): \(reason)",
            [("MENSHEN_LISTENER", listener), ("MENSHEN_REASON", reason)])
    }

    func tcpRefused(_ reason: String) {
        write(
            .listenFailed, "EVERY REQUEST OVER TCP IS REFUSED: \(reason). The Unix socket serves.",
            [("MENSHEN_LISTENER", "tcp"), ("MENSHEN_REASON", reason)])
    }

    func tooManyConnections(_ limit: Int, isOfDescriptors: Bool) {
        guard isAllowed(.listenFailed) else { return }
        let reason =
            isOfDescriptors
            ? "\(limit) are open, which is all that the limit of open files allows; raise LimitNOFILE= (ulimit -n)."
            : "\(limit) are open (server.max_connections), or seven eighths of that on TCP."
        write(
            .listenFailed, "A connection was refused: \(reason)",
            [("MENSHEN_LISTENER", "all"), ("MENSHEN_REASON", isOfDescriptors ? "open_files" : "max_connections")])
    }

    package func store(_ event: StoreEvent) { log.write(event.logEvent) }

    package func cache(_ event: CacheEvent) { log.write(event.logEvent) }

    private func isAllowed(_ kind: EventKind) -> Bool {
        let now = Clock.monotonic()
        return windows.withLock { windows in
            var window = windows[kind] ?? Window()
            if now - window.start > 60_000_000 { window = Window(start: now) }
            window.seen += 1
            windows[kind] = window
            return window.seen <= Self.perMinute
        }
    }

    private func write(_ kind: EventKind, _ message: String, _ fields: [(String, String)]) {
        log.write(LogEvent(priority: kind.priority, messageID: kind.messageID, message: message, fields: fields))
    }
}
