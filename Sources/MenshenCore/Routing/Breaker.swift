// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Keeps requests away from a provider, or from one of its keys, after several failures in a row, then lets a single one try.
/// Times are monotonic microseconds.
package struct Breaker: Sendable, Equatable {
    package enum State: String, Sendable {
        case closed, open
        /// A request is finding out.
        case halfOpen = "half_open"
    }

    /// The first time it opens for so long; twice as long each time after that. A server that restarts is back in seconds.
    private static let firstPause: UInt64 = 1_000_000

    private var failures = 0
    /// 0: closed.
    private var pause: UInt64 = 0
    private var openUntil: UInt64 = 0
    private var isProbing = false

    package init() {}

    package var state: State { pause == 0 ? .closed : isProbing ? .halfOpen : .open }

    /// Microseconds until a request may try; 0: now.
    package func wait(_ now: UInt64) -> UInt64 {
        if pause == 0 { return 0 }
        return openUntil > now ? openUntil - now : 0
    }

    /// A request goes out; after a pause it is the one that finds out. It may take minutes to hear, so another one may
    /// find out in a while.
    package mutating func enter(_ now: UInt64) {
        guard pause > 0 else { return }
        isProbing = true
        openUntil = now + Self.firstPause
    }

    /// A whole answer came.
    package mutating func succeeded() { self = Breaker() }

    /// A good answer has begun: others may be asked again, but what failed before is forgotten only at an answer's end. A
    /// provider that breaks off every answer fails too.
    package mutating func answered() {
        pause = 0
        isProbing = false
    }

    /// `limit` failures in a row open it, for at most `longest` microseconds. 0 never does.
    package mutating func failed(_ now: UInt64, limit: Int, longest: UInt64) {
        guard limit > 0 else { return }
        failures += 1
        let wasProbe = isProbing
        isProbing = false
        // Requests that were out already when it opened say nothing new.
        guard failures >= limit, pause == 0 || wasProbe else { return }
        pause = pause == 0 ? min(Self.firstPause, longest) : min(pause * 2, longest)
        openUntil = now + pause
    }

    /// The request that was out ended without saying anything of the provider.
    package mutating func left() {
        if isProbing { openUntil = 0 }
        isProbing = false
    }
}
