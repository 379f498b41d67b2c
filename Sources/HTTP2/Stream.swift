// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CNghttp2

/// Hears of one stream from within `Session.receive` and `Session.drain`, where it may call everything but those two.
package protocol StreamDelegate: AnyObject {
    /// A field of a head, ":status" first, or of the trailers. false: it is of no use, and the stream is reset.
    func streamReceived(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool
    /// A head, or the trailers, are complete. false: as above.
    func streamReceivedFields() -> Bool
    /// A piece of the answer's body, counted against the stream's window until it is consumed.
    func streamReceived(_ bytes: UnsafeRawBufferPointer)
    /// The last call, in one of two ways: the answer is whole, or it never will be.
    func streamEnded()
    func streamBroke(_ end: Stream.End)
    /// What goes out of the request's body now, at most `limit` bytes.
    func streamBody(atMost limit: Int) -> Stream.Body
    /// Moves bytes that were offered.
    func streamBody(move count: Int, to output: any SessionOutput)
}

/// One request and its answer on a session. `delegate` is let go of with its last call.
package final class Stream {
    package enum Body: Equatable {
        case bytes(Int, isLast: Bool)
        /// None for now; `resumeBody` says when.
        case later
    }

    package enum End: Equatable {
        /// The provider has processed nothing of it: RFC 9113 §8.7.
        case refused
        /// The same, and it wants to be asked over HTTP/1.1.
        case needsHTTP1
        case reset(ErrorCode)
        /// It was against the protocol, or the delegate refused it.
        case invalid(Fault)
        /// The session has ended.
        case lost
    }

    package enum Fault: Equatable {
        /// Of a head or of trailers: a name or a value that no field may have.
        case badField
        /// Fields of more than `Session.maxHeaderList`.
        case tooLarge
        /// The delegate has said so.
        case unwanted
        /// nghttp2 found something else.
        case violation
    }

    package internal(set) var delegate: (any StreamDelegate)?
    /// nil: it is over.
    var session: Session?
    var id: Int32 = 0
    /// Its place among the session's streams.
    var place = 0
    /// Name, value and 32 of each field (RFC 9113 §6.5.2) of the head that comes.
    var listSize = 0
    /// Its HEADERS have been written, or never will be.
    var isSent = false
    /// The provider has reset it.
    var isReset = false
    /// Bytes of the answer's body that are not consumed.
    var held = 0

    init(_ session: Session, _ delegate: any StreamDelegate) {
        self.session = session
        self.delegate = delegate
    }

    /// So many bytes of the answer's body are not held any more; the provider may send as many.
    package func consume(_ count: Int) {
        held -= count
        session?.consume(count, of: self)
    }

    /// There is something of the request's body, or its end.
    package func resumeBody() { session?.resumeBody(of: self) }

    /// Ends it without a further call to the delegate.
    package func reset(_ code: ErrorCode) {
        delegate = nil
        session?.reset(self, code)
    }
}
