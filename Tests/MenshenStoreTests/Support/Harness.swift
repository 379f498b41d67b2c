// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Linux
import MenshenCore
import MenshenStore
import SQLite
import Synchronization
import Systemd
import TestSupport

/// A directory that is gone with the object.
final class Scratch: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/menshen-store-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, let made = mkdtemp(base) else {
                preconditionFailure("mkdtemp: \(errno)")
            }
            return String(cString: made)
        }
    }

    deinit { Self.remove(path) }

    func callAsFunction(_ name: String) -> String { path + "/" + name }

    private static func remove(_ path: String) {
        for name in names(in: path) {
            let child = path + "/" + name
            if unlink(child) != 0 { remove(child) }
        }
        rmdir(path)
    }

    static func names(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var found: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { found.append(name) }
        }
        return found
    }
}

/// Stands in for journald: a datagram socket whose entries are read back as dictionaries.
final class FakeJournal: Sendable {
    let path: String
    private let descriptor: Int32
    private let inbox: Inbox
    private let reader: NamedThread

    init(_ path: String) {
        self.path = path
        let descriptor = Self.listen(path)
        self.descriptor = descriptor
        let inbox = Inbox(descriptor)
        self.inbox = inbox
        guard let reader = try? NamedThread("journal", { inbox.readUntilStopped() }) else {
            preconditionFailure("no thread")
        }
        self.reader = reader
    }

    /// A datagram socket of that name, non-blocking.
    static func listen(_ path: String) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        precondition(result == 0, "bind: \(errno)")
        return descriptor
    }

    deinit {
        inbox.stop()
        reader.join()
        close(descriptor)
    }

    /// All entries that have arrived since the last call.
    func entries() -> [[String: String]] { inbox.entries() }

    /// The kernel queues few datagrams (net.unix.max_dgram_qlen), so somebody has to read all the time.
    private final class Inbox: Sendable {
        private let state = Mutex<(entries: [[String: String]], isStopped: Bool)>(([], false))
        private let descriptor: Int32

        init(_ descriptor: Int32) { self.descriptor = descriptor }

        func stop() { state.withLock { $0.isStopped = true } }

        func readUntilStopped() {
            while true {
                var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                poll(&ready, 1, 20)
                let isStopped = state.withLock { state in
                    state.entries += FakeJournal.read(descriptor)
                    return state.isStopped
                }
                if isStopped { return }
            }
        }

        func entries() -> [[String: String]] {
            state.withLock { state in
                defer { state.entries.removeAll() }
                return state.entries + FakeJournal.read(descriptor)
            }
        }
    }

    private static func read(_ descriptor: Int32) -> [[String: String]] {
        var found: [[String: String]] = []
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count >= 0 else { return found }
            var fields: [String: String] = [:]
            for line in buffer[..<count].split(separator: UInt8(ascii: "\n")) {
                let parts = line.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2 else { continue }
                fields[String(decoding: parts[0], as: UTF8.self)] = String(decoding: parts[1], as: UTF8.self)
            }
            found.append(fields)
        }
    }
}

final class ManualClock: Sendable {
    private let value = Mutex<UInt64>(1_000_000_000)
    var now: UInt64 { value.withLock { $0 } }
    func advance(seconds: UInt64) { value.withLock { $0 += seconds * 1_000_000 } }
}

/// Collects receipts and lets a thread wait for a number of them.
final class Collector: ReceiptSink {
    private let state = Mutex<(receipts: [AuditReceipt], deliveries: Int)>(([], 0))
    private let check: (@Sendable ([AuditReceipt]) -> Void)?

    init(_ check: (@Sendable ([AuditReceipt]) -> Void)? = nil) { self.check = check }

    func deliver(_ receipts: [AuditReceipt]) {
        state.withLock {
            $0.receipts += receipts
            $0.deliveries += 1
        }
        check?(receipts)
    }

    var receipts: [AuditReceipt] { state.withLock { $0.receipts } }
    var devices: [AuditDevice] { receipts.map(\.device) }
    var deliveries: Int { state.withLock { $0.deliveries } }

