// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Curl
internal import HTTP
internal import Reactor
internal import TLS

/// A transfer that libcurl makes: an easy handle at work, its header list and its body.
final class CurlTransfer: PooledTransfer, EasyDelegate, TimerHandler {
    private let lines = HeaderList()
    private(set) var head = ResponseHead()
    private let engine: TransferEngine
    unowned let endpoint: Endpoint
    var receiver: (any TransferReceiver)?
    private let patience: Patience
    private var isHead = false
    private var hasFinalHead = false
    /// The receiver takes no more for now.
    private(set) var isPaused = false
    private var handle: EasyHandle?
    /// Set when our timer, not libcurl, ends the transfer, or when the head is unusable.
    private var verdict: UpstreamFailure?
    private var isAbandoned = false
    /// libcurl has been told not to keep the connection.
    private var closesConnection = false
    /// Its place among the endpoint's transfers at work.
    var place: Int?

    /// libcurl reads a whole body from here until the end of the transfer. Kept for the next one unless it is large.
    private var block = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private static let keptBlock = 4 << 10
    private var upload: [UInt8] = []
    private var uploadStart = 0
    private var isUploadComplete = true
    private var isUploadPaused = false
    /// When a request began whose body is whole; nil for a streamed one, whose pieces set the timer.
    private var startedAt: UInt64?

    init(_ engine: TransferEngine, _ endpoint: Endpoint) throws(CurlError) {
        self.engine = engine
        self.endpoint = endpoint
        // One that may wait for another's connection is left to libcurl's own limit, which does not count that time.
        patience = Patience(engine.reactor, endpoint.settings.patience, connects: !endpoint.isShared)
        patience.belongs(to: self)
        handle = try engine.makeHandle(self, to: endpoint, endpoint.isShared ? .http2OverTLS : .http1)
    }

    deinit {
        patience.leave()
        block.deallocate()
    }

    var headers: any HeaderSink { lines }

    private func wait(_ microseconds: UInt64) { if !isPaused { patience.wait(microseconds) } }

    var easyHandle: EasyHandle {
        guard let handle else { preconditionFailure("a transfer has its handle from init to deinit") }
        return handle
    }

    // MARK: Towards the provider

    func start(
        method: RequestHead.Method, target: [UInt8], body: TransferBody, receiver: any TransferReceiver
    ) throws {
        // libcurl would say less of what is wrong with them, and ask the terminal for a passphrase.
        do throws(TLSFault) { try endpoint.settings.tls?.check() } catch {
            throw UpstreamFailure(.tls, error.description)
        }
        self.receiver = receiver
        isHead = method == .head
        patience.begin()
        let easy = easyHandle
        try target.withUnsafeBufferPointer { bytes throws(CurlError) in
            try bytes.withMemoryRebound(to: CChar.self) { text throws(CurlError) in
                guard let start = text.baseAddress else { return }
                try easy.target(endpoint.origin, endpoint.settings.url, start, viaPlainProxy: endpoint.isPlainProxy)
            }
        }
        switch body {
        case .none:
            try easy.request(method.rawValue, body: .none, headers: lines)
        case .whole(let bytes):
            if block.count < bytes.count {
                block.deallocate()
                block = .allocate(byteCount: bytes.count, alignment: 1)
            }
            block.copyBytes(from: bytes)
            let whole = UnsafeRawBufferPointer(rebasing: block[..<bytes.count])
            try easy.request(method.rawValue, body: .bytes(whole), headers: lines)
        case .streamed(let length):
            isUploadComplete = false
            // Ignored by libcurl under HTTP/2, which frames bodies itself.
            if length == nil { lines.add("Transfer-Encoding: chunked") }
            try easy.request(method.rawValue, body: .upload(length: length), headers: lines)
        }
        if isUploadComplete {
            startedAt = engine.reactor.now
            wait(patience.limits.firstByte)
        }
        endpoint.entered(self)
        engine.start(easy)
    }

