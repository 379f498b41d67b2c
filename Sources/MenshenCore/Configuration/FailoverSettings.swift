// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension Configuration {
    /// `[failover]`: what happens when a provider fails before anything of its answer went down.
    package struct Failover: Sendable, Equatable {
        /// Another provider that fits is asked; off, only other keys of the same one are.
        package var enable = true
        /// For all attempts together. The SDKs give up after 600 s themselves.
        package var deadline: Duration = .seconds(600)
        /// How long the head of a stream is held while it may still turn out to be an error. Responses and Messages
        /// begin with events that promise nothing; longer than this, a caller would miss them.
        package var hold: Duration = .seconds(3)
        /// From the start of an attempt to a stream's first event with content; nil: only bytes count, by `[upstream]`.
        package var firstEventTimeout: Duration?
        /// A provider that says at once that something went wrong there is asked once more before a worse one is.
        package var quickRetry = true
        /// Larger request bodies are not kept for a second attempt. An agent's context has 400 KB.
        package var maxBodyBytes = 2 << 20
        /// A provider that says how long to wait (429, 5xx with Retry-After) gets no requests for so long.
        package var obeyRetryAfter = true
        /// Failures in a row after which a provider is left alone; 0: never. One bad request rarely fails so often.
        package var breakerFailures = 5
        /// Longest pause of a provider that goes on failing; it begins with 1 s and doubles.
        package var breakerPause: Duration = .seconds(30)
    }
}

extension Configuration.Failover: ConfigurationRoot {
    static let defaults = Self()

    static let settings: [ConfigurationSetting<Self>] = [
        .boolean(
            "failover.enable", \.enable,
            "Ask another provider that fits when one fails before its answer has begun."),
        .duration("failover.deadline", \.deadline, "Limit of all attempts together, until an answer begins."),
        .custom(
            "failover.hold", .duration(orOff: true), default: TOMLText.duration(defaults.hold),
            "How long the beginning of a stream is held, where others could answer, until it shows that it is no error."
        ) {
            if let hold = $1.duration("hold") { $0.hold = hold }
        } shown: {
            TOMLText.duration($0.hold > .zero ? $0.hold : nil)
        },
        .durationOrOff(
            "failover.first_event_timeout", \.firstEventTimeout,
            "Time within which a stream has to come to its first event with content; until then its beginning is held."),
        .boolean(
            "failover.quick_retry", \.quickRetry,
            "Ask a provider that answers 500 or 502 within a second once more before those of a larger `priority`."),
        .size(
            "failover.max_body_bytes", 0...1 << 30, \.maxBodyBytes,
            "Largest request body that is kept for a second attempt."),
        .boolean(
            "failover.obey_retry_after", \.obeyRetryAfter,
            "Send a provider nothing for as long as its `Retry-After` asks; callers are answered 429 meanwhile."),
        .integer(
            "failover.breaker_failures", 0...1000, \.breakerFailures,
            "Failures in a row after which a provider is left alone for a while; 0 never does."),
        .duration(
            "failover.breaker_pause", \.breakerPause,
            "Longest pause of a provider that goes on failing; the first is 1 s."),
    ]
}