    /// Number of receipts since the last call; forgets them.
    func taken() -> Int {
        state.withLock { state in
            defer { state.receipts.removeAll(keepingCapacity: true) }
            return state.receipts.count
        }
    }
}

final class Events: Sendable {
    private let events = Mutex<[StoreEvent]>([])
    var all: [StoreEvent] { events.withLock { $0 } }
    func log(_ event: StoreEvent) { events.withLock { $0.append(event) } }
    var degradations: [String] {
        all.compactMap { event in if case .degraded(_, let fault, _) = event { fault.reason } else { nil } }
    }
}

let caller = CallerRecord(
    uid: 1000, pid: 4242, executable: "/usr/bin/python3.11", unit: "notebook.service", address: "unix")

func id(_ number: Int64, second: Int64 = 1_800_000_000) -> RequestID {
    RequestID(microseconds: second * 1_000_000 + number)
}

func intent(_ id: RequestID, model: String? = "gpt-4o") -> AuditIntent {
    AuditIntent(
        id: id, caller: caller, tokenName: nil, method: "POST", path: "/v1/chat/completions", dialect: .openai,
        operation: .chat, provider: "openai", model: model, isStream: true)
}

func settlement(_ intent: AuditIntent, _ state: EndState = .complete) -> AuditSettlement {
    var end = AuditSettlement(intent: intent, endState: state, totalMicroseconds: 123_456, bytesIn: 1024, bytesOut: 600)
    end.status = 200
    end.firstByteMicroseconds = 45_000
    end.attempts = [
        AttemptRecord(
            provider: "openai", status: 200, reason: "ok", startedMicroseconds: 60, endedMicroseconds: 123_400)
    ]
    return end
}

func refusal(_ number: Int64) -> AuditSettlement {
    let intent = AuditIntent(
        id: id(number), caller: CallerRecord(uid: nil, pid: nil, executable: nil, unit: nil, address: "127.0.0.1:5000"),
        tokenName: nil, method: "POST", path: "/v1/models", dialect: .openai, operation: .models, provider: nil,
        model: nil,
        isStream: nil)
    var end = AuditSettlement(intent: intent, endState: .refused, totalMicroseconds: 90, bytesIn: 0, bytesOut: 120)
    end.status = 401
    end.problem = "unauthenticated"
    return end
}

extension StoreWorker {
    /// One batch.
    func record(_ entries: [AuditEntry], _ sink: (any ReceiptSink)? = nil) {
        var batch = entries.map { Submission(entry: $0, sink: sink) }
        process(&batch, 0..<batch.count)
    }

    /// What the thread does until it would sleep.
    func rest() { while doChore() {} }
}

extension Connection {
    static func reading(_ path: String) throws -> Connection {
        try Connection(path: path, .readWrite, busyMilliseconds: 0)
    }

    func count(_ rest: String) throws -> Int64 { try integer("SELECT count(*) FROM \(rest)") ?? -1 }
}

/// A journal's socket that nobody reads, but for what a test asks for.
final class DeafJournal {
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard descriptor >= 0, bound == 0 else { throw TestFailure("bind \(path): errno \(errno)") }
    }

    deinit { close(descriptor) }

    /// Ids of the requests whose entries wait.
    func read() -> [String] {
        var found: [String] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count >= 0 else { return found }
            for line in buffer[..<count].split(separator: UInt8(ascii: "\n")) {
                let text = String(decoding: line, as: UTF8.self)
                if text.hasPrefix("MENSHEN_REQUEST_ID=") { found.append(String(text.dropFirst(19))) }
            }
        }
    }
}

/// Makes a file one line of text. False if it can't be written.
func truncateToText(_ path: String) -> Bool {
    let file = open(path, O_WRONLY | O_TRUNC)
    defer { close(file) }
    return write(file, "no database at all, but long enough to be taken for one, if it were\n", 60) == 60
}
