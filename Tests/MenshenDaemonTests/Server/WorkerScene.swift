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

/// A worker with its callers and providers on the test's own thread, by a clock that the test turns. Only its store has a
/// thread of its own.
final class WorkerScene {
    /// What the workers of one process share.
    private final class Process {
        private static let isPrepared = Result { try TransferEngine.prepareProcess() }

        let clock = ManualClock()
        let snapshot: Snapshot
        let roster = Roster()
        let store: AuditStore
        let access: AccessStore
        let directory: TemporaryDirectory
        /// Where the providers are reached, in their order.
        let doors: [UnixListener]
        let projects: ProjectFinder
        let metrics = Metrics()

        init(
            _ configuration: Configuration, providers: [String], projects: ProjectFinder = ProjectFinder(),
            _ change: (inout Configuration) -> Void
        ) throws {
            self.projects = projects
            try Self.isPrepared.get()
            directory = try TemporaryDirectory()
            var configuration = configuration
            var doors: [UnixListener] = []
            for name in providers {
                let path = directory.path(name)
                let url = try #require(BaseURL("unix://\(path):/v1"))
                var provider = Provider(name: name, kind: .openai, baseURL: url, key: .inline(Secret("key-\(name)")))
                provider.turn.weight = doors.isEmpty ? 1_000_000 : 1
                configuration.providers.append(provider)
                doors.append(try UnixListener.bind(path))
            }
            change(&configuration)
            self.doors = doors
            snapshot = Snapshot(configuration)
            store = try AuditStore(
                settings: StoreSettings(databasePath: directory.path("menshen.db"), journal: nil)
            ) { _ in }
            access = AccessStore(AccessSettings(path: directory.path("access.db"))) { _ in
            } run: { _ in
                false
            }
        }

        deinit {
            store.close()
            for door in doors {
                door.remove()
                SocketIO.close(door.descriptor)
            }
        }
    }

    let context: WorkerContext
    private let process: Process
    private let reactor: Reactor
    private let worker: Worker
    private let listener: Listener
    private let tcpListener: Listener

    /// `providers`: names of those that the test plays, of which the first is drawn before the others but for once in a
    /// million.
    convenience init(
        _ configuration: Configuration = Configuration(), providers: [String] = [],
        projects: ProjectFinder = ProjectFinder(), _ change: (inout Configuration) -> Void = { _ in }
    ) throws {
        try self.init(Process(configuration, providers: providers, projects: projects, change), 0, of: 1)
    }

    /// Several workers of one process.
    static func several(_ count: Int, _ configuration: Configuration) throws -> [WorkerScene] {
        let process = try Process(configuration, providers: []) { _ in }
        return try (0..<count).map { try WorkerScene(process, $0, of: count) }
    }

    private init(_ process: Process, _ index: Int, of count: Int) throws {
        self.process = process
        reactor = try Reactor { [clock = process.clock] in clock.now }
        context = try WorkerContext(
            index: index, count: count, control: Mailbox(), store: process.store, access: process.access,
            pots: PotLedger(process.store),
            events: Events(EventLog(journalStream: nil, isVerbose: false)),
            gate: PeerGate(ownUID: getuid(), overflowUID: 65534), activity: Activity(now: 0),
            board: StatusBoard(
                version: "", pid: 0, configuration: "", database: "", listeners: [], startedAt: 0, startedMonotonic: 0),
            credentialsDirectory: nil, roster: process.roster, projects: process.projects,
            metrics: process.metrics)
        worker = try Worker(context, process.snapshot, on: reactor)
        listener = Listener(ListeningSocket(descriptor: -1, kind: .unix(path: "/x"), name: "unix:/x"), worker)
        tcpListener = Listener(
            ListeningSocket(descriptor: -1, kind: .tcp(addresses: ["127.0.0.1"], port: 1), name: "tcp:1"), worker)
    }

    deinit { worker.engine.close() }

    var clock: ManualClock { process.clock }

    /// Bytes that callers do not take.
    var unread: Int { worker.answers.total }

    func openRequests(limit: Int) -> OpenRequests { OpenRequests(at: worker, limit: limit) }

    /// Those at its first provider.
    var places: Places { process.snapshot.commons.providers[0].places }

    // MARK: Time

    func turn() throws { try reactor.turn(mayWait: false) }

    /// Lets time pass, and does whatever can be done then.
    func pass(_ seconds: Double) throws {
        clock.turn(seconds: seconds)
        for _ in 0..<20 { try turn() }
    }

