// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import MenshenUpstream
internal import Reactor
internal import Systemd

/// What reaches a worker from other threads.
enum WorkerMessage: Sendable {
    case receipts([AuditReceipt])
    case key(provider: Int, generation: Int, Result<Secret, KeyCommandFailure>)
    case recent(RequestID, [RequestSummary])
    /// A new configuration, for requests that begin from now on.
    case install(Snapshot)
    /// Stop accepting; finish what is under way by the deadline (monotonic microseconds), then end.
    case drain(deadline: UInt64)
    case ping
}

/// One reactor with its connections, its libcurl handles and its keys: everything between accept and settle happens on
/// its thread, so nothing there is locked.
final class Worker: TimerHandler {
    /// A keep-alive caller gets so long to send the request it may be sending right now.
    private static let drainGrace: UInt64 = 200_000

    let reactor: Reactor
    let engine: TransferEngine
    let context: WorkerContext
    let events: Events
    private(set) var runtime: Runtime
    private(set) var settings: ConnectionSettings
    /// Where sockets are read into before the bytes are looked at.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    /// Connections with something to do at the end of the turn.
    var marked: [Connection] = []
    var random = Random()
    /// For bodies that are there whole.
    var scan = RequestScan()

    private var ids: RequestID.Source
    private var listeners: [Listener] = []
    private var connections: [Int32: Connection] = [:]
    /// Records of this turn.
    private var outbox: [AuditEntry] = []
    private var unrecorded: [RequestID: Exchange] = [:]
    /// The store had no room for these.
    private var turnedAway: [RequestID] = []
    private var awaitingKey: [Int: [Exchange]] = [:]
    private var pages: [RequestID: (Exchange, ([RequestSummary]) -> Void)] = [:]
    private var generation = 0
    private var spare: [[UInt8]] = []
    private(set) var isDraining = false
    private var drainDeadline = UInt64.max
    private lazy var drainTimer = Timer(self)
    private var reader: MailboxReader?

    init(_ context: WorkerContext, _ snapshot: Snapshot) throws {
        self.context = context
        events = context.events
        reactor = try Reactor()
        engine = try TransferEngine(
            on: reactor, maxIdleConnections: snapshot.configuration.upstream.maxIdleConnections)
        ids = RequestID.Source(worker: context.index, of: context.count)
        settings = ConnectionSettings(snapshot.configuration)
        runtime = try Runtime(snapshot, keys: KeyRing(credentialsDirectory: nil) { _, _, _ in })
        runtime = try Runtime(snapshot, keys: makeKeys(snapshot, generation))
        reader = try MailboxReader(
            context.mailbox, on: reactor, isAwaiting: { [unowned self] in isHoldingAnswers },
            { [unowned self] in receive($0) })
        reactor.endOfTurn = { [unowned self] in endOfTurn() }
    }

    deinit { scratch.deallocate() }

    /// Monotonic microseconds as of the start of this turn.
    var now: UInt64 { reactor.now }
    var isOneOfSeveral: Bool { context.count > 1 }
    func nextRequestID() -> RequestID { ids.next(wallMicroseconds: Clock.wall()) }

    func run(_ sockets: [ListeningSocket]) throws {
        for socket in sockets {
            let listener = Listener(socket, self)
            try listener.start()
            listeners.append(listener)
        }
        defer { engine.close() }
        try reactor.run()
    }

    // MARK: Connections

    func admit(_ fd: Int32, from listener: Listener) {
        guard let caller = identify(fd, listener) else { return SocketIO.close(fd) }
        if connections.count >= settings.maxConnections / context.count {
            events.tooManyConnections(settings.maxConnections)
            return SocketIO.close(fd)
        }
        let connection = Connection(fd, listener, caller, self)
        do {
            try connection.start()
            connections[fd] = connection
            context.activity.opened()
        } catch {
            events.acceptFailed(listener.socket.name, error)
            SocketIO.close(fd)
        }
    }

