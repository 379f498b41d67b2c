// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import Reactor

/// A transfer over plain HTTP/1.1 that leads straight to the provider, as to a model server on the same machine: the
/// request is written and the answer read here, which takes a third of what libcurl's takes (decision 0016).
final class PlainTransfer: Transfer, LinkUser {
    enum State {
        /// Nothing of it is under way.
        case idle
        case connecting
        case answering
        case whole
    }

    var state = State.idle
    var link: Link?
    /// The request from its first byte, as long as it may have to be sent again, or what is queued of a streamed body. Holds
    /// the key, so it is overwritten.
    let outgoing: SendBuffer
    var reader = ResponseReader()
    private var isChunkedUpload = false
    private var isStreamed = false
    var isUploadComplete = true
    /// `send` did not take all that it wanted to.
    private var isFull = false
    /// The provider reads no more; what it has still to say is relayed.
    var isSendBroken = false
    /// The connection is not to be used again.
    var isSpent = false
    /// A connection that was kept may turn out to be closed; then a request that was not read goes out once more, over a new
    /// one.
    var mayRepeat = false
    /// GET and HEAD change nothing, however often they are read.
    var isSafe = false
    var hasAnswered = false
    /// What a pause has left: so many bytes of body, and behind them bytes not looked at.
    var stash: [UInt8] = []
    var stashedBody = 0
    var isResuming = false
    /// Calls of the receiver on the stack: what ends the transfer meanwhile takes effect behind them.
    private var depth = 0
    var isCancelled = false

    init(_ engine: TransferEngine, _ endpoint: Endpoint) {
        outgoing = SendBuffer(capacity: 4 << 10)
        super.init(engine, endpoint, headers: outgoing)
    }

    private static var space: UnsafeRawBufferPointer { bytes(" ") }
    private static var host: UnsafeRawBufferPointer { bytes(" HTTP/1.1\r\nHost: ") }
    private static var lineEnd: UnsafeRawBufferPointer { bytes("\r\n") }
    private static func bytes(_ text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    // MARK: Towards the provider

    override func start(
        method: RequestHead.Method, target: [UInt8], body: Body, receiver: any TransferReceiver
    ) throws {
        try super.start(method: method, target: target, body: body, receiver: receiver)
        reader = ResponseReader(isHead: method == .head)
        isSafe = method == .get || method == .head
        var name = method.rawValue
        name.withUTF8 { name in
            target.withUnsafeBytes { target in
                endpoint.authority.withUnsafeBytes { authority in
                    outgoing.prepend(
                        UnsafeRawBufferPointer(name), Self.space, UnsafeRawBufferPointer(rebasing: target.dropLast()),
                        Self.host, authority, Self.lineEnd)
                }
            }
        }
        switch body {
        case .none: outgoing.append("\r\n")
        case .whole(let bytes):
            endHead(length: bytes.count)
            bytes.withUnsafeBytes { outgoing.append($0) }
        case .streamed(let length):
            isStreamed = true
            isUploadComplete = false
            isChunkedUpload = length == nil
            endHead(length: length)
        }
        state = .connecting
        engine.start(self)
    }

    /// nil: chunks follow.
    private func endHead(length: Int?) {
        if let length {
            outgoing.append("Content-Length: ")
            outgoing.append(decimal: length)
        } else {
            outgoing.append("Transfer-Encoding: chunked")
        }
        outgoing.append("\r\n\r\n")
    }

    /// Called at the turn's end.
    func go() {
        if isResuming {
            isResuming = false
            return unpause()
        }
        guard case .connecting = state, link == nil else { return }
        if let kept = endpoint.takeIdle(now: reactor.now) {
            kept.use(for: self)
            link = kept
            mayRepeat = !isStreamed
            linkIsUp(kept)
        } else {
            connect()
        }
    }

    private func connect() {
        let link = Link(engine, to: endpoint)
        self.link = link
        do { try link.connect(for: self) } catch { end(UpstreamFailure(.unavailable, "\(error)")) }
    }

    func linkIsUp(_ link: Link) {
        state = .answering
        flush()
        settle()
    }

    func linkFailed(_ link: Link, _ failure: UpstreamFailure) { end(failure) }

    override func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if isUploadComplete || isSendBroken || bytes.isEmpty { return true }
        if isChunkedUpload {
            outgoing.append(hexadecimal: bytes.count)
            outgoing.append("\r\n")
        }
        outgoing.append(bytes)
        if isChunkedUpload { outgoing.append("\r\n") }
        flush()
        if receiver == nil { return true }
        isFull = outgoing.count >= Self.uploadHighWater
        return !isFull
    }

