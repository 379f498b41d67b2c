// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import Reactor

/// Tells when nobody has been connected for as long as `server.idle_exit` says: callers that connect from then on wait in
/// systemd's socket and start the next process. Belongs to the main thread.
final class Idleness: TimerHandler {
    /// How often it looks whether connections are still there, if the limit is not shorter. Microseconds.
    private static let look: UInt64 = 15_000_000

    let activity: Activity
    private let reactor: Reactor
    private let timer = Timer()
    /// Microseconds; nil: none.
    private var limit: UInt64?
    /// Called once for each limit that is set.
    var isTooLong: () -> Void = {}

    init(of activity: Activity, _ reactor: Reactor) {
        self.activity = activity
        self.reactor = reactor
        timer.handler = self
    }

    deinit { reactor.timers.cancel(timer) }

    /// nil: it may last for ever.
    func limit(to limit: Duration?) {
        self.limit = limit?.microseconds
        if limit == nil { reactor.timers.cancel(timer) } else { reactor.timers.set(timer, at: reactor.now) }
    }

    func timerFired(_ timer: Timer) {
        guard let limit else { return }
        guard let since = activity.idleSince else {
            return reactor.timers.set(timer, at: reactor.now + min(limit, Self.look))
        }
        if reactor.now < since + limit { return reactor.timers.set(timer, at: since + limit) }
        self.limit = nil
        isTooLong()
    }
}
