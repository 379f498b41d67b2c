// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Keys and health of providers.
extension EventKind {
    static let providers: [EventKind] = [
        .keyUnavailable, .keyStale, .providerPaused,
    ]

    package static let keyUnavailable = EventKind(
        "8b00d1c133d549cfbc7b20911b124022", priority: 4, ["MENSHEN_PROVIDER", "MENSHEN_REASON"])

    /// A key's source has become unusable; the earlier key serves for a minute.
    package static let keyStale = EventKind(
        "5d2f0a6c8d3b4f0f9d1b2c7c0a5e6f31", priority: 4, ["MENSHEN_PROVIDER", "MENSHEN_REASON"])

    /// A provider goes on failing or has asked for it, and gets no requests for a while.
    package static let providerPaused = EventKind(
        "c28b2b392850421ca8a3305120fea2d1", priority: 4, ["MENSHEN_PROVIDER", "MENSHEN_REASON", "MENSHEN_SECONDS"])
}

extension Event {
    package static func keyUnavailable(_ provider: String, _ reason: String) -> Event {
        Event(.keyUnavailable, "Provider '\(provider)' has no key. \(reason)", provider, reason, isLimited: true)
    }

    /// `seconds`: how long an earlier key may serve.
    package static func keyStale(_ provider: String, _ reason: String, seconds: UInt64) -> Event {
        Event(
            .keyStale, "Provider '\(provider)' still gets its previous key, for \(seconds) s at most. \(reason)",
            provider, reason, isLimited: true)
    }

    package static func providerPaused(_ provider: String, _ reason: String, seconds: UInt64) -> Event {
        Event(
            .providerPaused, "Provider '\(provider)' gets no requests for \(seconds) s (\(reason)).", provider, reason,
            "\(seconds)", isLimited: true)
    }
}
