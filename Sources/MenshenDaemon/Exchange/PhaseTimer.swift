// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Reactor

/// The one timer of a request. What it ends, or looks after, the request's phase says.
struct PhaseTimer {
    /// nil until it is first needed: most requests need none.
    private var timer: Timer?
    private(set) var isSet = false

    /// `time`: monotonic microseconds; nil stops it.
    mutating func set(at time: UInt64?, for exchange: Exchange) {
        if let time {
            let timer = timer ?? Timer(exchange)
            self.timer = timer
            exchange.worker.reactor.timers.set(timer, at: time)
            isSet = true
        } else if isSet, let timer {
            exchange.worker.reactor.timers.cancel(timer)
            isSet = false
        }
    }

    /// It has run out.
    mutating func ran() { isSet = false }
}