    /// Who connected; nil for a foreign peer, who is cut off before a byte of HTTP is read.
    private func identify(_ fd: Int32, _ listener: Listener) -> CallerRecord? {
        guard case .unix = listener.socket.kind else {
            SocketIO.setNoDelay(fd)
            return CallerRecord(uid: nil, pid: nil, executable: nil, unit: nil, address: SocketIO.peerAddress(fd))
        }
        do {
            let peer = try PeerIdentity.read(fd)
            if context.gate.judge(uid: peer.uid) == .foreign {
                events.peerRefused(peer, listener.socket.name)
                return nil
            }
            let process = PeerProcess.read(socket: fd, peer: peer)
            return CallerRecord(
                uid: peer.uid, pid: peer.pid, executable: process?.executable,
                unit: process.flatMap { PeerUnit(cgroup: $0.cgroup)?.name }, address: "unix")
        } catch {
            events.acceptFailed(listener.socket.name, error)
            return nil
        }
    }

    func forget(_ connection: Connection) {
        guard connections.removeValue(forKey: connection.fd) != nil else { return }
        context.activity.closed(at: reactor.now)
        if isDraining { endDrainIfDone() }
    }

    /// Takes back the memory of output that has been written, for the next connection that has some; idle ones hold none.
    func recycle(_ buffer: inout [UInt8]) {
        var used = buffer
        buffer = []
        guard spare.count < 64, used.capacity <= 64 << 10 else { return }
        used.removeAll(keepingCapacity: true)
        spare.append(used)
    }

    /// Memory of earlier output if there is some, so that an answer does not grow its buffer from nothing each time.
    func prepare(_ buffer: inout [UInt8]) {
        if buffer.capacity == 0, let used = spare.popLast() { buffer = used }
    }

    private func endOfTurn() {
        // A connection may mark others, or itself again, while it is served.
        while !marked.isEmpty {
            let batch = marked
            marked.removeAll(keepingCapacity: true)
            for connection in batch { connection.endOfTurn() }
        }
        sendRecords()
        let ids = turnedAway
        turnedAway = []
        for id in ids { unrecorded.removeValue(forKey: id)?.receive(nil) }
        if !marked.isEmpty { endOfTurn() }
    }

    // MARK: Records

    /// Hands an intent or a refusal to the store; its receipt comes back to the exchange. If nothing else of this turn is
    /// to come, that is now: the store writes while the provider is dialled.
    func record(_ entry: AuditEntry, for exchange: Exchange) {
        outbox.append(entry)
        unrecorded[exchange.id] = exchange
        if reactor.isLastReport { sendRecords() }
    }

    func record(_ settlement: AuditSettlement) { outbox.append(.settled(settlement)) }

    /// One lock and at most one wake of the store's thread a turn, however many requests the turn had.
    private func sendRecords() {
        guard !outbox.isEmpty else { return }
        turnedAway += context.store.submit(outbox, to: context)
        outbox.removeAll(keepingCapacity: true)
    }

    /// An answer is there, and only its receipt is missing.
    private var isHoldingAnswers: Bool { unrecorded.values.contains { $0.connection.pendingOutput > 0 } }

    /// The exchange has ended without waiting for anything.
    func forget(_ exchange: Exchange) {
        unrecorded[exchange.id] = nil
        pages[exchange.id] = nil
        for index in awaitingKey.keys { awaitingKey[index]?.removeAll { $0 === exchange } }
    }

    /// Fetches the last requests for a page; `body` runs later, unless the caller leaves first.
    func recentRequests(_ limit: Int, for exchange: Exchange, _ body: @escaping ([RequestSummary]) -> Void) {
        let id = exchange.id
        pages[id] = (exchange, body)
        context.store.recent(limit: limit) { [mailbox = context.mailbox] in mailbox.post(.recent(id, $0)) }
    }

    // MARK: Keys

    func awaitKey(_ exchange: Exchange, of provider: Int) { awaitingKey[provider, default: []].append(exchange) }

