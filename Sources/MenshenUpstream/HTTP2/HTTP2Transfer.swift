// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import HTTP2
internal import Reactor

/// A transfer over HTTP/2, beside others on one connection; or, where the provider turns out to speak HTTP/1.1 alone, what
/// passes on the calls of a transfer that does.
final class HTTP2Transfer: PooledTransfer, StreamDelegate, EndOfTurn, TimerHandler {
    private enum State {
        /// Nothing of it is under way.
        case idle
        /// The end of the turn is waited for.
        case starting
        /// It waits for a connection, or its turn on one.
        case waiting
        /// The request goes out; the answer's final head has not come.
        case asking
        /// The answer's body comes.
        case relaying
        /// Nothing more comes; the receiver hears of it when it has taken what did.
        case over(UpstreamFailure?)
        /// The provider has not worked on it, and it goes out once more.
        case repeating(UpstreamFailure.Reason)
        /// Another transfer speaks HTTP/1.1 for it.
        case replaced
        /// Given up while the receiver was on the stack.
        case cancelled
    }

    /// Body that was held back goes on in pieces of this size.
    private static let piece = 64 << 10
    private static let blank: [UInt8] = [13, 10]

    private var answer = ResponseHead()
    let engine: TransferEngine
    unowned let endpoint: Endpoint
    private unowned let pool: HTTP2Pool
    var receiver: (any TransferReceiver)?
    private let patience: Patience
    private var state = State.idle
    private var connection: HTTP2Connection?
    private var stream: Stream?
    private var request = HTTP2Request()
    private var pause = Pause()
    /// It has not gone out before, and may once more.
    private var isFirst = true
    /// The connection was there before the request was.
    private var isKept = false
    /// Something of an answer has come.
    private var isHeard = false
    /// What is wrong with its head.
    private var fault: ResponseHead.Fault?
    /// The connection over which it is not to go again.
    private(set) var avoids: HTTP2Connection?
    private var substitute: (any Transfer)?
    /// Calls of the receiver on the stack: what ends the transfer meanwhile takes effect behind them.
    private var depth = 0

    init(_ engine: TransferEngine, _ endpoint: Endpoint, _ pool: HTTP2Pool) {
        self.engine = engine
        self.endpoint = endpoint
        self.pool = pool
        patience = Patience(engine.reactor, endpoint.settings.patience)
        patience.belongs(to: self)
    }

    deinit { patience.leave() }

    var headers: any HeaderSink { request.lines }
    var head: ResponseHead { substitute?.head ?? answer }

    private var hasHead: Bool {
        switch state {
        case .relaying, .over(nil): true
        default: false
        }
    }

    private var isCancelled: Bool { if case .cancelled = state { true } else { false } }

    // MARK: Towards the provider

    func start(
        method: RequestHead.Method, target: [UInt8], body: TransferBody, receiver: any TransferReceiver
    ) throws {
        self.receiver = receiver
        request.begin(method, target, body)
        patience.begin()
        state = .starting
        engine.start(self)
    }

    /// Called at the turn's end.
    func go() {
        if pause.endIfDue() { return unpause() }
        guard case .starting = state else { return }
        pool.place(self)
    }

    /// For a connection, or for its turn on one.
    func waits(avoiding other: HTTP2Connection?) {
        state = .waiting
        connection = nil
        avoids = other
    }

    func rides(on connection: HTTP2Connection, isKept: Bool) {
        self.connection = connection
        self.isKept = isKept
        connection.take(self)
    }

    /// Called by the connection, which sends it at once.
    func submit(_ session: Session) {
        request.addFields(to: session, authority: endpoint.authority, isTLS: endpoint.settings.isTLS)
        stream = session.submit(self, hasBody: request.hasBody)
        state = .asking
    }

    /// False: it was not sent, and never will be.
    func isUnderWay(_ session: Session) -> Bool {
        // It has ended meanwhile, which `settle` acts upon.
        guard case .asking = state else { return true }
        if let stream, session.wasSent(stream) {
            uploadMoved()
            return true
        }
        stream = nil
        request.rewind()
        return false
    }

