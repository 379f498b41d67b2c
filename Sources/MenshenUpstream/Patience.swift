// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Reactor

/// How long a transfer waits: for what the provider says next, whose limit depends on how far the answer is, and for the
/// whole. The timers stay in the queue from one request to the next.
struct Patience {
    /// Microseconds.
    struct Limits {
        /// Until a connection has to be there.
        let connect: UInt64
        let firstByte: UInt64
        let gap: UInt64
        let total: UInt64?

        /// Until an answer has to begin, counted from the start: a connection may have to be made first.
        var start: UInt64 { connect + firstByte }
    }

    let limits: Limits
    private let reactor: Reactor
    private let silence = Timer()
    private let total = Timer()
    /// nil where connections are another's to make, and to measure.
    private let reach: Timer?

    /// `connects`: the transfer makes its connection itself.
    init(_ reactor: Reactor, _ limits: Limits, connects: Bool = false) {
        self.reactor = reactor
        self.limits = limits
        reach = connects ? Timer() : nil
    }

    /// Who hears when it is at its end; once, before it is used.
    func belongs(to handler: any TimerHandler) {
        silence.handler = handler
        total.handler = handler
        reach?.handler = handler
    }

    func begin() {
        wait(limits.start)
        if let limit = limits.total { reactor.timers.set(total, at: reactor.now + limit) }
        if let reach { reactor.timers.set(reach, at: reactor.now + limits.connect) }
    }

    func wait(_ microseconds: UInt64) { reactor.timers.set(silence, at: reactor.now + microseconds) }

    /// The caller is slow, not the provider.
    func pause() { reactor.timers.suspend(silence) }

    func end() {
        reactor.timers.suspend(silence)
        reactor.timers.suspend(total)
        if let reach { reactor.timers.suspend(reach) }
    }

    /// Its owner goes.
    func leave() {
        reactor.timers.cancel(silence)
        reactor.timers.cancel(total)
        if let reach { reactor.timers.cancel(reach) }
    }

    /// What it means that `timer` has run out.
    func failure(_ timer: Timer, hasHead: Bool) -> UpstreamFailure {
        if timer === reach { return UpstreamFailure(.connectTimeout) }
        return UpstreamFailure(timer === total ? .totalTimeout : hasHead ? .gapTimeout : .firstByteTimeout)
    }
}
