// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import MenshenUpstream
internal import Reactor
internal import Systemd

/// One reactor with its connections, its transfers and its keys: everything between accept and settle happens on
/// its thread. What it knows together with others is in the `Commons`.
final class Worker: TimerHandler {
    let reactor: Reactor
    let engine: TransferEngine
    let context: WorkerContext
    private(set) var runtime: Runtime { didSet { oldValue.retire() } }
    private(set) var settings: ConnectionSettings
    let turns = Turns()
    let buffers = Buffers()
    /// For bodies that are there whole.
    var scan = RequestScan()
    var random = Random()
    private var date = HTTPDate()
    private var ids: RequestID.Source

    private var listeners: [Listener] = []
    private(set) var connections: [Int32: Connection] = [:]
    var admission = Admission<Connection>()
    var bodies = BodyBudget()
    private(set) var answers: AnswerBudget
    private var records: RecordDesk
    var waiting = WaitingRoom<Exchange>()
    private var drainage = Drainage()
    private var reader: MailboxReader?

    /// `reactor`: one whose clock a test turns.
    init(_ context: WorkerContext, _ snapshot: Snapshot, on reactor: Reactor? = nil) throws {
        self.context = context
        self.reactor = try reactor ?? Reactor()
        let reactor = self.reactor
        engine = try TransferEngine(
            on: reactor, maxIdleConnections: snapshot.configuration.upstream.maxIdleConnections)
        answers = AnswerBudget(limit: AnswerBudget.ofAll / context.count)
        records = RecordDesk(context.store.makeIntentWriter())
        ids = RequestID.Source(worker: context.index, of: context.count)
        settings = ConnectionSettings(snapshot.configuration, workers: context.count)
        runtime = try Self.makeRuntime(snapshot, context)
        bodies.limit = settings.maxBufferedBodies
        reader = try MailboxReader(context.mailbox, on: reactor) { [unowned self] in receive($0) }
        reactor.beforeWait.append(turns)
        reactor.endOfTurn = { [unowned self] in endOfTurn() }
        drainage.timer.handler = self
    }

