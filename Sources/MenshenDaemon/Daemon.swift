// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import MenshenUpstream
internal import Reactor
internal import Systemd

/// The composition root: builds the parts, starts the workers, and supervises them on the calling thread until it is
/// time to stop.
package final class Daemon {
    /// EX_CONFIG of sysexits.h.
    package static let configurationFault: Int32 = 78
    /// EX_OSERR: the machine, not the configuration, is in the way.
    private static let systemFault: Int32 = 71

    private let options: ServeOptions
    private var configurationPath = ""
    private let notifier: Notifier
    private let activation: Activation

    /// Takes over what systemd handed to the process: call before any thread is started or file opened.
    package init(_ options: ServeOptions) {
        self.options = options
        activation = Activation.take()
        notifier = Notifier.take()
    }

    /// Serves until told to stop. Returns the process's exit code.
    package func run() -> Int32 {
        do {
            // Before the configuration is read: it may hold a key.
            try ProcessHardening.protectMemory()
        } catch {
            StandardStream.error.write("menshen: error: menshen cannot close its memory to other processes: \(error)\n")
            return Self.systemFault
        }
        ProcessMemory.shareHeap()
        switch start() {
        case .failed(let exitCode): return exitCode
        case .ready(let supervisor, let store, let events):
            defer { store.close() }
            do { return try supervisor.run() } catch { return Self.failed(error, events) }
        }
    }

    private enum Start {
        case ready(Supervisor, AuditStore, Events)
        case failed(exitCode: Int32)
    }

    /// Its own function, so that nothing holds the first configuration once a reload has replaced it, keys and all.
    @inline(never)
    private func start() -> Start {
        do { configurationPath = try options.configurationPath ?? StandardPaths.configuration() } catch {
            let log = EventLog(journalStream: Environment.value("JOURNAL_STREAM"), isVerbose: false)
            return .failed(exitCode: Self.failed(error, Events(log)))
        }
        let loaded = ConfigurationFile.load(configurationPath)
        let events = Events(
            EventLog(
                journalStream: Environment.value("JOURNAL_STREAM"), isVerbose: loaded.configuration?.verbose ?? false))
        for diagnostic in loaded.diagnostics { events.diagnostic(diagnostic) }
        for remark in activation.remarks { events.remark(remark) }
        let snapshot: Snapshot
        if let configuration = loaded.configuration {
            snapshot = Snapshot(configuration)
        } else if activation.sockets.isEmpty {
            // Somebody is there to read it.
            return .failed(exitCode: Self.configurationFault)
        } else {
            events.tell(.configurationBroken(loaded.firstFault, configurationPath))
            snapshot = Snapshot(fault: loaded.firstFault)
        }
        do {
            let (supervisor, store) = try build(snapshot, events)
            return .ready(supervisor, store, events)
        } catch {
            return .failed(exitCode: Self.failed(error, events))
        }
    }

    private static func failed(_ error: any Error, _ events: Events) -> Int32 {
        let fault = (error as? EnvironmentFault).map { StartFault($0.message, hint: $0.hint) } ?? error as? StartFault
        events.diagnostic(
            Diagnostic(
                .error, file: "menshen", line: 0, column: 0, message: fault?.message ?? "\(error)", hint: fault?.hint))
        return fault?.exitCode ?? systemFault
    }

    private func build(_ snapshot: Snapshot, _ events: Events) throws -> (Supervisor, AuditStore) {
        // Who sees the socket may send a signal: before there is one.
        SignalSource.hold(SignalSource.handled)
        ProcessHardening.ignoreBrokenPipes()
        try TransferEngine.prepareProcess()
        let configuration = snapshot.configuration
        let openFiles = try ProcessHardening.raiseOpenFiles()
        // A connection and its upstream each have one.
        try ProcessHardening.reserveDescriptors(min(openFiles, 2 * configuration.server.maxConnections, 1 << 16))
        let addresses = options.replacesListen ? options.listen : configuration.listen + options.listen
        let listening: Listening
        do {
            listening = try Listening(activation, options, addresses, metrics: configuration.server.metrics.listen) {
                events.tell(.listenFailed($0, $1.description))
            }
        } catch let error as ListenError {
            throw StartFault("cannot listen: \(error)")
        }
        if listening.sockets.isEmpty {
            throw StartFault(
                "there is nothing to listen on",
                hint: "give --socket PATH or --listen :8080"
                    + (ServiceManager.isSystemd ? ", or start it by menshen.socket" : ""))
        }
        var snapshot = snapshot
        var tcpFault: String?
        let databasePath = try configuration.storage.path ?? StandardPaths.database()
        let accessPath = AccessStore.path(besides: databasePath)
        if snapshot.fault == nil, let fault = ruleFault(listening, addresses, configuration, accessPath, events) {
            if activation.sockets.isEmpty { throw fault }
            // An exit would take the inherited sockets down with it, and the Unix socket is in order.
            tcpFault = [fault.message, fault.hint].compactMap { $0 }.joined(separator: "; ")
            events.tell(.tcpRefused(tcpFault ?? ""))
        }
        let gate = try checkGate()
        let journal = try? JournalSocket(path: options.journalPath ?? JournalSocket.standardPath)
        var settings = StoreSettings(
            databasePath: databasePath, retentionDays: configuration.storage.retentionDays, journal: journal)
        // Another socket is not that of the journal that can be read.
        if options.journalPath == nil, ServiceManager.isSystemd { settings.journalSource = .system }
        let store = try AuditStore(settings: settings) { events.tell($0.event) }
        let access = AccessStore(AccessSettings(path: accessPath)) {
            events.tell($0.event)
        } run: {
            store.runApart($0)
        }
        if let name = access.tokens.name(amongst: configuration) { events.remark(Supervisor.collision(name)) }
        let board = StatusBoard(
            version: Version.text, pid: ProcessIdentity.pid, configuration: configurationPath, database: databasePath,
            listeners: listening.sockets.map(\.name), startedAt: Clock.wall(), startedMonotonic: Clock.monotonic())
        let keeper = CacheKeeper(events)
        if snapshot.fault == nil {
            snapshot = Snapshot(
                snapshot.configuration, cache: keeper.cache(for: snapshot.configuration), tcpFault: tcpFault)
        }
        announce(addresses, board, events)
        let supervisor = try Supervisor(
            snapshot: snapshot, configurationPath: configurationPath, allowsUnsafe: options.unsafeListen,
            listening: listening, store: store, access: access, keeper: keeper,
            events: events,
            gate: gate, board: board, notifier: notifier)
        ProcessMemory.releaseStartUpCode()
        return (supervisor, store)
    }

    /// The rules of the configuration's `listen` hold for inherited and command-line addresses too.
    private func ruleFault(
        _ listening: Listening, _ addresses: [ListenAddress], _ configuration: Configuration, _ accessPath: String,
        _ events: Events
    ) -> StartFault? {
        let authentication = configuration.authentication
        let tcp = listening.inheritedTCP + addresses
        let hasToken = authentication.hasToken || !tcp.isEmpty && AccessStore.holdsToken(accessPath)
        for address in tcp {
            let remarks = ListenRule.remarks(
                on: [address], isAuthenticating: authentication.enable, hasToken: hasToken,
                unsafeListen: options.unsafeListen || configuration.server.unsafeListen)
            if let remark = remarks.first(where: { $0.severity == .error }) {
                return StartFault("\(address): \(remark.message)", hint: remark.hint)
            }
            if !authentication.enable { events.tell(.authenticationDisabled(address.description)) }
        }
        return nil
    }

    /// Proves, before the first caller comes, that the uid gate lets nobody else in.
    private func checkGate() throws -> PeerGate {
        let gate = PeerGate(ownUID: PeerIdentity.ownUID, overflowUID: PeerIdentity.overflowUID)
        if let fault = gate.fault(peerUID: PeerIdentity.ofSocketPair()?.uid) {
            throw StartFault("menshen cannot tell who calls on the Unix socket: \(fault)")
        }
        return gate
    }

    /// The two lines that people of the article look for.
    private func announce(_ addresses: [ListenAddress], _ board: StatusBoard, _ events: Events) {
        if let first = addresses.first {
            events.say("Starting menshen on \(first)")
            events.say("Dashboard available at http://localhost:\(first.port)/")
        }
        events.tell(
            .started(
                version: board.version, configuration: board.configuration, listeners: board.listeners,
                database: board.database))
    }
}

/// Why the daemon cannot start, for the person who started it.
struct StartFault: Error {
    let message: String
    let hint: String?
    let exitCode: Int32 = 78

    init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }
}