    func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if isUploadComplete { return true }
        upload.append(contentsOf: bytes)
        wakeUpload()
        return upload.count - uploadStart < Self.uploadHighWater
    }

    func endBody() {
        if isUploadComplete { return }
        isUploadComplete = true
        wait(patience.limits.firstByte)
        wakeUpload()
    }

    func resume() {
        guard isPaused else { return }
        isPaused = false
        wait(patience.limits.gap)
        easyHandle.resume()
    }

    func cancel() {
        guard !isAbandoned, receiver != nil else { return }
        giveUp()
        receiver = nil
        engine.abandon(self, of: endpoint)
    }

    /// Whatever libcurl brings from here on is refused.
    private func giveUp() {
        isAbandoned = true
        if endpoint.isShared { easyHandle.closeUnsharedConnection(true) }
    }

    /// Takes it out of libcurl. What a pause holds back goes first: libcurl (7.88) frees that only with the last stream
    /// of a connection, and the handle's next transfer would deliver it.
    func remove() {
        if isPaused { easyHandle.resume() }
        isPaused = false
        engine.drop(easyHandle)
    }

    /// The provider has refused before the body was whole, and the caller may send no more of it. libcurl stops sending
    /// then and gives the connection up, but a transfer whose upload is paused would never end.
    private func endUpload() {
        if isUploadComplete { return }
        isUploadComplete = true
        upload = []
        uploadStart = 0
        if isUploadPaused { engine.wakeLater(self) }
        // What the caller still sends is read and dropped, so that it comes to read its answer.
        receiver?.transferWantsBody(self)
    }

    func wakeUpload() {
        guard isUploadPaused else { return }
        isUploadPaused = false
        easyHandle.resume()
    }

    // MARK: From libcurl

    func upload(into buffer: UnsafeMutableRawBufferPointer) -> UploadVerdict {
        if isAbandoned { return .abort }
        let count = min(buffer.count, upload.count - uploadStart)
        if count == 0 {
            if isUploadComplete { return .bytes(0) }
            isUploadPaused = true
            return .pause
        }
        upload.withUnsafeBytes {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[uploadStart..<uploadStart + count]))
        }
        let wasHigh = upload.count - uploadStart >= Self.uploadHighWater
        uploadStart += count
        if uploadStart == upload.count {
            upload.removeAll(keepingCapacity: true)
            uploadStart = 0
        } else if uploadStart > Self.uploadHighWater {
            upload.removeFirst(uploadStart)
            uploadStart = 0
        }
        wait(patience.limits.firstByte)
        if wasHigh, upload.count - uploadStart < Self.uploadHighWater {
            engine.inside { receiver?.transferWantsBody(self) }
        }
        return .bytes(count)
    }

    func received(headerLine line: UnsafeRawBufferPointer) -> Bool {
        if isAbandoned { return false }
        return engine.inside {
            line.withMemoryRebound(to: UInt8.self) { bytes in
                do {
                    switch try head.add(bytes.span) {
                    case .more, .trailer, .trailersEnded: break
                    case .interim: receiver?.transferReceivedInterim(self)
                    case .final:
                        hasFinalHead = true
                        wait(patience.limits.gap)
                        if !head.leavesConnection(isHead: isHead) {
                            closesConnection = true
                            easyHandle.closeUnsharedConnection(true)
                        }
                        if head.status >= 300 { endUpload() }
                        receiver?.transferReceivedHead(self)
                    }
                    return !isAbandoned
                } catch {
                    verdict = UpstreamFailure(.malformed, "the answer's head is not safe to relay: \(error)")
                    if endpoint.isShared { easyHandle.closeUnsharedConnection(true) }
                    return false
                }
            }
        }
    }

    func received(body bytes: UnsafeRawBufferPointer) -> DataVerdict {
        if isAbandoned { return .abort }
        if bytes.isEmpty { return .proceed }
        wait(patience.limits.gap)
        let goesOn = engine.inside { receiver?.transferReceivedBody(self, bytes) ?? false }
        if isAbandoned { return .abort }
        if !goesOn {
            isPaused = true
            patience.pause()
            return .pause
        }
        return .proceed
    }

    func finished(_ error: CurlError?) {
        guard !isAbandoned else {
            recycle()
            // Last, because it may be all that holds the endpoint.
            return engine.isOver(self)
        }
        let failure =
            verdict
            ?? error.map {
                UpstreamFailure(
                    $0, hadHead: hasFinalHead, hadConnection: easyHandle.hasConnected)
            }
        finish(hasFinalHead || failure != nil ? failure : UpstreamFailure(.reset, "no answer came"))
    }

    private func finish(_ failure: UpstreamFailure?) {
        patience.end()
        tell(receiver, failure) { _ in recycle() }
    }

    // MARK: Reuse

    func timerFired(_ timer: Timer) {
        let failure = patience.failure(timer, hasHead: hasFinalHead)
        if failure.reason == .connectTimeout, easyHandle.hasConnected { return }
        guard !isAbandoned, let receiver else { return }
        if failure.reason == .firstByteTimeout, let startedAt {
            // libcurl tells only when it is asked how long it took to get there.
            let way = easyHandle.microsecondsToRequest
            let end = startedAt + (way > 0 ? way + patience.limits.firstByte : patience.limits.start)
            if end > engine.reactor.now { return wait(end - engine.reactor.now) }
        }
        giveUp()
        tell(receiver, failure) { engine.abandon(self, of: $0) }
    }

    /// Forgets the request, the key above all, and goes back to the endpoint.
    func recycle() {
        patience.end()
        endpoint.left(self, isGivenUp: isAbandoned || verdict != nil)
        if closesConnection { easyHandle.closeUnsharedConnection(false) }
        closesConnection = false
        lines.clear()
        head.reset()
        if block.count > Self.keptBlock {
            block.deallocate()
            block = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        }
        upload = []
        uploadStart = 0
        isUploadComplete = true
        isUploadPaused = false
        startedAt = nil
        isAbandoned = false
        hasFinalHead = false
        verdict = nil
        receiver = nil
        // One that libcurl ended while it was paused holds bytes that nobody may get.
        if !isPaused { endpoint.give(back: self) }
    }
}