    func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if let substitute { return substitute.send(bytes) }
        if request.isComplete || request.isBroken || bytes.isEmpty { return true }
        // From here on it is the provider who is waited for.
        if stream != nil, !request.hasMore { wait(hasHead ? patience.limits.gap : patience.limits.firstByte) }
        request.add(bytes)
        continueUpload()
        return receiver == nil || request.hasRoom(Self.uploadHighWater)
    }

    func endBody() {
        if let substitute { return substitute.endBody() }
        if request.isComplete { return }
        request.complete()
        continueUpload()
    }

    private func continueUpload() {
        guard let stream else { return }
        stream.resumeBody()
        connection?.mark()
    }

    /// No more of the body is sent, and what the caller still sends is read and dropped, so that it comes to read its answer.
    private func endUpload() {
        if request.isComplete { return }
        request.giveUp()
        call { $0.transferWantsBody(self) }
    }

    func streamBody(atMost limit: Int) -> Stream.Body { request.offer(atMost: limit) }

    func streamBody(move count: Int, to output: any SessionOutput) {
        request.move(count, to: output)
        connection?.touch(self)
    }

    /// The head has gone out, or a part of the body.
    private func uploadMoved() {
        if hasHead {
            wait(patience.limits.gap)
        } else if request.isComplete || request.hasMore {
            wait(patience.limits.firstByte)
        } else {
            // Until the request's last byte it is the caller who is waited for.
            patience.pause()
        }
        if request.regainsRoom(Self.uploadHighWater) { call { $0.transferWantsBody(self) } }
    }

    private func wait(_ microseconds: UInt64) { if !pause.isOn { patience.wait(microseconds) } }

    func resume() {
        if let substitute { return substitute.resume() }
        // Not now: the caller's connection is being served.
        if pause.scheduleEnd() { engine.start(self) }
    }

    // MARK: The answer

    func streamReceived(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        guard let connection else { return true }
        if !isHeard {
            isHeard = true
            request.forgetSent()
        }
        return add(connection.line(name, value).span) != nil
    }

    /// nil: it cannot be relayed.
    private func add(_ line: borrowing Span<UInt8>) -> ResponseHead.LineVerdict? {
        do { return try answer.add(line) } catch {
            fault = error
            return nil
        }
    }

    func streamReceivedFields() -> Bool {
        switch add(Self.blank.span) {
        case nil: return false
        case .interim: call { $0.transferReceivedInterim(self) }
        case .final:
            state = .relaying
            wait(patience.limits.gap)
            if answer.status >= 300 { endUpload() }
            call { $0.transferReceivedHead(self) }
        case .more, .trailer, .trailersEnded: break
        }
        return true
    }

    func streamReceived(_ bytes: UnsafeRawBufferPointer) {
        if bytes.isEmpty { return }
        if pause.isOn { return pause.keep(bytes) }
        wait(patience.limits.gap)
        deliver(bytes)
    }

    /// Hands on what there is room for, and keeps the rest.
    private func deliver(_ bytes: UnsafeRawBufferPointer) {
        var start = 0
        while start < bytes.count {
            var goesOn = false
            var end = min(bytes.count, start + Self.piece)
            call {
                if engine.asksForRoom { end = min(end, start + max(0, $0.transferRoom(self))) }
                guard end > start else { return }
                goesOn = $0.transferReceivedBody(self, UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            }
            guard receiver != nil, !isCancelled else { return }
            guard goesOn else {
                patience.pause()
                return pause.begin(keeping: Array(bytes[start...]), body: 0)
            }
            stream?.consume(end - start)
            start = end
        }
    }

    private func unpause() {
        guard receiver != nil else { return }
        wait(patience.limits.gap)
        let bytes = pause.takeLeft().bytes
        bytes.withUnsafeBytes { deliver($0) }
        connection?.mark()
        settle()
    }

    func streamEnded() {
        stream = nil
        over(nil)
    }

    func streamBroke(_ end: Stream.End) {
        stream = nil
        switch end {
        case .refused where !isHeard && isFirst && request.isRepeatable: again(.refusedStream)
        case .needsHTTP1 where !isHeard && request.isRepeatable: again(.http11Required)
        case .lost where !isHeard && isFirst && mayRepeatUnread: again(.staleConnection)
        // Whether the answer is whole its own word says (decision 0018).
        case .reset(.noError) where hasHead: over(nil)
        default: over(UpstreamFailure(end, hasHead: hasHead, fault: fault, loss: connection?.loss))
        }
    }

    /// The connection has ended, which says nothing of what the provider has done: decision 0016 holds.
    private var mayRepeatUnread: Bool {
        guard !request.isStreamed else { return false }
        return isKept && request.method.isSafe || connection?.hasReadNothing == true
    }

    private func over(_ failure: UpstreamFailure?) {
        if isCancelled { return }
        state = .over(failure)
        connection?.touch(self)
    }

    private func again(_ reason: UpstreamFailure.Reason) {
        state = .repeating(reason)
        connection?.touch(self)
    }

    private func repeatRequest(_ reason: UpstreamFailure.Reason) {
        isFirst = false
        let refusing = connection
        request.rewind()
        waits(avoiding: refusing)
        call { $0.transferRepeats(self, reason) }
        if isCancelled { return recycle(to: endpoint) }
        patience.wait(patience.limits.start)
        pool.place(self, avoiding: refusing)
    }

    // MARK: HTTP/1.1 after all

    /// Has another transfer make the request.
    func fallBack() {
        do {
            let other = try endpoint.takeHTTP1(for: engine)
            patience.pause()
            state = .replaced
            substitute = other
            try request.move(to: other, receiver: self)
        } catch {
            end(UpstreamFailure(.unavailable, "\(error)"))
        }
    }

    // MARK: The end

    private func call(_ body: (any TransferReceiver) -> Void) {
        guard let receiver, !isCancelled else { return }
        depth += 1
        body(receiver)
        depth -= 1
    }

    /// Does what was decided while the receiver or nghttp2 was on the stack.
    func settle() {
        guard depth == 0 else { return }
        switch state {
        case .cancelled: recycle(to: endpoint)
        case .repeating(let reason): repeatRequest(reason)
        case .over(let failure): if !pause.isOn { finish(failure) }
        case .asking, .relaying: if stream != nil { uploadMoved() }
        case .idle, .starting, .waiting, .replaced: break
        }
    }

    func finish(_ failure: UpstreamFailure?) {
        guard let receiver else { return }
        patience.end()
        tell(receiver, failure) { recycle(to: $0) }
    }

    /// Never with the receiver on the stack.
    func end(_ failure: UpstreamFailure) {
        guard receiver != nil, !isCancelled else { return }
        leave()
        finish(failure)
    }

    /// Whatever is under way is given up.
    private func leave() {
        if let substitute { return substitute.cancel() }
        if let stream {
            stream.reset(.cancel)
            connection?.mark()
        } else if let connection {
            connection.drop(self)
        } else {
            pool.drop(self)
        }
        stream = nil
    }

    func cancel() {
        guard receiver != nil, !isCancelled else { return }
        leave()
        state = .cancelled
        if depth == 0 { recycle(to: endpoint) } else { connection?.touch(self) }
    }

    func timerFired(_ timer: Timer) {
        end(patience.failure(timer, hasHead: substitute.map { $0.head.isComplete } ?? hasHead))
    }

    /// Forgets the request, the key above all, and goes back to the endpoint.
    private func recycle(to endpoint: Endpoint) {
        patience.end()
        request.reset()
        answer.reset()
        state = .idle
        receiver = nil
        connection = nil
        stream = nil
        substitute = nil
        avoids = nil
        fault = nil
        isFirst = true
        isKept = false
        isHeard = false
        // One that is about to go on is in the engine's list, and finds nothing to do.
        if !pause.forget() { endpoint.http2?.give(back: self) }
    }
}
