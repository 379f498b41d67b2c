// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension Configuration {
    /// `[upstream]`: timers and connection reuse of all providers.
    package struct Upstream: Sendable, Equatable {
        /// TCP and TLS set-up. Two SYN retransmissions take 3 s; a distant TLS handshake takes about one.
        package var connectTimeout: Duration = .seconds(10)
        /// From the request's last byte to the answer's first. The SDKs give up after 600 s themselves.
        package var firstByteTimeout: Duration = .seconds(600)
        /// Between two bytes of an answer. Thinking models fall silent for minutes; providers ping every 15 to 60 s.
        package var gapTimeout: Duration = .seconds(300)
        /// The whole exchange; nil because a total limit cuts long streams.
        package var totalTimeout: Duration?
        /// Idle upstream connections kept for reuse.
        package var maxIdleConnections = 256
    }
}

extension Configuration.Upstream: ConfigurationRoot {
    static let defaults = Self()

    static let settings: [ConfigurationSetting<Self>] = [
        .duration("upstream.connect_timeout", \.connectTimeout, "Time to reach a provider, TLS included."),
        .duration(
            "upstream.first_byte_timeout", \.firstByteTimeout,
            "Time from a request's last byte to its answer's first."),
        .duration("upstream.gap_timeout", \.gapTimeout, "Longest silence within an answer."),
        .durationOrOff(
            "upstream.total_timeout", \.totalTimeout,
            "Limit of a whole exchange; it also cuts streams that are doing well."),
        .integer(
            "upstream.max_idle_connections", idleConnections, \.maxIdleConnections,
            "Idle connections kept for reuse: to each provider, and (at least one) to all behind a proxy for plain HTTP together."
        ),
        .alias(
            "upstream.timeout", .duration(orOff: true),
            "ai-menshen's total limit; sets `first_byte_timeout`, because a total limit cuts streams.",
            read: readTimeout),
        .alias(
            "upstream.max_idle_conns_per_host", .integer(idleConnections),
            "ai-menshen's name of `max_idle_connections`."
        ) {
            if let limit = $1.integer("max_idle_conns_per_host") { $0.maxIdleConnections = limit }
        },
        .alias(
            "http_client.timeout", .duration(orOff: true),
            "ai-menshen's older name of `upstream.timeout`; sets `upstream.first_byte_timeout`.",
            read: readTimeout),
    ]

    private static let idleConnections = 0...65_536

    /// 0 is Go's way to say "no limit"; an answer that never begins has to end some time.
    @Sendable private static func readTimeout(_ upstream: inout Self, _ section: ConfigurationSection) {
        if let timeout = section.duration("timeout"), timeout > .zero { upstream.firstByteTimeout = timeout }
    }

    @Sendable static func warnOfOlderNames(_: inout Configuration, _ top: ConfigurationSection) {
        let section = top.section("upstream")
        let hasFirstByte = section.has("first_byte_timeout")
        warn(
            of: "timeout", in: top.section("http_client"), newer: "upstream.first_byte_timeout",
            isGiven: hasFirstByte || section.has("timeout"))
        warn(of: "timeout", in: section, newer: "first_byte_timeout", isGiven: hasFirstByte)
        warn(
            of: "max_idle_conns_per_host", in: section, newer: "max_idle_connections",
            isGiven: section.has("max_idle_connections"))
    }

    private static func warn(of name: String, in section: ConfigurationSection, newer: String, isGiven: Bool) {
        guard isGiven, let span = section.keySpan(name) else { return }
        section.reading.warning(
            at: span, "\(section.path).\(name) is ignored: a newer name of it is given too",
            hint: "remove it; \(newer) applies")
    }
}
