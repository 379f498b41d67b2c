// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// Receives what a transfer brings. Only from `transferFinished` another transfer may be started or cancelled.
package protocol TransferReceiver: AnyObject {
    /// A 1xx head, in `transfer.head`.
    func transferReceivedInterim(_ transfer: any Transfer)
    /// The final head, in `transfer.head`.
    func transferReceivedHead(_ transfer: any Transfer)
    /// How much of the answer may come now, in bytes; 0 pauses the transfer until `resume`. Asked while `TransferEngine.asksForRoom`.
    func transferRoom(_ transfer: any Transfer) -> Int
    /// false pauses the transfer; the same bytes come again after `resume`.
    func transferReceivedBody(_ transfer: any Transfer, _ bytes: UnsafeRawBufferPointer) -> Bool
    /// The provider has read nothing of the request, or need not mind reading it twice: it goes out again. `reason`: what came
    /// of it until now.
    func transferRepeats(_ transfer: any Transfer, _ reason: UpstreamFailure.Reason)
    /// There is room for more of a streamed request body.
    func transferWantsBody(_ transfer: any Transfer)
    /// The last call. nil: the whole answer came.
    func transferFinished(_ transfer: any Transfer, _ failure: UpstreamFailure?)
}

/// How the body of a request to a provider comes.
package enum TransferBody {
    case none
    case whole([UInt8])
    /// Fed by `send` and `endBody`; nil length means chunked.
    case streamed(length: Int?)
}

/// One request to one provider and its answer: an `HTTP2Transfer` where HTTP/2 may be spoken, a `CurlTransfer` for plain HTTP
/// through a proxy (and for everything with `MENSHEN_HTTP=libcurl`), else an `HTTP1Transfer`. Reused by its endpoint, which the
/// one who started it keeps alive until the last call.
package protocol Transfer: AnyObject {
    /// The request's, filled before `start`.
    var headers: any HeaderSink { get }
    /// The answer's.
    var head: ResponseHead { get }

    /// Starts at the end of the turn. `target` ends with a zero byte.
    func start(
        method: RequestHead.Method, target: [UInt8], body: TransferBody, receiver: any TransferReceiver
    ) throws
    /// Queues a piece of a streamed body. false: enough is queued, `transferWantsBody` tells when to go on.
    func send(_ bytes: UnsafeRawBufferPointer) -> Bool
    func endBody()
    /// Goes on after `transferReceivedBody` said no, or there was no room.
    func resume()
    /// Ends the transfer without a further call to the receiver.
    func cancel()
}

/// What an endpoint keeps for the next request, of each kind.
protocol PooledTransfer: Transfer {
    var endpoint: Endpoint { get }
    /// From start to the last call; the receiver holds the transfer too.
    var receiver: (any TransferReceiver)? { get set }
}

extension PooledTransfer {
    /// Buffered part of a streamed request body above which the caller is to stop reading.
    static var uploadHighWater: Int { 128 << 10 }

    /// Makes the last call, and then `rest`. The receiver may let go of the endpoint with it, which lives on until that is
    /// done.
    func tell(_ receiver: (any TransferReceiver)?, _ failure: UpstreamFailure?, then rest: (Endpoint) -> Void) {
        self.receiver = nil
        let endpoint = endpoint
        receiver?.transferFinished(self, failure)
        rest(endpoint)
    }
}