    var events: Events { context.events }
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
            events.tell(.tooManyConnections(settings.limit, isOfDescriptors: settings.isLimitOfDescriptors))
            return SocketIO.close(fd)
        }
        let connection = Connection(fd, listener, caller, self)
        do {
            try connection.start()
            connections[fd] = connection
            admission.opened(connection)
            context.activity.opened()
        } catch {
            events.tell(.acceptFailed(listener.socket.name, error.description))
            SocketIO.close(fd)
        }
    }

    /// Whether one more may be open; the oldest of those that nobody needs goes for it.
    private func makeRoom(isTCP: Bool) -> Bool {
        while let leaver = admission.leaver(for: isTCP, of: connections.count, settings) { leaver.callerLeft() }
        return admission.hasRoom(for: isTCP, of: connections.count, settings)
    }

    var isDraining: Bool { drainage.deadline != nil }

    /// So many bytes more, or fewer, wait for a caller that does not take them now.
    func charge(_ count: Int, to payer: String) {
        answers.charge(count, to: payer)
        engine.asksForRoom = !answers.isAmple
    }

    /// A request has shown who calls.
    func becomesKnown(_ connection: Connection) { admission.leaves(connection) }

    /// It looks on from now on, or has a request of its own again. Onlookers don't keep menshen from stopping when idle.
    func looksOn(_ connection: Connection, _ isSo: Bool) {
        if connection.isOnlooker == isSo { return }
        connection.isOnlooker = isSo
        if isSo { context.activity.leftToLookOn() } else { context.activity.opened() }
    }

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
            let verdict = context.gate.judge(uid: peer.uid)
            if verdict == .foreign {
                events.tell(.peerRefused(uid: peer.uid, pid: peer.pid, listener.socket.name))
                return nil
            }
            let groups = try PeerIdentity.groups(fd)
            let readsProject = verdict == .own && runtime.snapshot.configuration.logging.callerProject
            let process = PeerProcess.read(socket: fd, peer: peer, readsDirectory: readsProject) {
                PeerUnit.name(socket: fd)
            }
            let project = verdict == .own ? project(of: process, peer.uid, readsProject) : nil
            return CallerRecord(
                uid: peer.uid, pid: peer.pid, gid: peer.gid, groups: groups, executable: process?.executable,
                unit: process?.unit, job: process?.job, project: project, address: "unix")
        } catch {
            events.tell(.acceptFailed(listener.socket.name, error.description))
            return nil
        }
    }

    private func project(of process: PeerProcess?, _ owner: UInt32, _ isRead: Bool) -> any LateText {
        guard isRead, let directory = process?.directory else { return UnreadText() }
        return context.projects.project(of: directory, owner: owner, now: now) ?? UnreadText()
    }

    func forget(_ connection: Connection) {
        guard connections.removeValue(forKey: connection.fd) != nil else { return }
        admission.closed(connection)
        if admission.hasShrunk(to: connections.count) { ProcessMemory.trim() }
        if !connection.isOnlooker { context.activity.closed(at: reactor.now) }
        if isDraining { endDrainIfDone() }
    }

    func prepare(_ output: inout [UInt8]) { buffers.prepare(&output) }

    /// Has `Exchange.resume` run at the end of the turn, when no transfer is on the stack.
    func resume(_ exchange: Exchange) { waiting.awaitTurn(exchange) }

    private func endOfTurn() {
        repeat {
            while waiting.hasWork {
                for exchange in waiting.takeTurns() { exchange.resume() }
                while let (exchange, answer) = waiting.takeGift() { exchange.recalled(.hit(answer)) }
            }
            engine.startWaiting()
            turns.end()
            records.send(to: context.store, for: context)
            for id in records.takeTurnedAway() { waiting.takeReceipt(id)?.receive(nil) }
        } while turns.hasWork || waiting.hasWork || engine.hasWaiting
    }

    // MARK: Records

    /// True: the intent is safe, and its answer may begin.
    func note(_ intent: AuditIntent) -> Bool { records.note(intent) }

    /// Hands an intent or a refusal to the store; its receipt comes back to the exchange.
    func record(_ entry: AuditEntry, for exchange: Exchange) {
        records.add(entry)
        waiting.awaitReceipt(exchange, exchange.id)
    }

    /// An exchange has ended: counts it, and hands its record over. A receipt comes back for one that has had none.
    func settled(_ settlement: consuming AuditSettlement, of exchange: Exchange) {
        count(settlement, of: exchange)
        publish(settlement, of: exchange)
        if exchange.ledger.intent != nil { return records.add(.settled(settlement)) }
        record(.refused(settlement, authenticated: exchange.access.grant != nil), for: exchange)
        exchange.ledger.awaitReceipt()
    }

    /// What is asked from now on waits for its receipt before it goes out.
    var hasNoDevice: Bool { records.hasNoDevice }

    /// The exchange has ended without waiting for anything.
    func forget(_ exchange: Exchange) { waiting.leave(exchange, exchange.id) }

    /// Fetches for a page the last requests and what the workers know, `listing` what is under way. `body` runs once both are
    /// there, unless the caller leaves first. nil: no requests, and the store is not asked; otherwise it has written all that it
    /// was told before.
    func survey(
        recent limit: Int?, listing: Bool = false, for exchange: Exchange,
        _ body: @escaping ([RequestRecord], Survey) -> Void
    ) {
        let id = exchange.id
        let mailbox = context.mailbox
        let others = context.roster.mailboxes { $0 !== mailbox }
        let own = Survey(self, exchange.runtime, listing: listing)
        let page = PendingPage(missing: others.count, survey: own, rows: limit == nil ? [] : nil, body: body)
        finish(waiting.awaitPage(page, id))
        for other in others { other.post(.survey(id, for: mailbox, listing: listing)) }
        if let limit { context.store.recent(limit: limit) { mailbox.post(.recent(id, $0)) } }
    }

    private func finish(_ page: PendingPage?) {
        if let page, let rows = page.rows { page.body(rows, page.survey) }
    }

    // MARK: Cache

    func awaitRecall(_ exchange: Exchange) { waiting.awaitLookup(exchange, exchange.id) }

    /// True: a request for the same is under way, at any worker, and `exchange` hears of its end.
    func joinFlight(_ exchange: Exchange, to key: CacheKey) -> Bool {
        guard exchange.runtime.snapshot.commons.flights.join(ticket(for: exchange), key) else { return false }
        waiting.awaitFlight(exchange, exchange.id)
        return true
    }

    /// Those who wait for the answer of an exchange whose caller takes nothing of it ask for themselves.
    func handOverFlight(of exchange: Exchange, _ key: CacheKey) {
        let flights = exchange.runtime.snapshot.commons.flights
        if flights.hasFollowers(exchange.id, key) { endFlight(of: exchange, key, nil, hasLeft: true) }
    }

    /// `answer`: what it brought, if that may be given to others. `hasLeft`: its caller left, which says nothing of what the
    /// provider would have said, so one of the others takes its place.
    func endFlight(of exchange: Exchange, _ key: CacheKey, _ answer: CachedAnswer?, hasLeft: Bool) {
        waiting.leaveFlight(exchange.id)
        let flights = exchange.runtime.snapshot.commons.flights
        for follower in flights.end(exchange.id, key, handsOver: hasLeft && answer == nil) {
            if isOwn(follower) {
                waiting.flightEnded(follower.id, answer)
            } else {
                follower.mailbox.post(.flight(follower.id, answer))
            }
        }
    }

    // MARK: Places

    func ticket(for exchange: Exchange) -> Ticket { Ticket(id: exchange.id, mailbox: context.mailbox) }

    private func isOwn(_ ticket: Ticket) -> Bool { ticket.mailbox === context.mailbox }

    func awaitPlace(_ exchange: Exchange) {
        exchange.ledger.pulse.queues(at: now)
        waiting.awaitPlace(exchange, exchange.id)
    }

    func endWaiting(_ exchange: Exchange) {
        exchange.ledger.pulse.leavesQueue(at: now)
        waiting.endWaiting(exchange.id)
    }

    /// There is news of its waiting for a place. nil: of nobody's.
    func tell(_ ticket: Ticket?) {
        guard let ticket else { return }
        if isOwn(ticket) { receive(.place(ticket.id)) } else { ticket.mailbox.post(.place(ticket.id)) }
    }

    // MARK: Keys

    func awaitKey(_ exchange: Exchange, of provider: Int) { waiting.awaitKey(exchange, of: provider) }

    private static func makeRuntime(_ snapshot: Snapshot, _ context: WorkerContext) throws -> Runtime {
        let commands = snapshot.commons.keyCommands
        let keys = KeyRing(credentialsDirectory: context.credentialsDirectory, commands: commands) {
            [roster = context.roster, providers = snapshot.routes.providers] index, argv, timeout in
            guard case .command(_, _, let lifetime) = providers[index].key else { return }
            KeyProgram.start(argv, timeout: timeout) { result in
                commands.ended(index, result, lifetime: lifetime, now: Clock.monotonic())
                for mailbox in roster.mailboxes(where: { _ in true }) {
                    mailbox.post(.key(provider: index, commands))
                }
            }
        }
        let tokens = TokenGate(
            tokens: snapshot.configuration.authentication.tokens, issued: context.access.tokens,
            wallSeconds: { Int64(Clock.wall() / 1_000_000) })
        return try Runtime(snapshot, keys: keys, tokens: tokens)
    }

    private func keyArrived(_ index: Int, _ commands: KeyCommands) {
        guard commands === runtime.snapshot.commons.keyCommands else { return }
        for exchange in waiting.takeKey(of: index) { exchange.keyArrived() }
    }

    // MARK: Messages

    private func receive(_ message: WorkerMessage) {
        switch message {
        case .receipts(let receipts):
            records.came(receipts)
            for receipt in receipts { waiting.takeReceipt(receipt.id)?.receive(receipt.device) }
        case .key(let index, let commands): keyArrived(index, commands)
        case .place(let id): waiting.waitsForPlace(id)?.hearOfPlace()
        case .flight(let id, let answer): waiting.flightEnded(id, answer)
        case .recalled(let id, let lookup): waiting.takeLookup(id)?.recalled(lookup)
        case .drawn(let id, let page): waiting.takeDrawing(id)?(page)
        case .recent(let id, let rows): finish(waiting.rowsCame(rows, id))
        case .survey(let id, let asker, let listing):
            asker.post(.surveyed(id, Survey(self, runtime, listing: listing)))
        case .surveyed(let id, let survey): finish(waiting.surveyCame(survey, id))
        case .administered(let id, let outcome): administered(id, outcome)
        case .listed(let id, let given):
            administered(id, given.map { TokenOutcome(all: $0) }, isChange: false)
        case .tokens(let cut, let id, let asker):
            takeTokens(cutting: cut)
            asker?.post(.tokensTaken(id))
        case .tokensTaken(let id): waiting.tokensTaken(id)?.finish()
        case .install(let snapshot):
            install(snapshot)
            context.control.post(.installed)
        case .drain(let deadline): drain(until: deadline)
        case .ping: context.control.post(.pong(worker: context.index))
        }
    }

    private func install(_ snapshot: Snapshot) {
        do {
            runtime = try Self.makeRuntime(snapshot, context)
            let waitingForKeys = waiting.takeKeys()
            settings = ConnectionSettings(snapshot.configuration, workers: context.count)
            bodies.limit = settings.maxBufferedBodies
            endRevoked()
            // Their command belongs to the old configuration; they go on with the new one's keys or fail.
            for exchange in waitingForKeys { exchange.keySourceChanged() }
        } catch {
            events.tell(.reloadFailed("a provider's base_url is not one libcurl can use: \(error)"))
        }
    }

    // MARK: Draining

    private func drain(until deadline: UInt64) {
        guard !isDraining else { return }
        drainage.deadline = deadline
        runtime.retire()
        for listener in listeners {
            // What connected before we stopped is ours; later callers wait for our successor.
            listener.accept()
            listener.stop()
        }
        lookAtDrainLater(deadline)
        endDrainIfDone()
    }

    private func lookAtDrainLater(_ deadline: UInt64) {
        reactor.timers.set(drainage.timer, at: min(reactor.now + Drainage.grace, deadline))
    }

    func timerFired(_ timer: Timer) {
        guard let deadline = drainage.deadline else { return }
        let isOver = reactor.now >= deadline
        for connection in Array(connections.values) {
            if isOver { connection.abort() } else { connection.closeIfIdle(since: reactor.now - Drainage.grace) }
        }
        if !isOver { lookAtDrainLater(deadline) }
        endDrainIfDone()
    }

    private func endDrainIfDone() {
        guard isDraining, connections.isEmpty else { return }
        records.send(to: context.store, for: context)
        reactor.timers.cancel(drainage.timer)
        reactor.stop()
    }
}

/// How a worker comes to its end.
private struct Drainage {
    /// A keep-alive caller gets so long to send the request it may be sending right now.
    static let grace: UInt64 = 200_000

    /// nil: nobody has asked it to stop.
    var deadline: UInt64?
    let timer = Timer()
}
