// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What is sent to a receiver of telemetry.
extension EventKind {
    static let telemetry: [EventKind] = [.telemetryLost, .telemetryDropped]

    package static let telemetryLost = EventKind(
        "b3f0a7d54c1e4b6f9a7de2c9105f8e36", priority: 4, ["MENSHEN_COUNT", "MENSHEN_REASON"])

    /// Requests that found the queue full.
    package static let telemetryDropped = EventKind(
        "5a1d6c0be3474a0f8d29f6b7c1e4a983", priority: 4, ["MENSHEN_COUNT"])
}

extension Event {
    package static func telemetryLost(_ count: Int64, _ reason: String) -> Event {
        Event(
            .telemetryLost,
            "\(count) spans and log records did not reach their receiver: \(reason). Records and journal have everything.",
            "\(count)", reason)
    }

    package static func telemetryDropped(_ count: Int64) -> Event {
        Event(
            .telemetryDropped,
            "\(count) requests were not sent to the receiver of telemetry, because it takes them too slowly. Records and "
                + "journal have everything.",
            "\(count)")
    }
}
