// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import Reactor
internal import Synchronization

/// What a worker shares with the rest of the process; everything in it may be used from any thread.
final class WorkerContext: Sendable, ReceiptSink {
    let index: Int
    let count: Int
    let mailbox: Mailbox<WorkerMessage>
    let control: Mailbox<ControlMessage>
    let store: AuditStore
    let access: AccessStore
    let pots: PotLedger
    let events: Events
    let gate: PeerGate
    let activity: Activity
    let board: StatusBoard
    let credentialsDirectory: String?
    let roster: Roster
    let projects: ProjectFinder
    let metrics: Metrics
    let signIns: SignIns
    /// This worker's part of them.
    let tally: WorkerTally
    /// nil: spans and log records of requests go nowhere, whatever is configured.
    let telemetry: Telemetry?

    init(
        index: Int, count: Int, control: Mailbox<ControlMessage>, store: AuditStore, access: AccessStore,
        pots: PotLedger, events: Events, gate: PeerGate, activity: Activity, board: StatusBoard,
        credentialsDirectory: String?, roster: Roster, projects: ProjectFinder = ProjectFinder(),
        metrics: Metrics = Metrics(), signIns: SignIns = SignIns(), telemetry: Telemetry? = nil
    ) throws(SystemError) {
        self.index = index
        self.count = count
        self.control = control
        self.store = store
        self.access = access
        self.pots = pots
        self.events = events
        self.gate = gate
        self.activity = activity
        self.board = board
        self.credentialsDirectory = credentialsDirectory
        self.roster = roster
        self.projects = projects
        self.metrics = metrics
        self.signIns = signIns
        tally = metrics.makeTally()
        self.telemetry = telemetry
        mailbox = try Mailbox()
        roster.add(mailbox)
    }

    func deliver(_ receipts: [AuditReceipt]) { mailbox.post(.receipts(receipts)) }
}

/// The workers' mailboxes, for the few things that one has to ask all.
final class Roster: Sendable {
    private let all = Mutex<[Mailbox<WorkerMessage>]>([])

    func add(_ mailbox: Mailbox<WorkerMessage>) { all.withLock { $0.append(mailbox) } }

    func mailboxes(where isWanted: (Mailbox<WorkerMessage>) -> Bool) -> [Mailbox<WorkerMessage>] {
        all.withLock { $0 }.filter(isWanted)
    }
}

/// How busy the process is: what idle exit goes by. An open connection counts, not only a request under way.
final class Activity: Sendable {
    private let open = Atomic<Int>(0)
    private let lastClosed: Atomic<UInt64>
    private let followers = Atomic<Int>(0)

    init(now: UInt64) { lastClosed = Atomic(now) }

    func opened() { open.add(1, ordering: .relaxed) }

    func closed(at now: UInt64) {
        lastClosed.store(now, ordering: .relaxed)
        open.subtract(1, ordering: .relaxed)
    }

    /// It is still open, and counts no more. It was never busy, so how long nobody is does not begin anew.
    func leftToLookOn() { open.subtract(1, ordering: .relaxed) }

    /// False: so many are told of changes already.
    func beginsToFollow(limit: Int) -> Bool {
        if followers.add(1, ordering: .relaxed).newValue <= limit { return true }
        endsFollowing()
        return false
    }

    func endsFollowing() { followers.subtract(1, ordering: .relaxed) }

    var connections: Int { open.load(ordering: .relaxed) }
    /// Monotonic microseconds since which there is no connection; nil while there is one.
    var idleSince: UInt64? { connections == 0 ? lastClosed.load(ordering: .relaxed) : nil }
}
