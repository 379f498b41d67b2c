// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
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
    case recalled(RequestID, CacheLookup)
    case recent(RequestID, [RequestSummary])
    /// Another worker wants to know what this one knows of the providers, and its answer.
    case tellReports(RequestID, Mailbox<WorkerMessage>)
    case reports(RequestID, [ProviderReport])
    /// A new configuration, for requests that begin from now on.
    case install(Snapshot)
    /// Stop accepting; finish what is under way by the deadline (monotonic microseconds), then end.
    case drain(deadline: UInt64)
    case ping
}

/// One reactor with its connections, its transfers and its keys: everything between accept and settle happens on
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
    private var resuming: [Exchange] = []
    /// Exchanges that another one has brought an answer for.
    private var recalled: [(Exchange, CachedAnswer)] = []
    var random = Random()
    /// For bodies that are there whole.
    var scan = RequestScan()

    private var date = HTTPDate()
    private var ids: RequestID.Source
    private var listeners: [Listener] = []
    private var connections: [Int32: Connection] = [:]
    private var admission = Admission()
    /// Connections whose output the socket does not take.
    var blocked = 0
    let nextTurn = NextTurn()
    var turn: UInt64 { nextTurn.turn }
    var bodies = BodyBudget()
    /// nil with more workers than the log has lanes.
    private let intents: IntentWriter?
    /// Records of this turn.
    private var outbox: [AuditEntry] = []
    private var unrecorded: [RequestID: Exchange] = [:]
    /// Nobody could keep the last record: what is asked from now on waits for its receipt before it goes out.
    private(set) var hasNoDevice = false
    /// The store had no room for these.
    private var turnedAway: [RequestID] = []
    private var awaitingKey: [Int: [Exchange]] = [:]
    private var recalling: [RequestID: Exchange] = [:]
    private var flights = Flights()
    private var pages: [RequestID: PendingPage] = [:]
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
        intents = context.store.makeIntentWriter()
        ids = RequestID.Source(worker: context.index, of: context.count)
        settings = ConnectionSettings(snapshot.configuration, workers: context.count)
        runtime = try Runtime(
            snapshot, keys: KeyRing(credentialsDirectory: nil) { _, _, _ in }, worker: context.index, of: context.count)
        runtime = try makeRuntime(snapshot, generation)
        reader = try MailboxReader(
            context.mailbox, on: reactor
        ) { [unowned self] in receive($0) }
        reactor.beforeWait.append(nextTurn)
        bodies.limit = settings.maxBufferedBodies
        reactor.endOfTurn = { [unowned self] in endOfTurn() }
    }

    deinit { scratch.deallocate() }

    /// Monotonic microseconds as of the start of this turn.
    var now: UInt64 { reactor.now }
    var isOneOfSeveral: Bool { context.count > 1 }
    /// For answers of our own.
    var dateLine: [UInt8] { date.line(at: Clock.wall() / 1_000_000) }
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
        guard makeRoom(isTCP: listener.isTCP) else {
            events.tooManyConnections(settings.limit, isOfDescriptors: settings.isLimitOfDescriptors)
            return SocketIO.close(fd)
        }
        let connection = Connection(fd, listener, caller, self)
        do {
            try connection.start()
            connections[fd] = connection
            admission.opened(connection)
            context.activity.opened()
        } catch {
            events.acceptFailed(listener.socket.name, error)
            SocketIO.close(fd)
        }
    }

    /// Whether one more may be open; the oldest of those that nobody needs goes for it.
    private func makeRoom(isTCP: Bool) -> Bool {
        while let leaver = admission.leaver(for: isTCP, of: connections.count, settings) { leaver.callerLeft() }
        return admission.hasRoom(for: isTCP, of: connections.count, settings)
    }

    /// Enough callers do not read that all their answers would fill memory.
    var isCrowded: Bool { blocked > 64 }

    /// A request has shown who calls.
    func becomesKnown(_ connection: Connection) { admission.leaves(connection) }

    func lingers(_ connection: Connection) {
        admission.lingers(connection)?.close()
    }

    /// Who connected; nil for a foreign peer, who is cut off before a byte of HTTP is read.
    private func identify(_ fd: Int32, _ listener: Listener) -> CallerRecord? {
        guard !listener.isTCP else {
            SocketIO.setNoDelay(fd)
            return CallerRecord(uid: nil, pid: nil, executable: nil, unit: nil, address: SocketIO.peerAddress(fd))
        }
        do {
            let peer = try PeerIdentity.read(fd)
            if context.gate.judge(uid: peer.uid) == .foreign {
                events.peerRefused(peer, listener.socket.name)
                return nil
            }
            let process = PeerProcess.read(socket: fd, peer: peer) { PeerUnit.name(socket: fd) }
            return CallerRecord(
                uid: peer.uid, pid: peer.pid, executable: process?.executable, unit: process?.unit, address: "unix")
        } catch {
            events.acceptFailed(listener.socket.name, error)
            return nil
        }
    }

    func forget(_ connection: Connection) {
        guard connections.removeValue(forKey: connection.fd) != nil else { return }
        admission.closed(connection)
        if admission.hasShrunk(to: connections.count) { ProcessMemory.trim() }
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

    /// Has `Exchange.resume` run at the end of the turn, when no transfer is on the stack.
    func resume(_ exchange: Exchange) { resuming.append(exchange) }

    private func endOfTurn() {
        while !resuming.isEmpty {
            let batch = resuming
            resuming.removeAll(keepingCapacity: true)
            for exchange in batch { exchange.resume() }
        }
        while let (exchange, answer) = recalled.popLast() { exchange.recalled(.hit(answer)) }
        engine.startWaiting()
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
        if !marked.isEmpty || !resuming.isEmpty || !recalled.isEmpty || engine.hasWaiting { endOfTurn() }
    }

    // MARK: Records

    /// True: the intent is safe, and its answer may begin.
    func note(_ intent: AuditIntent) -> Bool {
        guard let intents, intents.note(intent) else { return false }
        outbox.append(.noted(intent, intents.lane))
        return true
    }

    /// Hands an intent or a refusal to the store; its receipt comes back to the exchange.
    func record(_ entry: AuditEntry, for exchange: Exchange) {
        outbox.append(entry)
        unrecorded[exchange.id] = exchange
    }

    func record(_ settlement: AuditSettlement) { outbox.append(.settled(settlement)) }

    /// One lock and at most one wake of the store's thread a turn, however many requests the turn had.
    private func sendRecords() {
        guard !outbox.isEmpty else { return }
        turnedAway += context.store.submit(outbox, to: context)
        outbox.removeAll(keepingCapacity: true)
    }

    /// The exchange has ended without waiting for anything.
    func forget(_ exchange: Exchange) {
        unrecorded[exchange.id] = nil
        pages[exchange.id] = nil
        recalling[exchange.id] = nil
        for index in awaitingKey.keys { awaitingKey[index]?.removeAll { $0 === exchange } }
    }

    /// Fetches the last requests for a page; `body` runs later, unless the caller leaves first.
    func recentRequests(
        _ limit: Int, for exchange: Exchange, _ body: @escaping ([RequestSummary], [ProviderReport]) -> Void
    ) {
        let id = exchange.id
        let others = context.roster.mailboxes { $0 !== context.mailbox }
        pages[id] = PendingPage(exchange: exchange, missing: others.count, body: body)
        for other in others { other.post(.tellReports(id, context.mailbox)) }
        context.store.recent(limit: limit) { [mailbox = context.mailbox] in mailbox.post(.recent(id, $0)) }
    }

    private func finishPage(_ id: RequestID) {
        guard let page = pages[id], let rows = page.rows, page.missing == 0 else { return }
        pages[id] = nil
        page.body(rows, page.reports)
    }

    // MARK: Cache

    func awaitRecall(_ exchange: Exchange) { recalling[exchange.id] = exchange }

    /// True: a request for the same is under way, and `exchange` hears of its end.
    func joinFlight(_ exchange: Exchange, to key: CacheKey) -> Bool { flights.join(exchange, key) }

    /// Those who wait for the answer of an exchange whose caller takes nothing of it ask for themselves.
    func handOverFlight(of exchange: Exchange, _ key: CacheKey) {
        if flights.hasFollowers(exchange, key) { endFlight(of: exchange, key, nil, hasLeft: true) }
    }

    /// `answer`: what it brought, if that may be given to others. `hasLeft`: its caller left, which says nothing of what
    /// the provider would have said, so one of the others takes its place.
    func endFlight(of exchange: Exchange, _ key: CacheKey, _ answer: CachedAnswer?, hasLeft: Bool) {
        for follower in flights.end(exchange, key) {
            if let answer {
                recalled.append((follower, answer))
            } else if !hasLeft || !flights.join(follower, key) {
                resume(follower)
            }
        }
    }

    // MARK: Keys

    func awaitKey(_ exchange: Exchange, of provider: Int) { awaitingKey[provider, default: []].append(exchange) }

    private func makeRuntime(_ snapshot: Snapshot, _ generation: Int) throws -> Runtime {
        let keys = KeyRing(credentialsDirectory: context.credentialsDirectory) { [context] index, argv, timeout in
            KeyCommand.start(argv, timeout: timeout) { result in
                context.mailbox.post(.key(provider: index, generation: generation, result))
            }
        }
        return try Runtime(snapshot, keys: keys, after: runtime, worker: context.index, of: context.count)
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
            hasNoDevice = receipts.last?.device == AuditDevice.none
            for receipt in receipts { unrecorded.removeValue(forKey: receipt.id)?.receive(receipt.device) }
        case .key(let index, let generation, let result): keyArrived(index, generation, result)
        case .recalled(let id, let lookup): recalling.removeValue(forKey: id)?.recalled(lookup)
        case .recent(let id, let rows):
            pages[id]?.rows = rows
            finishPage(id)
        case .tellReports(let id, let asker): asker.post(.reports(id, reports(runtime)))
        case .reports(let id, let reports):
            pages[id]?.reports += reports
            pages[id]?.missing -= 1
            finishPage(id)
        case .install(let snapshot):
            install(snapshot)
            context.control.post(.installed)
        case .drain(let deadline): drain(until: deadline)
        case .ping: context.control.post(.pong(worker: context.index))
        }
    }

    private func install(_ snapshot: Snapshot) {
        do {
            runtime = try makeRuntime(snapshot, generation + 1)
            generation += 1
            let waiting = awaitingKey
            awaitingKey = [:]
            settings = ConnectionSettings(snapshot.configuration, workers: context.count)
            bodies.limit = settings.maxBufferedBodies
            for connection in Array(connections.values) { connection.exchange?.endIfRevoked(snapshot.tokens) }
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

/// A page that waits for what it is made of.
private struct PendingPage {
    let exchange: Exchange
    /// Workers that have not told yet what they know.
    var missing: Int
    var rows: [RequestSummary]?
    var reports: [ProviderReport] = []
    let body: ([RequestSummary], [ProviderReport]) -> Void
}
