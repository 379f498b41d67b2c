// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Linux
import MenshenCore
import MenshenStore
import MenshenUpstream
import Reactor
import Systemd
import TestSupport
import Testing

@testable import MenshenDaemon

/// A worker on the test's own thread, by a clock that the test turns. Only its store has a thread of its own.
final class WorkerScene {
    /// What the workers of one process share.
    private final class Process {
        private static let isPrepared = Result { try TransferEngine.prepareProcess() }

        let clock = ManualClock()
        let snapshot: Snapshot
        let roster = Roster()
        let store: AuditStore
        private let directory: TemporaryDirectory

        init(_ configuration: Configuration) throws {
            try Self.isPrepared.get()
            snapshot = Snapshot(configuration)
            directory = try TemporaryDirectory()
            store = try AuditStore(
                settings: StoreSettings(databasePath: directory.path("menshen.db"), journal: nil)
            ) { _ in }
        }

        deinit { store.close() }
    }

    let context: WorkerContext
    private let process: Process
    private let reactor: Reactor
    private let worker: Worker
    private let listener: Listener

    convenience init(_ configuration: Configuration = Configuration()) throws {
        try self.init(Process(configuration), 0, of: 1)
    }

    /// Several workers of one process.
    static func several(_ count: Int, _ configuration: Configuration) throws -> [WorkerScene] {
        let process = try Process(configuration)
        return try (0..<count).map { try WorkerScene(process, $0, of: count) }
    }

    private init(_ process: Process, _ index: Int, of count: Int) throws {
        self.process = process
        reactor = try Reactor { [clock = process.clock] in clock.now }
        context = try WorkerContext(
            index: index, count: count, control: Mailbox(), store: process.store,
            events: Events(EventLog(journalStream: nil, isVerbose: false)),
            gate: PeerGate(ownUID: getuid(), overflowUID: 65534), activity: Activity(now: 0),
            board: StatusBoard(
                version: "", pid: 0, configuration: "", database: "", listeners: [], startedAt: 0, startedMonotonic: 0),
            credentialsDirectory: nil, roster: process.roster)
        worker = try Worker(context, process.snapshot, on: reactor)
        listener = Listener(ListeningSocket(descriptor: -1, kind: .unix(path: "/x"), name: "unix:/x"), worker)
    }

    deinit { worker.engine.close() }

    var clock: ManualClock { process.clock }

    /// Bytes that callers do not take.
    var unread: Int { worker.answers.total }

    /// Those at its first provider.
    var places: Places { process.snapshot.commons.providers[0].places }

    func turn() throws { try reactor.turn(mayWait: false) }

    /// Lets time pass, and does whatever can be done then.
    func pass(_ seconds: Double) throws {
        clock.turn(seconds: seconds)
        for _ in 0..<20 { try turn() }
    }

    /// A caller that has just connected.
    func call() throws -> Caller {
        var ends: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        try #require(socketpair(AF_UNIX, kind, 0, &ends) == 0)
        worker.admit(ends[0], from: listener)
        return Caller(descriptor: ends[1], wire: Wire(ends[1]))
    }

    /// What a caller gets, perhaps only after the store has kept a record.
    func answer(to caller: Caller) throws -> String {
        let end = Clock.monotonic() + 10_000_000
        while caller.hearsNothing, Clock.monotonic() < end { try turn() }
        return String(decoding: try caller.wire.read(), as: UTF8.self)
    }
}

struct Caller {
    fileprivate let descriptor: Int32
    let wire: Wire

    /// Nothing was said to it, and its connection is open.
    var hearsNothing: Bool { SocketIO.isSilent(descriptor) }
}
