// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore

/// Tells a browser, as server-sent events, that there is something else to see, and not what: the page asks for itself again,
/// so that there is one way to draw it. What it looks at is counted anyway; no store and no other worker is asked. Belongs to
/// its exchange, in whose phase it lives, and to the worker's thread.
final class ChangeStream {
    /// Of all workers together. A browser has one for each page that is seen.
    static let limit = 32
    /// Microseconds between looks, and so between two events.
    static let gap: UInt64 = 2_000_000
    /// After so much silence a comment shows whoever is in between that it is still there.
    static let longestSilence: UInt64 = 15_000_000

    private struct Sight: Equatable {
        var open: Int
        var ended: Int64

        init(_ metrics: Metrics) {
            open = metrics.openRequests
            ended = metrics.totals.requests
        }
    }

    private unowned let exchange: Exchange
    private let activity: Activity
    private var seen: Sight
    private var saidAt: UInt64

    /// False: there are as many as there may be.
    static func begin(_ exchange: Exchange) -> Bool {
        let context = exchange.worker.context
        guard context.activity.beginsToFollow(limit: limit) else { return false }
        let stream = ChangeStream(exchange, context)
        exchange.prepareAnswer()
        let fields = [
            ("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
            // For nginx between a browser and menshen.
            ("X-Accel-Buffering", "no"),
        ]
        exchange.writer.begin(
            LocalAnswer(status: 200, fields: fields), exchange.additions(), date: exchange.worker.dateLine,
            at: Clock.monotonic(), to: &exchange.connection.output)
        exchange.enter(.following(stream))
        stream.say("retry: 3000\n\n")
        stream.lookLater()
        return true
    }

    private init(_ exchange: Exchange, _ context: WorkerContext) {
        self.exchange = exchange
        activity = context.activity
        seen = Sight(context.metrics)
        saidAt = exchange.worker.now
    }

    deinit { activity.endsFollowing() }

    /// The time for it has come.
    func look() {
        let worker = exchange.worker
        // By another configuration its reader may be nobody any more: it comes again, and is asked who it is.
        guard exchange.runtime === worker.runtime else { return end() }
        // What has come for a reader that takes nothing is still to be said.
        guard exchange.connection.pendingOutput == 0 else { return lookLater() }
        let sight = Sight(worker.context.metrics)
        // Something that is under way grows older at least.
        if sight != seen || sight.open > 0 {
            seen = sight
            say("event: changed\ndata: \(sight.open)\n\n")
        } else if worker.now - saidAt >= Self.longestSilence {
            say(":\n\n")
        }
        lookLater()
    }

    /// menshen stops. Whoever asked again at once would start it again.
    func sayGoodbye() {
        say("event: stopped\ndata: 0\n\n")
        end()
    }

    private func lookLater() { exchange.enter(exchange.phase, until: exchange.worker.now + Self.gap) }

    private func say(_ text: String) {
        saidAt = exchange.worker.now
        var text = text
        text.withUTF8 { _ = exchange.write(UnsafeRawBufferPointer($0)) }
    }

    private func end() {
        exchange.writer.end(nil, to: &exchange.connection.output)
        exchange.end(.complete, .keepAlive(exchange.writer.keepAlive))
    }
}
