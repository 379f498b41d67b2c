// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The process: start, stop and configuration.
extension EventKind {
    static let life: [EventKind] = [
        .started, .stopping, .stopped, .reloaded, .reloadFailed, .configurationBroken,
    ]

    package static let started = EventKind(
        "46aa79b1942740f9a81022128651d0a8", priority: 6,
        ["MENSHEN_VERSION", "MENSHEN_CONFIG", "MENSHEN_LISTENERS", "MENSHEN_DATABASE"])

    package static let stopping = EventKind(
        "6b6db319aa65419aa4292b5e93e6196e", priority: 6, ["MENSHEN_IN_FLIGHT", "MENSHEN_DRAIN_SECONDS"])

    /// MENSHEN_REASON is "idle", "signal" or "replaced" (a newer binary is installed).
    package static let stopped = EventKind(
        "32e4276d35854cabbaf57d62ae5274da", priority: 6, ["MENSHEN_REASON"])

    package static let reloaded = EventKind(
        "cbf04b688edd4790a0ba50958e432057", priority: 6, ["MENSHEN_CONFIG"])

    package static let reloadFailed = EventKind(
        "20567f153a734173b106e173da584fd2", priority: 4, ["MENSHEN_CONFIG", "MENSHEN_FAULT"])

    /// Activated with a configuration that cannot be used: every request is answered 503 with the reason.
    package static let configurationBroken = EventKind(
        "399c50de60f348838bcb21202d854d12", priority: 3, ["MENSHEN_CONFIG", "MENSHEN_FAULT"])
}

extension Event {
    package static func started(version: String, configuration: String, listeners: [String], database: String) -> Event
    {
        Event(
            .started, "menshen \(version) serves on \(listeners.joined(separator: ", ")).", version, configuration,
            listeners.joined(separator: " "), database)
    }

    package static func stopping(inFlight: Int, seconds: UInt64) -> Event {
        Event(
            .stopping, "Stopping; \(inFlight) connections have \(seconds) s to finish.", "\(inFlight)", "\(seconds)")
    }

    package static func stopped(_ reason: String) -> Event { Event(.stopped, "Stopped (\(reason)).", reason) }

    package static func reloaded(_ path: String) -> Event { Event(.reloaded, "Reloaded \(path).", path) }

    package static func reloadFailed(_ fault: String, _ path: String = "") -> Event {
        Event(
            .reloadFailed, "The new configuration is not used; the old one stays in force. \(fault)", path, fault)
    }

    package static func configurationBroken(_ fault: String, _ path: String) -> Event {
        Event(
            .configurationBroken,
            "No usable configuration: every request is answered 503 until a reload finds one. \(fault)", path, fault)
    }
}
