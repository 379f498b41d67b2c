// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import HTTP2
internal import Linux
internal import Reactor

extension SendBuffer: SessionOutput {}

/// One connection to a provider over which many transfers go. What they all have to send goes out once, at the end of the
/// turn; what has come goes to all of them at once, and none of them holds up the others.
final class HTTP2Connection: LinkUser, EndOfTurn, TimerHandler {
    /// Microseconds of silence after which a request asks, by a PING in the same write, whether anybody is still there.
    private static let quiet: UInt64 = 5_000_000

    private let engine: TransferEngine
    private unowned let pool: HTTP2Pool
    private var link: Link?
    /// nil until the connection is there.
    private var session: Session?
    /// Sent at the end of this turn.
    private var queue: [HTTP2Transfer] = []
    private var submitted: [HTTP2Transfer] = []
    /// Something has happened to them that they are to act upon when nghttp2 is off the stack.
    private var touched: [HTTP2Transfer] = []
    /// What the link has not taken, and since when it has taken nothing.
    private var rest: SendBuffer?
    private var blockedAt: UInt64 = 0
    /// It is in the engine's list.
    private var isMarked = false
    /// The link takes nothing any more.
    private var isMute = false
    private let pingTimer = Timer()
    private var heardAt: UInt64 = 0
    /// Since when it has no request; nil: it has.
    private(set) var idleSince: UInt64?
    /// Why it has ended, and whether that proves that the provider has read nothing since it was last idle.
    private(set) var loss = UpstreamFailure(.reset)
    private(set) var hasReadNothing = false
    private var line: [UInt8] = []

    init(_ engine: TransferEngine, _ pool: HTTP2Pool) {
        self.engine = engine
        self.pool = pool
        pingTimer.handler = self
    }

    deinit { engine.reactor.timers.cancel(pingTimer) }

    func connect() throws {
        let link = Link(engine, to: pool.endpoint)
        link.offersHTTP2 = true
        self.link = link
        try link.connect(for: self)
    }

    var isUp: Bool { session != nil }

    /// How many requests at once the provider allows, as far as it is known.
    private func limit(_ session: Session) -> Int { session.hasSettings ? session.limit : max(1, pool.limit) }

    var hasRoom: Bool {
        guard let session, let link, !isMute, !link.isLeaving, !session.isGoingAway else { return false }
        // Whoever is under way has timers; others need not wait for a provider that does not read.
        if rest != nil, engine.reactor.now - blockedAt >= Self.quiet { return false }
        return session.count + queue.count < limit(session)
    }

    /// The provider wants no requests now, and may want some later.
    var isShut: Bool { session.map { $0.hasSettings && !$0.isGoingAway && $0.limit == 0 } ?? false }

    /// Has the request sent at the end of the turn.
    func take(_ transfer: HTTP2Transfer) {
        idleSince = nil
        queue.append(transfer)
        mark()
    }

    /// One that was not sent yet is given up.
    func drop(_ transfer: HTTP2Transfer) {
        queue.removeAll { $0 === transfer }
        mark()
    }

    /// There may be something to send.
    func mark() {
        if isMarked { return }
        isMarked = true
        engine.start(self)
    }

    func touch(_ transfer: HTTP2Transfer) { touched.append(transfer) }

