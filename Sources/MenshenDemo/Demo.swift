// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import Reactor

/// `menshen demo`: a provider of our own that wants a key, a real daemon that has it, and a caller that has none.
/// The main thread runs provider, signals and output; the caller blocks on a thread of its own.
package final class Demo: TimerHandler {
    private enum Event: Sendable {
        case piece(String)
        case answered(isStream: Bool, DemoCaller.Reply)
        case failed(String)
    }

    /// A start takes some 50 ms; a machine that is busy building may need longer.
    private static let startLimit: UInt64 = 10_000_000
    /// From the end of the last answer until its row must be settled.
    private static let recordLimit: UInt64 = 3_000_000
    private static let recordLook: UInt64 = 5_000

    private let keeps: Bool
    private let report = DemoReport()
    private let directory: DemoDirectory
    private let reactor: Reactor
    private let mailbox: Mailbox<Event>
    private let key: String
    private let startedAt = Clock.monotonic()
    private var provider: DemoProvider?
    private var daemon: DemoProcess?
    private var notifications: NotifyReader?
    private var signals: SignalSource?
    private var reader: MailboxReader?
    private var caller: NamedThread?
    private var replies: [DemoCaller.Reply] = []
    private var deadline = UInt64.max
    private var exitCode: Int32 = 1
    private lazy var timer = Timer(self)

    /// `keeps`: stay up after the report until a signal comes.
    package init(keeps: Bool) throws {
        self.keeps = keeps
        ProcessHardening.ignoreBrokenPipes()
        reactor = try Reactor()
        mailbox = try Mailbox()
        var generator = SystemRandomNumberGenerator()
        key =
            "sk-demo-"
            + (0..<24).map { _ in String("abcdefghijkmnpqrstuvwxyz23456789".randomElement(using: &generator) ?? "x") }
            .joined()
        directory = try DemoDirectory()
    }

    /// Returns the exit code: 0 if everything that was claimed is true. Leaves nothing behind.
    package func run() -> Int32 {
        defer { directory.remove() }
        defer { daemon?.stop(within: 3_000_000) }
        do {
            signals = try SignalSource(SignalSource.handled + [DemoProcess.ended], on: reactor) { [unowned self] in
                received($0)
            }
            reader = try MailboxReader(mailbox, on: reactor) { [unowned self] in receive($0) }
            try start()
            try reactor.run()
        } catch {
            fail("\(error)")
        }
        // An interrupted caller waits for an answer that ends with the provider.
        provider = nil
        daemon?.stop(within: 3_000_000)
        caller?.join()
        return exitCode
    }

    // MARK: Start

    private func start() throws {
        report.write(
            report.styled("menshen demo", .bold)
                + ": a caller without a key, menshen at the door, a provider that wants one\n")
        let provider = try DemoProvider(directory.file("provider.sock"), key: key, on: reactor)
        self.provider = provider
        try FileReading.create(directory.file("key"), Array((key + "\n").utf8))
        try FileReading.create(directory.file("config.toml"), Array(configuration.utf8))
        let notify = directory.file("notify.sock")
        notifications = try NotifyReader(UnixAddress(notify).bindDatagram(), on: reactor) { [unowned self] in ready() }
        daemon = try DemoProcess(
            "/proc/self/exe",
            [
                "menshen", "serve", "--config", directory.file("config.toml"), "--socket",
                directory.file("menshen.sock"),
            ],
            environment: DemoProcess.environment(["PATH", "HOME", "LANG", "TZ", "LD_LIBRARY_PATH"]) + [
                "NOTIFY_SOCKET=\(notify)"
            ],
            output: directory.file("output"), errors: directory.file("errors"), apart: true)
        reactor.timers.set(timer, at: reactor.now + Self.startLimit)
    }

    private var configuration: String {
        """
        [[providers]]
        name = "demo"
        kind = "openai"
        base_url = "unix://\(directory.file("provider.sock")):/v1"
        api_key_file = "\(directory.file("key"))"

        [storage.sqlite]
        path = "\(directory.file("menshen.db"))"

        """
    }

    /// The daemon says that it can serve.
    private func ready() {
        guard caller == nil else { return }
        reactor.timers.cancel(timer)
        report.heading("1. The door is up")
        report.line("provider  \(directory.file("provider.sock")), which takes the key \(masked) and no other")
        report.line("menshen   \(directory.file("menshen.sock")), which has that key in a file beside it")
        let took = Int64(Clock.monotonic() - startedAt)
        let modes = ["", "menshen.sock", "key"].map { FileReading.mode(directory.file($0)) }
        report.check(
            modes == [0o700, 0o600, 0o600],
            "ready after \(DemoRow.milliseconds(took)); directory 0700, socket and key file 0600")
        report.heading("2. Two requests by a caller that has no key")
        report.line(report.styled("> POST /v1/chat/completions", .word))
        for decoy in DemoCaller.decoys { report.line(report.styled("> \(decoy.name): \(decoy.value)", .word)) }
        report.write("  plain:    ")
        do {
            caller = try NamedThread("caller") { [mailbox, socket = directory.file("menshen.sock")] in
                do {
                    for isStream in [false, true] {
                        let reply = try DemoCaller(socket: socket).ask(isStream: isStream) { mailbox.post(.piece($0)) }
                        mailbox.post(.answered(isStream: isStream, reply))
                    }
                } catch {
                    mailbox.post(.failed("\(error)"))
                }
            }
        } catch {
            fail("\(error)")
        }
    }

    // MARK: Events

    private func receive(_ event: Event) {
        switch event {
        case .piece(let text): report.write(text)
        case .failed(let reason): fail(reason)
        case .answered(let isStream, let reply):
            replies.append(reply)
            report.write("\n")
            if isStream { return awaitRecords() }
            report.write("  streamed: ")
        }
    }

    private func received(_ signal: Int32) {
        guard signal == DemoProcess.ended else {
            report.write("\n")
            exitCode = keeps && replies.count == 2 ? exitCode : 128 + signal
            return reactor.stop()
        }
        if let daemon, daemon.hasEnded() { fail("the daemon ended") }
    }

    func timerFired(_ timer: Timer) {
        guard replies.count == 2 else { return fail("the daemon was not ready within 10 seconds") }
        lookForRecords()
    }

    private func fail(_ reason: String) {
        report.write("\n\(report.styled("menshen demo failed:", .bad)) \(reason)\n")
        if let log = try? FileReading.bytes(directory.file("errors"), limit: 1 << 20), !log.isEmpty {
            report.write("What the daemon said:\n" + String(decoding: log, as: UTF8.self))
        }
        exitCode = 1
        reactor.stop()
    }

    // MARK: The end

    private func awaitRecords() {
        deadline = reactor.now + Self.recordLimit
        lookForRecords()
    }

    /// A row is settled by the store's thread just after the caller has its answer.
    private func lookForRecords() {
        let rows = DemoRow.read(directory.file("menshen.db")) ?? []
        let areSettled = rows.count { $0.endState == EndState.complete.rawValue } >= 2
        guard areSettled || reactor.now >= deadline else {
            return reactor.timers.set(timer, at: reactor.now + Self.recordLook)
        }
        guard let provider else { return }
        let findings = DemoFindings(report: report, directory: directory, key: key, masked: masked)
        findings.show(replies, provider.sightings, rows)
        let took = DemoRow.milliseconds(Int64(Clock.monotonic() - startedAt))
        if report.failed.isEmpty {
            report.write("\n\(report.styled("All \(report.passed) claims verified", .good)) in \(took).\n")
            exitCode = 0
        } else {
            report.write(
                "\n\(report.styled("\(report.failed.count) claims are not true", .bad)); please report this.\n")
        }
        findings.invite(keeps: keeps)
        guard keeps else { return reactor.stop() }
        provider.onRequest = { [report] sighting in
            report.note("the provider saw \(sighting.line), key \(Self.mask(sighting.authorization ?? "none"))")
        }
    }

    private var masked: String { Self.mask(key) }

    /// The first letters only.
    static func mask(_ text: String) -> String {
        let secret = text.hasPrefix("Bearer ") ? text.dropFirst(7) : text[...]
        return secret.prefix(11) + "…"
    }
}

/// Hears READY=1 of sd_notify(3).
private final class NotifyReader: ReadinessHandler {
    private let descriptor: Int32
    private let isReady: () -> Void

    init(_ descriptor: Int32, on reactor: Reactor, _ isReady: @escaping () -> Void) throws(SystemError) {
        self.descriptor = descriptor
        self.isReady = isReady
        try reactor.register(descriptor, .readable, self)
    }

    deinit { SocketIO.close(descriptor) }

    func ready(_ descriptor: Int32, _ readiness: Readiness) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case .bytes(let count) = buffer.withUnsafeMutableBytes({ SocketIO.read(descriptor, into: $0) }), count > 0
        {
            if buffer[..<count].split(separator: UInt8(ascii: "\n")).contains(where: {
                $0.elementsEqual("READY=1".utf8)
            }) {
                isReady()
            }
        }
    }
}
