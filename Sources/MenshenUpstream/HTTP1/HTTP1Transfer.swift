// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import Reactor

/// A transfer over HTTP/1.1, with or without TLS: the request is written and the answer read here, which takes a third of what
/// libcurl's takes (decisions 0016 and 0032).
final class HTTP1Transfer: PooledTransfer, LinkUser, EndOfTurn, TimerHandler {
    private enum State {
        /// Nothing of it is under way.
        case idle
        /// The connection is being made, or will be at the end of the turn.
        case connecting
        /// The request goes out; no byte of an answer has come.
        case asking
        /// The answer's head comes.
        case answering
        /// Its body comes.
        case relaying
        case whole
        /// Given up while the receiver was on the stack.
        case cancelled
    }

    /// What becomes of a request over a kept connection that turns out to be closed.
    private enum Repetition {
        case none
        /// It goes out once more if the provider has read nothing of it.
        case ifUnread
        /// GET and HEAD change nothing, however often they are read.
        case always
    }

    private(set) var head = ResponseHead()
    private let engine: TransferEngine
    unowned let endpoint: Endpoint
    var receiver: (any TransferReceiver)?
    private let patience: Patience
    private var state = State.idle
    private var link: Link?
    private var request = HTTP1Request()
    private var reader = ResponseReader()
    private var pause = Pause()
    private var repetition = Repetition.none
    private var isSafe = false
    /// The connection is not to be used again.
    private var isSpent = false
    /// Calls of the receiver on the stack: what ends the transfer meanwhile takes effect behind them.
    private var depth = 0

    init(_ engine: TransferEngine, _ endpoint: Endpoint) {
        self.engine = engine
        self.endpoint = endpoint
        patience = Patience(engine.reactor, endpoint.settings.patience)
        patience.belongs(to: self)
    }

    deinit { patience.leave() }

    var headers: any HeaderSink { request.buffer }

    // MARK: Towards the provider

    func start(
        method: RequestHead.Method, target: [UInt8], body: TransferBody, receiver: any TransferReceiver
    ) throws {
        self.receiver = receiver
        reader = ResponseReader(isHead: method == .head)
        isSafe = method.isSafe
        request.begin(method, target, authority: endpoint.authority, body)
        patience.begin()
        state = .connecting
        engine.start(self)
    }

    func go() {
        if pause.endIfDue() { return unpause() }
        guard state == .connecting, link == nil else { return }
        let kept = endpoint.takeIdle(now: engine.reactor.now)
        repetition = request.isStreamed ? .none : isSafe && kept != nil ? .always : .ifUnread
        guard let kept else { return connect() }
        link = kept
        linkIsUp(kept)
    }

    private func connect() {
        if let coming = endpoint.warmth?.take(for: self) { return link = coming }
        let link = Link(engine, to: endpoint)
        self.link = link
        do { try link.connect(for: self) } catch { end(UpstreamFailure(of: error)) }
    }

    func linkIsUp(_ link: Link) {
        link.use(for: self)
        state = .asking
        flush()
        settle()
    }

    func linkFailed(_ link: Link, _ failure: UpstreamFailure) {
        guard link.wasTakenOver else { return end(failure) }
        link.close()
        connect()
    }

