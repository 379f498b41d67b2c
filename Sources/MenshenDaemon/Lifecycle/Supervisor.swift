// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import Reactor
internal import Systemd

/// Starts the workers and looks after them from the main thread: signals, reload, drain, idle exit, watchdog.
final class Supervisor: TimerHandler {
    /// How often the store's state and the binary's own replacement are looked at: rarely, so that an idle
    /// process sleeps, but a few times within the time of an idle exit.
    private var lookInterval: UInt64 {
        let idle = snapshot.configuration.server.idleExit?.microseconds ?? .max
        return min(max(idle / 4, 250_000), 15_000_000)
    }

    private let reactor: Reactor
    private let control: Mailbox<ControlMessage>
    private let configurationPath: String
    /// --unsafe-listen was given.
    private let allowsUnsafe: Bool
    private let listening: Listening
    private let store: AuditStore
    private let keeper: CacheKeeper
    private let events: Events
    private let notifier: Notifier
    private let idleness: Idleness
    private var snapshot: Snapshot
    private var crew: Crew
    private var reader: MailboxReader?
    private var signals: SignalSource?
    private lazy var lookTimer = Timer(self)
    private lazy var watchdogTimer = Timer(self)
    private var stopReason: String?
    private var exitCode: Int32 = 0
    /// Started from a terminal, and not by nohup: then the terminal's hangup is the end, as any other SIGHUP is a reload.
    private let endsWithTerminal = ControllingTerminal.isThere && !ControllingTerminal.isHangupIgnored

    init(
        snapshot: Snapshot, configurationPath: String, allowsUnsafe: Bool, listening: Listening, store: AuditStore,
        access: AccessStore,
        keeper: CacheKeeper, events: Events,
        gate: PeerGate, board: StatusBoard, notifier: Notifier
    ) throws {
        self.snapshot = snapshot
        self.configurationPath = configurationPath
        self.allowsUnsafe = allowsUnsafe
        self.listening = listening
        self.store = store
        self.keeper = keeper
        self.events = events
        self.notifier = notifier
        reactor = try Reactor()
        control = try Mailbox()
        let activity = Activity(now: reactor.now)
        idleness = Idleness(of: activity, reactor)
        let count = snapshot.configuration.server.workers
        let roster = Roster()
        let pots = PotLedger(store)
        pots.prepare(snapshot)
        let projects = ProjectFinder()
        let metrics = Metrics()
        let signIns = SignIns()
        let telemetry = try Telemetry(events)
        crew = Crew(
            try (0..<count).map { [control] index in
                try WorkerContext(
                    index: index, count: count, control: control, store: store, access: access, pots: pots,
                    events: events, gate: gate,
                    activity: activity, board: board, credentialsDirectory: Environment.value("CREDENTIALS_DIRECTORY"),
                    roster: roster, projects: projects, metrics: metrics, signIns: signIns, telemetry: telemetry)
            })
        reader = try MailboxReader(control, on: reactor) { [unowned self] in receive($0) }
        idleness.isTooLong = { [unowned self] in stop("idle") }
        signals = try SignalSource(SignalSource.handled, on: reactor) { [unowned self] in received(signal: $0) }
    }

    /// Runs until every worker has ended. Returns the exit code.
    func run() throws -> Int32 {
        crew.telemetry?.go(by: snapshot.configuration.telemetry.plan)
        try crew.start(snapshot, listening.sockets)
        notifier.ready(status: statusLine)
        reactor.timers.set(lookTimer, at: reactor.now + lookInterval)
        limitIdleness()
        if let interval = notifier.watchdogInterval { reactor.timers.set(watchdogTimer, at: reactor.now + interval) }
        try reactor.run()
        crew.join()
        crew.telemetry?.close()
        keeper.close()
        crew.access?.close()
        events.tell(.stopped(stopReason ?? "failure"))
        return exitCode
    }

    private var statusLine: String {
        if let fault = snapshot.fault { return "No usable configuration, every request is answered 503: \(fault)" }
        let names = snapshot.routes.providers.map(\.name).joined(separator: ", ")
        if let fault = snapshot.tcpFault { return "Serving \(names); EVERY REQUEST OVER TCP IS REFUSED: \(fault)" }
        if let reason = store.status.degraded { return "Serving \(names); AUDIT DATABASE NOT IN USE: \(reason)" }
        return "Serving \(names)"
    }

    // MARK: Signals

    private func received(signal: Int32) {
        switch signal {
        case SignalSource.hangup where !endsWithTerminal || ControllingTerminal.isThere: reload()
        default:
            stop(signal == SignalSource.hangup ? "hangup" : "signal")
        }
    }

