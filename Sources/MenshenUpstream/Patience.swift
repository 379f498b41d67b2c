// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Reactor

/// How long a transfer waits: for what the provider says next, whose limit depends on how far the answer is, and for the
/// whole. Both timers stay in the queue from one request to the next.
struct Patience {
    /// Microseconds.
    struct Limits {
        /// Until an answer has to begin, counted from the start: a connection may have to be made first.
        let start: UInt64
        let firstByte: UInt64
        let gap: UInt64
        let total: UInt64?
    }

    let limits: Limits
    private let reactor: Reactor
    private let silence = Timer()
    private let total = Timer()

    init(_ reactor: Reactor, _ limits: Limits) {
        self.reactor = reactor
        self.limits = limits
    }

    /// Who hears when it is at its end; once, before it is used.
    func belongs(to handler: any TimerHandler) {
        silence.handler = handler
        total.handler = handler
    }

    func begin() {
        wait(limits.start)
        if let limit = limits.total { reactor.timers.set(total, at: reactor.now + limit) }
    }

    func wait(_ microseconds: UInt64) { reactor.timers.set(silence, at: reactor.now + microseconds) }

    /// The caller is slow, not the provider.
    func pause() { reactor.timers.suspend(silence) }

    func end() {
        reactor.timers.suspend(silence)
        reactor.timers.suspend(total)
    }

    /// Its owner goes.
    func leave() {
        reactor.timers.cancel(silence)
        reactor.timers.cancel(total)
    }

    /// What it means that `timer` has run out.
    func failure(_ timer: Timer, hasHead: Bool) -> UpstreamFailure {
        UpstreamFailure(timer === total ? .totalTimeout : hasHead ? .gapTimeout : .firstByteTimeout)
    }
}
