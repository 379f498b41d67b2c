// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenUpstream

/// Looks after a caller whom others may have to wait for, from when it first does not take its answer or has a body to send.
/// Only an exchange that streams a body, or whose caller is slow, has one.
final class CallerWatch {
    private unowned let exchange: Exchange
    private var stall = StallWatch()

    init(_ exchange: Exchange) { self.exchange = exchange }

    /// `queueTimeout`: of the provider, in microseconds.
    func begin(queueTimeout: UInt64) {
        let now = exchange.worker.now
        stall.begin(queueTimeout: queueTimeout, at: now)
        exchange.enter(exchange.phase, until: now + stall.look)
    }

    /// The caller has taken something, or sent.
    func callerMoved() { stall.moved(at: exchange.worker.now) }

    /// The time for a look has come.
    func look(_ attempt: Attempt) {
        let exchange = exchange
        let now = exchange.worker.now
        let isUploading = !exchange.intake.isComplete
        guard let transfer = attempt.transfer else { return }
        if !isUploading, exchange.connection.pendingOutput < exchange.connection.highWater {
            // It moves, or others have left and made room.
            return transfer.resume()
        }
        // It is the provider who does not take the body.
        if isUploading, exchange.connection.isReadingPaused { stall.moved(at: now) }
        if stall.isSlow(at: now), let key = exchange.recall.key {
            exchange.worker.handOverFlight(of: exchange, key)
        }
        if stall.isStalled(at: now), exchange.walk.keepsOthersWaiting { return giveWay(isUploading) }
        exchange.enter(exchange.phase, until: now + stall.look)
    }

    private func giveWay(_ isUploading: Bool) {
        let exchange = exchange
        if isUploading {
            return exchange.fail(.stalledUpload(exchange.providerName, milliseconds: stall.limit / 1000))
        }
        // It does not read, so nothing that is said reaches it; a reset frees what waits for it.
        exchange.ledger.note(Problem.Code.requestTimeout.rawValue)
        SocketIO.resetOnClose(exchange.connection.fd)
        exchange.connection.callerLeft()
    }
}