    override func endBody() {
        if isUploadComplete { return }
        isUploadComplete = true
        if isChunkedUpload { outgoing.append("0\r\n\r\n") }
        flush()
    }

    /// The provider has refused before the body was whole; no more of it is sent, and what the caller still sends is read
    /// and dropped, so that it comes to read its answer.
    func endUpload() {
        if isUploadComplete { return }
        isUploadComplete = true
        isSendBroken = true
        outgoing.wipe()
        call { $0.transferWantsBody(self) }
    }

    /// Writes what there is to write, once there is a connection.
    func flush() {
        guard let link, hasConnection else { return }
        var hasMoved = false
        while !isSendBroken, let bytes = outgoing.next {
            switch link.write(bytes) {
            case .bytes(let count):
                outgoing.sent(count)
                hasMoved = true
            case .wouldBlock:
                link.want(isPaused ? .writable : [.readable, .writable])
                return uploadMoved(hasMoved)
            // Its answer may be on its way; else reading says what there is to say.
            case .failed: isSendBroken = true
            }
        }
        link.want(isPaused ? [] : .readable)
        if !hasFinalHead {
            // From the request's last byte on; until then it is the caller who is waited for.
            if isUploadComplete { setTimer(endpoint.settings.firstByteTimeout) } else { pauseTimer() }
        }
        uploadMoved(hasMoved)
    }

    private var hasConnection: Bool { if case .connecting = state { false } else { true } }

    private func uploadMoved(_ hasMoved: Bool) {
        guard isStreamed else { return }
        if hasMoved, hasFinalHead || !outgoing.isEmpty {
            setTimer(hasFinalHead ? endpoint.settings.gapTimeout : endpoint.settings.firstByteTimeout)
        }
        if isFull, outgoing.count < Self.uploadHighWater || isSendBroken {
            isFull = false
            call { $0.transferWantsBody(self) }
        }
    }

    override func resume() {
        guard isPaused, !isResuming else { return }
        // Not now: the caller's connection is being served.
        isResuming = true
        engine.start(self)
    }

    func repeatRequest() {
        mayRepeat = false
        isSendBroken = false
        link?.close()
        link = nil
        outgoing.rewind()
        state = .connecting
        call { $0.transferRepeats(self) }
        if !isCancelled { connect() }
    }

    // MARK: The end

    func call(_ body: (any TransferReceiver) -> Void) {
        guard let receiver, !isCancelled else { return }
        depth += 1
        body(receiver)
        depth -= 1
    }

    /// Never with the receiver on the stack.
    func end(_ failure: UpstreamFailure) {
        guard let receiver, !isCancelled else { return }
        link?.close()
        link = nil
        cancelTimers()
        tell(receiver, failure) { recycle() }
    }

    /// Does what was decided while the receiver was on the stack.
    func settle() {
        guard depth == 0 else { return }
        if isCancelled { return recycle() }
        guard let receiver, case .whole = state, !isPaused else { return }
        let isKept = isUploadComplete && outgoing.isEmpty && !isSendBroken && !isSpent && leavesConnection
        if isKept, let link {
            link.rest()
            endpoint.keep(link)
        } else {
            link?.close()
        }
        link = nil
        cancelTimers()
        tell(receiver, nil) { recycle() }
    }

    override func cancel() {
        guard receiver != nil, !isCancelled else { return }
        isCancelled = true
        link?.close()
        link = nil
        if depth == 0 { recycle() }
    }

    override func timedOut(_ failure: UpstreamFailure) { end(failure) }

    /// Forgets the request, the key above all, and goes back to the endpoint.
    private func recycle() {
        // The receiver may be the last to hold it.
        let endpoint = endpoint
        cancelTimers()
        outgoing.wipe()
        head.reset()
        state = .idle
        receiver = nil
        hasFinalHead = false
        isPaused = false
        isChunkedUpload = false
        isStreamed = false
        isUploadComplete = true
        isFull = false
        isSendBroken = false
        isSpent = false
        mayRepeat = false
        hasAnswered = false
        if !stash.isEmpty { stash = [] }
        stashedBody = 0
        isCancelled = false
        // One that is about to go on is in the engine's list, and finds nothing to do.
        if !isResuming { endpoint.give(back: self) }
        isResuming = false
    }
}