    /// The whole new configuration, or none of it.
    private func reload() {
        guard stopReason == nil else { return }
        notifier.reloading()
        defer { if !crew.isInstalling { notifier.ready(status: statusLine) } }
        let loaded = ConfigurationFile.load(configurationPath)
        for diagnostic in loaded.diagnostics { events.diagnostic(diagnostic) }
        guard let configuration = loaded.configuration else {
            return events.tell(.reloadFailed(loaded.firstFault, configurationPath))
        }
        crew.lookForTokens()
        if let name = crew.access?.tokens.name(amongst: configuration), snapshot.fault == nil {
            return events.tell(.reloadFailed(Self.collision(name), configurationPath))
        }
        let tcpFault = forbidden(configuration)
        if let tcpFault {
            // What is in order stays in force; what is not can only become better.
            if snapshot.fault == nil, snapshot.tcpFault == nil {
                return events.tell(.reloadFailed(tcpFault, configurationPath))
            }
            events.tell(.tcpRefused(tcpFault))
        }
        warnOfFixed(configuration)
        snapshot = Snapshot(
            configuration, cache: keeper.cache(for: configuration), tcpFault: tcpFault, after: snapshot)
        crew.telemetry?.go(by: configuration.telemetry.plan)
        crew.install(snapshot)
        limitIdleness()
    }

    private func limitIdleness() {
        idleness.limit(to: listening.mayExitWhenIdle ? snapshot.configuration.server.idleExit : nil)
    }

    /// A reload is done, a revoked token useless, when every worker goes by it.
    private func installed() {
        guard crew.installed() else { return }
        events.tell(.reloaded(configurationPath))
        if stopReason == nil { notifier.ready(status: statusLine) }
    }

    /// Why nothing may be served over TCP with this configuration.
    private func forbidden(_ configuration: Configuration) -> String? {
        guard listening.hasTCP else { return nil }
        let addresses = listening.tcpAddresses
        let remarks = ListenRule.remarks(
            on: addresses, isAuthenticating: configuration.authentication.enable,
            hasToken: configuration.authentication.hasToken || crew.access?.tokens.names.isEmpty == false,
            unsafeListen: allowsUnsafe || configuration.server.unsafeListen)
        if let error = remarks.first(where: { $0.severity == .error }) { return "\(error.message); \(error.hint)" }
        if !configuration.authentication.enable {
            for address in addresses { events.tell(.authenticationDisabled(address.description)) }
        }
        return nil
    }

    static func collision(_ name: String) -> String {
        "'menshen token' has given out a token '\(name)', and [auth] has one of that name: rename one of the two."
    }

    private func warnOfFixed(_ new: Configuration) {
        let old = snapshot.configuration
        if snapshot.fault != nil { return }
        var fixed: [String] = []
        if old.listen != new.listen { fixed.append("listen") }
        if old.server.workers != new.server.workers { fixed.append("server.workers") }
        if old.server.metrics.listen != new.server.metrics.listen { fixed.append("server.metrics_listen") }
        if old.storage != new.storage { fixed.append("storage") }
        if !fixed.isEmpty {
            events.remark(
                "\(fixed.joined(separator: ", ")) changed, which takes effect at the next start, not by a reload.")
        }
    }

    // MARK: Stopping

    private func stop(_ reason: String) {
        guard stopReason == nil else { return }
        stopReason = reason
        idleness.limit(to: nil)
        let patience = snapshot.configuration.server.drainTimeout.microseconds
        let connections = idleness.activity.connections
        notifier.stopping(status: "Finishing \(connections) connections")
        // The unit's TimeoutStopSec covers the default; a longer drain is asked for.
        if patience > Configuration().server.drainTimeout.microseconds {
            notifier.extendTimeout(microseconds: patience + 15_000_000)
        }
        events.tell(.stopping(inFlight: connections, seconds: patience / 1_000_000))
        listening.removeNames()
        crew.drain(deadline: reactor.time + patience)
        // By then the workers have taken what was waiting.
        reactor.timers.set(lookTimer, at: reactor.now + 200_000)
    }

    private func receive(_ message: ControlMessage) {
        switch message {
        case .pong:
            if crew.answered() { notifier.watchdog() }
        case .installed: installed()
        // With a first token there may be something to serve over TCP.
        case .tokensChanged: if snapshot.fault != nil || snapshot.tcpFault != nil { reload() }
        case .ended(let index, let failure):
            let areAllEnded = crew.ended()
            if let failure {
                events.remark("Worker \(index) ended: \(failure)")
                exitCode = 70
                stop("failure")
            }
            if areAllEnded { reactor.stop() }
        }
    }

    // MARK: Timers

    func timerFired(_ timer: Timer) {
        if timer === watchdogTimer { askWorkers() } else { look() }
    }

    /// The watchdog hears from us only when every worker's loop has answered.
    private func askWorkers() {
        guard let interval = notifier.watchdogInterval else { return }
        crew.ping()
        reactor.timers.set(watchdogTimer, at: reactor.now + interval)
    }

    private func look() {
        if stopReason != nil { return listening.closeOwnTCP() }
        reactor.timers.set(lookTimer, at: reactor.now + lookInterval)
        crew.lookForTokens()
        crew.writeMetrics(snapshot, now: reactor.now)
        let line = statusLine
        if line != lastStatusLine, stopReason == nil {
            lastStatusLine = line
            notifier.status(line)
        }
        guard listening.mayExitWhenIdle, idleness.activity.idleSince != nil else { return }
        if ProcessIdentity.isReplaced { stop("replaced") }
    }

    private var lastStatusLine = ""
}