    func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if request.isComplete || request.isBroken || bytes.isEmpty { return true }
        request.add(bytes)
        flush()
        return receiver == nil || request.hasRoom(Self.uploadHighWater)
    }

    func endBody() {
        if request.isComplete { return }
        request.complete()
        flush()
    }

    /// No more of the body is sent, and what the caller still sends is read and dropped, so that it comes to read its answer.
    private func endUpload() {
        if request.isComplete { return }
        request.giveUp()
        call { $0.transferWantsBody(self) }
    }

    /// Writes what there is to write, once there is a connection.
    private func flush() {
        guard let link, state != .connecting else { return }
        switch request.write(to: link) {
        case .wouldBlock(let hasMoved):
            link.want(pause.isOn ? .writable : [.readable, .writable])
            uploadMoved(hasMoved)
        case .written(let hasMoved):
            link.want(pause.isOn ? [] : .readable)
            if state != .relaying, state != .whole {
                // From the request's last byte on; until then it is the caller who is waited for.
                if request.isComplete { wait(patience.limits.firstByte) } else { patience.pause() }
            }
            uploadMoved(hasMoved)
        }
    }

    private func uploadMoved(_ hasMoved: Bool) {
        guard request.isStreamed else { return }
        let hasHead = state == .relaying || state == .whole
        if hasMoved, hasHead || !request.buffer.isEmpty {
            wait(hasHead ? patience.limits.gap : patience.limits.firstByte)
        }
        if request.regainsRoom(Self.uploadHighWater) { call { $0.transferWantsBody(self) } }
    }

    private func wait(_ microseconds: UInt64) { if !pause.isOn { patience.wait(microseconds) } }

    func resume() {
        // Not now: the caller's connection is being served.
        if pause.scheduleEnd() { engine.start(self) }
    }

    private func repeatRequest() {
        repetition = .none
        link?.close()
        link = nil
        request.rewind()
        state = .connecting
        call { $0.transferRepeats(self, .staleConnection) }
        if state != .cancelled { connect() }
    }

    // MARK: The answer

    func linkIsReady(_ link: Link, _ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        if !pause.isOn, !readiness.isDisjoint(with: .input) { receive() }
        settle()
    }

    /// Level-triggered: what is left is reported again. One read a turn, so that a fast provider starves nobody.
    private func receive() {
        guard let link, let receiver else { return }
        guard let space = engine.space({ receiver.transferRoom(self) }) else { return halt() }
        switch link.read(into: space) {
        case .wouldBlock: break
        case .ended(let ending): linkEnded(ending)
        case .bytes(let count): take(UnsafeMutableRawBufferPointer(rebasing: space[..<count]))
        }
    }

    private func take(_ bytes: UnsafeMutableRawBufferPointer) {
        if state == .asking {
            state = .answering
            repetition = .none
            // The request is out: its key need not be kept.
            if request.isSent { request.buffer.wipe() }
        }
        bytes.withMemoryRebound(to: UInt8.self) { buffer in
            do {
                try read(buffer)
            } catch {
                end(
                    state == .relaying
                        ? UpstreamFailure(.truncated, "the answer's body is not framed as it should be: \(error)")
                        : UpstreamFailure(.malformed, "the answer's head is not safe to relay: \(error)"))
            }
        }
    }

    /// So many chunks of a read go on one by one. Of more, those that make less than `small` together go on together: for each
    /// byte by itself a read would cost milliseconds.
    private static let piecesApart = 16
    private static let small = 4 << 10

    private func read(_ bytes: UnsafeMutableBufferPointer<UInt8>) throws {
        var index = 0
        /// Body that is not handed on yet.
        var body = 0..<0
        var pieces = 0
        while state != .cancelled {
            let step: ResponseReader.Step
            do {
                step = try reader.next(UnsafeBufferPointer(bytes).span, from: index, into: &head)
            } catch {
                // What came before the fault goes first; after a pause the fault is met again.
                if body.isEmpty || deliver(bytes, body, rest: index) { throw error }
                return
            }
            switch step {
            case .needMore:
                if !body.isEmpty { _ = deliver(bytes, body, rest: bytes.count) }
                return
            case .interim(let consumed):
                index = consumed
                call { $0.transferReceivedInterim(self) }
            case .head(let consumed):
                index = consumed
                state = .relaying
                wait(patience.limits.gap)
                if head.status >= 300 { endUpload() }
                call { $0.transferReceivedHead(self) }
            case .data(let range):
                index = range.upperBound
                pieces += 1
                if pieces <= Self.piecesApart {
                    guard deliver(bytes, range, rest: index) else { return }
                } else if body.isEmpty {
                    body = range
                } else if body.count + range.count <= Self.small {
                    body = Self.join(bytes, body, range)
                } else {
                    guard deliver(bytes, body, ahead: range.count, rest: range.lowerBound) else { return }
                    body = range
                }
            case .end(let consumed):
                // When it is taken up again, it ends at once.
                if !body.isEmpty { guard deliver(bytes, body, rest: consumed) else { return } }
                state = .whole
                // Said unasked: whatever it is, the connection can't be trusted with another request.
                if consumed < bytes.count { isSpent = true }
                return
            }
        }
    }

    /// Moves a piece of the body behind the one before it; what stood between them has been read.
    private static func join(
        _ bytes: UnsafeMutableBufferPointer<UInt8>, _ body: Range<Int>, _ next: Range<Int>
    ) -> Range<Int> {
        if let start = bytes.baseAddress {
            (start + body.upperBound).update(from: start + next.lowerBound, count: next.count)
        }
        return body.lowerBound..<body.upperBound + next.count
    }

    /// False when no more may be looked at now. At `rest` the input goes on, first with `ahead` bytes of body.
    private func deliver(
        _ bytes: UnsafeMutableBufferPointer<UInt8>, _ body: Range<Int>, ahead: Int = 0, rest: Int
    ) -> Bool {
        wait(patience.limits.gap)
        var goesOn = false
        call {
            goesOn = $0.transferReceivedBody(
                self, UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[body]))
        }
        guard receiver != nil, state != .cancelled else { return false }
        if goesOn { return true }
        halt(keeping: Array(bytes[body]) + bytes[rest...], body: body.count + ahead)
        return false
    }

    private func halt(keeping left: [UInt8] = [], body: Int = 0) {
        patience.pause()
        pause.begin(keeping: left, body: body)
        link?.want(request.hasMore ? .writable : [])
    }

    private func unpause() {
        guard receiver != nil else { return }
        if state == .relaying {
            wait(patience.limits.gap)
        } else if request.isComplete {
            wait(patience.limits.firstByte)
        }
        var (bytes, count) = pause.takeLeft()
        if !bytes.isEmpty {
            bytes.withUnsafeMutableBufferPointer { buffer in
                guard deliver(buffer, 0..<count, rest: count) else { return }
                take(UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[count...])))
            }
        }
        if !pause.isOn, receiver != nil { link?.want(request.hasMore ? [.readable, .writable] : .readable) }
        settle()
    }

    /// The connection has come to its end.
    private func linkEnded(_ ending: Link.Ending) {
        switch state {
        case .asking where mayRepeat(wasClosed: ending.wasClosed): repeatRequest()
        case .asking, .answering: end(UpstreamFailure(ending.reason, ending.detail))
        // A write that failed has found a reset; what is read behind that looks like a clean end.
        case .relaying
        where reader.endsWithConnection && ending.isWhole && (!request.isBroken || request.buffer.isEmpty):
            isSpent = true
            state = .whole
        case .relaying: end(UpstreamFailure(.truncated, ending.detail))
        case .connecting, .whole, .idle, .cancelled: break
        }
    }

    /// A request that may have been read goes out once: it may have cost something.
    private func mayRepeat(wasClosed: Bool) -> Bool {
        switch repetition {
        case .none: false
        case .ifUnread: link?.hasReadNothing(wasClosed: wasClosed) == true
        case .always: true
        }
    }

    // MARK: The end

    private func call(_ body: (any TransferReceiver) -> Void) {
        guard let receiver, state != .cancelled else { return }
        depth += 1
        body(receiver)
        depth -= 1
    }

    /// Never with the receiver on the stack.
    private func end(_ failure: UpstreamFailure) {
        guard let receiver, state != .cancelled else { return }
        link?.close()
        link = nil
        patience.end()
        tell(receiver, failure) { recycle(to: $0) }
    }

    /// Does what was decided while the receiver was on the stack.
    private func settle() {
        guard depth == 0 else { return }
        if state == .cancelled { return recycle(to: endpoint) }
        guard state == .whole, !pause.isOn, let receiver else { return }
        if let link {
            if request.isSent, !request.isBroken, !isSpent, head.leavesConnection(isHead: reader.isHead) {
                link.rest()
                endpoint.keep(link)
                endpoint.wasUsed(by: engine)
            } else {
                link.close()
            }
        }
        link = nil
        patience.end()
        tell(receiver, nil) { recycle(to: $0) }
    }

    func cancel() {
        guard receiver != nil, state != .cancelled else { return }
        state = .cancelled
        link?.close()
        link = nil
        if depth == 0 { recycle(to: endpoint) }
    }

    func timerFired(_ timer: Timer) {
        end(patience.failure(timer, hasHead: state == .relaying || state == .whole))
    }

    /// Forgets the request, the key above all, and goes back to the endpoint.
    private func recycle(to endpoint: Endpoint) {
        patience.end()
        request.reset()
        head.reset()
        state = .idle
        receiver = nil
        repetition = .none
        isSpent = false
        // One that is about to go on is in the engine's list, and finds nothing to do.
        if !pause.forget() { endpoint.give(back: self) }
    }
}
