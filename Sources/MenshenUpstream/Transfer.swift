// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP
package import Reactor

/// Receives what a transfer brings. Only from `transferFinished` another transfer may be started or cancelled.
package protocol TransferReceiver: AnyObject {
    /// A 1xx head, in `transfer.head`.
    func transferReceivedInterim(_ transfer: Transfer)
    /// The final head, in `transfer.head`.
    func transferReceivedHead(_ transfer: Transfer)
    /// false pauses the transfer; the same bytes come again after `resume`.
    func transferReceivedBody(_ transfer: Transfer, _ bytes: UnsafeRawBufferPointer) -> Bool
    /// The kept connection had ended before the provider could read anything of the request, which goes out again.
    func transferRepeats(_ transfer: Transfer)
    /// There is room for more of a streamed request body.
    func transferWantsBody(_ transfer: Transfer)
    /// The last call. nil: the whole answer came.
    func transferFinished(_ transfer: Transfer, _ failure: UpstreamFailure?)
}

/// One request to one provider and its answer: `CurlTransfer`, or `PlainTransfer` where plain HTTP/1.1 leads straight to the
/// provider. Reused by its endpoint, which whoever started it keeps alive until the last call. Here is what both share:
/// the answer's head and the timers.
package class Transfer: TimerHandler {
    package enum Body {
        case none
        case whole([UInt8])
        /// Fed by `send` and `endBody`; nil length means chunked.
        case streamed(length: Int?)
    }

    /// Buffered part of a streamed request body above which the caller is to stop reading.
    package static let uploadHighWater = 128 << 10

    /// The request's, filled before `start`.
    package final let headers: any HeaderSink
    /// The answer's.
    package final internal(set) var head = ResponseHead()
    final unowned let engine: TransferEngine
    final let reactor: Reactor
    final unowned let endpoint: Endpoint
    /// From start to the last call; who receives holds the transfer too.
    final var receiver: (any TransferReceiver)?
    final var hasFinalHead = false
    private final var isHead = false
    /// The receiver takes no more for now.
    final var isPaused = false
    private final lazy var timer = Timer(self)
    private final lazy var totalTimer = Timer(self)

    init(_ engine: TransferEngine, _ endpoint: Endpoint, headers: any HeaderSink) {
        self.headers = headers
        self.engine = engine
        reactor = engine.reactor
        self.endpoint = endpoint
    }

    /// Whether another answer on this connection could be told from what may still come of this one. In HTTP/2 it always is.
    final var leavesConnection: Bool { head.isMultiplexed || head.keepsConnection(isHead: isHead) }

    // MARK: Of each kind

    /// Starts at the end of the turn. `target` ends with a zero byte.
    package func start(
        method: RequestHead.Method, target: [UInt8], body: Body, receiver: any TransferReceiver
    ) throws {
        self.receiver = receiver
        isHead = method == .head
        setTimer(endpoint.settings.longestWait)
        if let total = endpoint.settings.totalTimeout { reactor.timers.set(totalTimer, at: reactor.now + total) }
    }

    /// Queues a piece of a streamed body. false: enough is queued, `transferWantsBody` tells when to go on.
    package func send(_ bytes: UnsafeRawBufferPointer) -> Bool { true }
    package func endBody() {}
    /// Goes on after `transferReceivedBody` said no.
    package func resume() {}
    /// Ends the transfer without a further call to the receiver.
    package func cancel() {}
    /// A timer ends it.
    func timedOut(_ failure: UpstreamFailure) {}

    /// Makes the last call, and then `rest`. The receiver may let go of the endpoint with it, which lives on until that is
    /// done.
    final func tell(_ receiver: (any TransferReceiver)?, _ failure: UpstreamFailure?, then rest: () -> Void) {
        self.receiver = nil
        let endpoint = endpoint
        withExtendedLifetime(endpoint) {
            receiver?.transferFinished(self, failure)
            rest()
        }
    }

    // MARK: Timers

    final func setTimer(_ microseconds: UInt64) {
        if !isPaused { reactor.timers.set(timer, at: reactor.now + microseconds) }
    }

    /// The caller is slow, not the provider.
    final func pauseTimer() { reactor.timers.cancel(timer) }

    final func cancelTimers() {
        reactor.timers.cancel(timer)
        if endpoint.settings.totalTimeout != nil { reactor.timers.cancel(totalTimer) }
    }

    package final func timerFired(_ timer: Timer) {
        let isTotal = timer === totalTimer
        timedOut(UpstreamFailure(isTotal ? .totalTimeout : hasFinalHead ? .gapTimeout : .firstByteTimeout))
    }
}