    /// A field as the line that it would be in HTTP/1.1; ":status" as the status line.
    func line(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> [UInt8] {
        line.removeAll(keepingCapacity: true)
        if name.first == UInt8(ascii: ":") {
            line.append(ascii: "HTTP/2 ")
        } else {
            line.append(contentsOf: name)
            line.append(ascii: ": ")
        }
        line.append(contentsOf: value)
        line.append(ascii: "\r\n")
        return line
    }

    // MARK: The link

    func linkIsUp(_ link: Link) {
        let endpoint = pool.endpoint
        defer { withExtendedLifetime(endpoint) {} }
        guard pool.isAgreed(link) else {
            self.link = nil
            return pool.speaksHTTP1(self, link, now: engine.reactor.now)
        }
        do { session = try Session() } catch {
            close()
            return pool.failed(self, UpstreamFailure(.unavailable, "\(error)"))
        }
        heardAt = engine.reactor.now
        idleSince = heardAt
        mark()
        pool.cameUp(self)
    }

    func linkFailed(_ link: Link, _ failure: UpstreamFailure) {
        let endpoint = pool.endpoint
        defer { withExtendedLifetime(endpoint) {} }
        close()
        pool.failed(self, failure)
    }

    func linkIsReady(_ link: Link, _ readiness: Readiness) {
        if readiness.contains(.writable) { mark() }
        if !readiness.isDisjoint(with: .input) { receive() }
    }

    private func receive() {
        guard let link, let session else { return }
        let endpoint = pool.endpoint
        defer { withExtendedLifetime(endpoint) {} }
        switch link.read(into: engine.scratch) {
        case .wouldBlock: return
        case .ended(let ending):
            return lose(UpstreamFailure(ending.reason, ending.detail), wasClosed: ending.wasClosed)
        case .bytes(let count):
            heardAt = engine.reactor.now
            engine.reactor.timers.suspend(pingTimer)
            do { try session.receive(UnsafeRawBufferPointer(rebasing: engine.scratch[..<count])) } catch {
                return violated(session)
            }
        }
        if session.hasSettings { pool.limit = session.limit }
        if session.wantsWrite { mark() }
        if session.wantsHTTP1 { pool.requiresHTTP1() }
        settle()
    }

    /// Does what has come up while nghttp2 was on the stack, and sees what that leaves.
    private func settle() {
        var index = 0
        while index < touched.count {
            touched[index].settle()
            index += 1
        }
        touched.removeAll(keepingCapacity: true)
        guard let session else { return }
        if session.isOver { return violated(session) }
        // Nobody waits for those whose end cannot be written.
        if rest != nil, queue.isEmpty, session.isDeserted { return end() }
        if session.isGoingAway { sendElsewhere() }
        pool.fill(self)
        guard session.count == 0, queue.isEmpty, idleSince == nil else { return }
        pool.endpoint.wasUsed(by: engine)
        if session.isGoingAway {
            end()
            pool.endpoint.warmth?.wasClosed()
            return
        }
        idleSince = engine.reactor.now
        pool.fellIdle(self)
    }

    // MARK: Writing

    /// Called at the turn's end.
    func go() {
        isMarked = false
        guard let session, let link else { return }
        let endpoint = pool.endpoint
        defer { withExtendedLifetime(endpoint) {} }
        if writeRest(link) { send(session, link) }
        settle()
    }

    private func send(_ session: Session, _ link: Link) {
        submit(session, link)
        var isFull = false
        repeat {
            do { try session.drain(to: engine.outbox) } catch {
                // A part of a request must not go out: all of it will, elsewhere.
                engine.outbox.wipe()
                return violated(session)
            }
            isFull = engine.outbox.count >= Session.outputLimit
            if let bytes = engine.outbox.next { write(bytes, link) }
            engine.outbox.wipe()
        } while isFull && !isMute && rest == nil
        checkSubmitted(session)
        link.want(rest == nil ? .readable : [.readable, .writable])
    }

    private func submit(_ session: Session, _ link: Link) {
        if queue.isEmpty { return }
        if session.count == 0 { link.use(for: self) }
        let now = engine.reactor.now
        if now - heardAt >= Self.quiet, !pingTimer.isSet {
            session.ping()
            let patience = pool.endpoint.settings.connectTimeout
            engine.reactor.timers.set(pingTimer, at: now + patience)
        }
        for transfer in queue { transfer.submit(session) }
    }

    /// Those that nghttp2 has not sent go elsewhere.
    private func checkSubmitted(_ session: Session) {
        if queue.isEmpty { return }
        swap(&queue, &submitted)
        for transfer in submitted where !transfer.isUnderWay(session) { pool.place(transfer, avoiding: self) }
        submitted.removeAll(keepingCapacity: true)
    }

    /// False while the link takes no more.
    private func writeRest(_ link: Link) -> Bool {
        if isMute { return false }
        guard let rest, let bytes = rest.next else { return true }
        switch link.write(bytes) {
        case .bytes(let count):
            blockedAt = engine.reactor.now
            rest.sent(count)
            if rest.isEmpty { self.rest = nil }
        case .wouldBlock: break
        case .ended: isMute = true
        }
        return self.rest == nil && !isMute
    }

    private func write(_ bytes: UnsafeRawBufferPointer, _ link: Link) {
        switch link.write(bytes) {
        case .bytes(bytes.count): break
        case .bytes(let count): keep(UnsafeRawBufferPointer(rebasing: bytes[count...]))
        case .wouldBlock: keep(bytes)
        // Answers may be on their way; else reading says what there is to say.
        case .ended: isMute = true
        }
    }

    private func keep(_ bytes: UnsafeRawBufferPointer) {
        blockedAt = engine.reactor.now
        let kept = SendBuffer(capacity: bytes.count)
        kept.append(bytes)
        rest = kept
    }

    // MARK: The end

    func timerFired(_ timer: Timer) {
        let endpoint = pool.endpoint
        defer { withExtendedLifetime(endpoint) {} }
        lose(
            UpstreamFailure(
                .reset,
                "the connection is dead: nothing came within \(endpoint.settings.connectTimeoutMilliseconds) ms of a PING"
            ))
    }

    /// The session says goodbye for a reason of its own.
    private func violated(_ session: Session) {
        sayGoodbye(session)
        guard let fault = session.fault else {
            return lose(UpstreamFailure(.reset, "the provider ended the connection"))
        }
        lose(UpstreamFailure(.malformed, "the provider breaks HTTP/2: \(fault)"))
    }

    /// GOAWAY, if it can be written right now.
    private func sayGoodbye(_ session: Session) {
        guard let link, rest == nil, !isMute else { return }
        do { try session.drain(to: engine.outbox) } catch { return engine.outbox.wipe() }
        if let bytes = engine.outbox.next { _ = link.write(bytes) }
        engine.outbox.wipe()
    }

    /// It has ended with whatever was under way.
    private func lose(_ failure: UpstreamFailure, wasClosed: Bool = false) {
        guard let session else { return }
        loss = failure
        hasReadNothing = link?.hasReadNothing(wasClosed: wasClosed) == true
        let wasIdle = session.count == 0 && queue.isEmpty
        if wasIdle, idleSince == nil { pool.endpoint.wasUsed(by: engine) }
        close()
        pool.remove(self)
        session.end()
        sendElsewhere()
        settle()
        if wasIdle { pool.endpoint.warmth?.wasClosed() }
    }

    /// Those that were not sent yet.
    private func sendElsewhere() {
        let queued = queue
        queue = []
        for transfer in queued { pool.place(transfer, avoiding: self) }
    }

    /// Ends it while it has no request.
    func end() {
        if let session {
            session.leave()
            sayGoodbye(session)
            session.end()
        }
        close()
        pool.remove(self)
    }

    private func close() {
        engine.reactor.timers.cancel(pingTimer)
        link?.close()
        link = nil
        session = nil
        rest = nil
    }
}