    private func makeKeys(_ snapshot: Snapshot, _ generation: Int) -> KeyRing {
        KeyRing(credentialsDirectory: context.credentialsDirectory) { [context] index, argv, timeout in
            KeyCommand.start(argv, timeout: timeout) { result in
                context.mailbox.post(.key(provider: index, generation: generation, result))
            }
        }
    }

    private func keyArrived(_ index: Int, _ generation: Int, _ result: Result<Secret, KeyCommandFailure>) {
        guard generation == self.generation else { return }
        if case .command(_, _, let lifetime) = runtime.snapshot.routes.providers[index].key {
            runtime.keys.commandEnded(index, result, lifetime: lifetime, now: reactor.now)
        }
        for exchange in awaitingKey.removeValue(forKey: index) ?? [] { exchange.keyArrived() }
    }

    // MARK: Messages

    private func receive(_ message: WorkerMessage) {
        switch message {
        case .receipts(let receipts):
            for receipt in receipts { unrecorded.removeValue(forKey: receipt.id)?.receive(receipt.device) }
        case .key(let index, let generation, let result): keyArrived(index, generation, result)
        case .recent(let id, let rows):
            if let (_, body) = pages.removeValue(forKey: id) { body(rows) }
        case .install(let snapshot):
            install(snapshot)
            context.control.post(.installed)
        case .drain(let deadline): drain(until: deadline)
        case .ping: context.control.post(.pong(worker: context.index))
        }
    }

    private func install(_ snapshot: Snapshot) {
        do {
            runtime = try Runtime(snapshot, keys: makeKeys(snapshot, generation + 1))
            generation += 1
            let waiting = awaitingKey
            awaitingKey = [:]
            settings = ConnectionSettings(snapshot.configuration)
            // Their command belongs to the old configuration; they go on with the new one's keys or fail.
            for exchange in waiting.values.joined() { exchange.keySourceChanged() }
        } catch {
            events.reloadFailed("a provider's base_url is not one libcurl can use: \(error)")
        }
    }

    // MARK: Draining

    private func drain(until deadline: UInt64) {
        guard !isDraining else { return }
        isDraining = true
        drainDeadline = deadline
        for listener in listeners {
            // What connected before we stopped is ours; later callers wait for our successor.
            listener.accept()
            listener.stop()
        }
        reactor.timers.set(drainTimer, at: min(reactor.now + Self.drainGrace, deadline))
        endDrainIfDone()
    }

    func timerFired(_ timer: Timer) {
        let isOver = reactor.now >= drainDeadline
        for connection in Array(connections.values) {
            if isOver { connection.abort() } else { connection.closeIfIdle(since: reactor.now - Self.drainGrace) }
        }
        if !isOver { reactor.timers.set(drainTimer, at: min(reactor.now + Self.drainGrace, drainDeadline)) }
        endDrainIfDone()
    }

    private func endDrainIfDone() {
        guard isDraining, connections.isEmpty else { return }
        sendRecords()
        reactor.timers.cancel(drainTimer)
        reactor.stop()
    }
}

/// What a connection needs to know of the configuration, as numbers.
struct ConnectionSettings {
    let maxHeaderBytes: Int
    let maxBodyBytes: Int
    let maxConnections: Int
    /// Microseconds.
    let headerTimeout: UInt64
    let idleTimeout: UInt64
    let writeTimeout: UInt64

    init(_ configuration: Configuration) {
        maxHeaderBytes = configuration.server.maxHeaderBytes
        maxBodyBytes = configuration.server.maxBodyBytes
        maxConnections = configuration.server.maxConnections
        headerTimeout = configuration.server.headerTimeout.microseconds
        idleTimeout = configuration.server.idleTimeout.microseconds
        writeTimeout = configuration.upstream.gapTimeout.microseconds
    }
}

/// A small generator (xorshift64*) for the weighted choice of providers; nothing secret depends on it. The system's own
/// would be one system call a request.
struct Random {
    private var state = UInt64.random(in: 1 ... .max)

    /// Uniform in 0..<1.
    mutating func draw() -> Double {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return Double((state &* 0x2545_F491_4F6C_DD1D) >> 11) * 0x1p-53
    }
}