    /// Turns the loop until there is something to be had; what needs the store's thread comes a moment later.
    @discardableResult
    func until<T>(_ what: @autoclosure () -> String, _ find: () throws -> T?) throws -> T {
        let end = Clock.monotonic() + 10_000_000
        while Clock.monotonic() < end {
            if let found = try find() { return found }
            try turn()
        }
        throw TestFailure("\(what()) did not come")
    }

    // MARK: Callers

    /// A caller that has just connected.
    func call(isTCP: Bool = false) throws -> Caller {
        var ends: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        try #require(socketpair(AF_UNIX, kind, 0, &ends) == 0)
        worker.admit(ends[0], from: isTCP ? tcpListener : listener)
        return Caller(descriptor: ends[1], wire: Wire(ends[1]))
    }

    /// A caller with one request, which has been taken up.
    func ask(
        _ method: String = "POST", _ target: String = "/v1/chat/completions", _ fields: [String] = [],
        body: String = ""
    ) throws -> Caller {
        let caller = try call()
        try caller.ask(method, target, fields, body: body)
        try pass(0)
        return caller
    }

    /// What a caller gets, perhaps only after the store has kept a record.
    func answer(to caller: Caller) throws -> String {
        try until("an answer") { caller.hearsNothing ? nil : true }
        return String(decoding: try caller.wire.read(), as: UTF8.self)
    }

    // MARK: Providers

    /// A provider's end of the next connection to it.
    func accept(_ provider: Int = 0) throws -> Caller {
        let descriptor = try until("a connection") { try SocketIO.accept(process.doors[provider].descriptor) }
        return Caller(descriptor: descriptor, wire: Wire(descriptor))
    }

    func isUnasked(_ provider: Int) throws -> Bool {
        try pass(0)
        return try SocketIO.accept(process.doors[provider].descriptor) == nil
    }

    // MARK: What they hear

    /// All that an end is told until `mark`; without one, until the other side has ended.
    @discardableResult
    func hear(_ end: Caller, until mark: String? = nil) throws -> String {
        var text = ""
        return try until("\(mark ?? "the end") after \(text.debugDescription)") {
            while !end.hearsNothing {
                let piece = try end.wire.read()
                if piece.isEmpty { return text }
                text += String(decoding: piece, as: UTF8.self)
                if let mark, text.contains(mark) { return text }
            }
            return nil
        }
    }

    /// Reads what is there, and what comes of that; returns how many bytes.
    @discardableResult
    func drain(_ end: Caller) throws -> Int {
        var count = 0
        while true {
            try pass(0)
            if end.hearsNothing { return count }
            let piece = try end.wire.read()
            if piece.isEmpty { return count }
            count += piece.count
        }
    }

    /// Writes pieces until nothing more is taken; returns how many bytes were.
    @discardableResult
    func fill(_ end: Caller, _ piece: [UInt8]) throws -> Int {
        var count = 0
        var rest = piece[...]
        var refusals = 0
        while refusals < 3 {
            let taken = try end.wire.writeWithoutWaiting(Array(rest))
            count += taken
            rest = taken == rest.count ? piece[...] : rest.dropFirst(taken)
            refusals = taken == 0 ? refusals + 1 : 0
            try pass(0)
        }
        return count
    }

    // MARK: Records

    /// The records of all requests that have ended; nothing more is recorded then.
    func records() throws -> [RequestRow] {
        try pass(0)
        process.store.close()
        return try RequestRow.all(process.directory.path("menshen.db"))
    }

    /// From now on the worker ends.
    func drain(within seconds: Double) throws {
        context.mailbox.post(.drain(deadline: clock.now + UInt64(seconds * 1_000_000)))
        try pass(0)
    }
}

/// The test's end of a connection to the worker: a caller's, or a provider's.
struct Caller {
    fileprivate let descriptor: Int32
    let wire: Wire

    /// Nothing was said to it, and its connection is open.
    var hearsNothing: Bool { SocketIO.isSilent(descriptor) }

    func ask(_ method: String, _ target: String, _ fields: [String] = [], body: String = "") throws {
        let lines = ["\(method) \(target) HTTP/1.1", "Host: a"] + fields
        let length = body.isEmpty ? "" : "Content-Length: \(body.utf8.count)\r\n"
        try wire.write(lines.joined(separator: "\r\n") + "\r\n" + length + "\r\n" + body)
    }

    /// A provider's answer.
    func reply(_ status: Int = 200, _ body: String) throws {
        let fields = "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
        try wire.write("HTTP/1.1 \(status) X\r\n\(fields)\r\n\(body)")
    }

    func beginStream() throws {
        try wire.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    }

    func chunk(_ text: String) throws { try wire.write(String(text.utf8.count, radix: 16) + "\r\n\(text)\r\n") }
    func endStream() throws { try wire.write("0\r\n\r\n") }
}
