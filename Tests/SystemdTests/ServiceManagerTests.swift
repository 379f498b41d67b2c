// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
import Glibc
import Linux
import Systemd
import Testing

/// libsystemd reads the process's own environment and descriptors, so these tests run one after the other, and those that
/// hand over descriptors in a process of their own.
@Suite(.serialized) struct ServiceManagerTests {
    private static let variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]

    private func take(_ count: String, pid: String = "\(getpid())") -> Activation {
        setenv("LISTEN_PID", pid, 1)
        setenv("LISTEN_FDS", count, 1)
        return Activation.take()
    }

    private static func isUnset(_ names: [String]) -> Bool { names.allSatisfy { Environment.value($0) == nil } }

    // MARK: Activation

    @Test func `sockets come with their names, close on exec and without the variables`() async {
        await #expect(processExitsWith: .success) {
            for port in [3, 4] as [Int32] {
                let listener = clinux_listen_tcp("127.0.0.1", 0, 1)
                guard listener == port || dup2(listener, port) == port, fcntl(port, F_SETFD, 0) == 0 else { exit(2) }
            }
            for (name, value) in [
                ("LISTEN_PID", "\(getpid())"), ("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "http:tcp"),
                ("LISTEN_PIDFDID", "1"),
            ] { setenv(name, value, 1) }
            let activation = Activation.take()
            let isClosedOnExec = [3, 4].allSatisfy { fcntl($0, F_GETFD) & FD_CLOEXEC != 0 }
            guard activation.sockets.map(\.name) == ["http", "tcp"], activation.sockets.map(\.descriptor) == [3, 4],
                activation.remarks.isEmpty, isClosedOnExec
            else { exit(1) }
            let names = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]
            exit(names.allSatisfy { Environment.value($0) == nil } ? 0 : 3)
        }
    }

    @Test func `a socket without a name is unknown`() async {
        await #expect(processExitsWith: .success) {
            let listener = clinux_listen_tcp("127.0.0.1", 0, 1)
            guard listener == 3 || dup2(listener, 3) == 3 else { exit(2) }
            setenv("LISTEN_PID", "\(getpid())", 1)
            setenv("LISTEN_FDS", "1", 1)
            exit(Activation.take().sockets.map(\.name) == ["unknown"] ? 0 : 1)
        }
    }

    @Test func `what was meant for another process is left alone`() {
        let before = fcntl(3, F_GETFD)
        #expect(take("1", pid: "1") == Activation())
        #expect(fcntl(3, F_GETFD) == before)
        setenv("LISTEN_FDS", "1", 1)
        #expect(Activation.take() == Activation())
        #expect(Self.isUnset(Self.variables))
    }

    @Test(arguments: ["", "x", "-1", "1x", "99999999999999999999", "2147483647"])
    func `a malformed count takes nothing and is named`(count: String) {
        let activation = take(count)
        #expect(activation.sockets.isEmpty)
        #expect(activation.remarks.count == 1)
        #expect(activation.remarks.first?.hasSuffix("LISTEN_FDS=\(count)); no socket is taken") == true)
        #expect(Self.isUnset(Self.variables))
    }

    @Test(arguments: ["", "x", "7x", "99999999999999999999"])
    func `a malformed process id takes nothing and is named`(pid: String) {
        let activation = take("1", pid: pid)
        #expect(activation.sockets.isEmpty)
        #expect(activation.remarks.first?.contains("(LISTEN_PID=\(pid) LISTEN_FDS=1)") == true)
    }

    // MARK: Notifications

    private func notifier(_ manager: Manager) -> Notifier {
        setenv("NOTIFY_SOCKET", manager.address, 1)
        return Notifier.take()
    }

    @Test(arguments: [false, true])
    func `each message is one datagram, to a path or an abstract address`(abstract: Bool) throws {
        let manager = try Manager(abstract: abstract)
        let notifier = notifier(manager)
        #expect(notifier.ready(status: "serving"))
        #expect(manager.next() == "READY=1\nSTATUS=serving")
        notifier.stopping(status: "draining 2 requests")
        #expect(manager.next() == "STOPPING=1\nSTATUS=draining 2 requests")
        notifier.status("idle")
        #expect(manager.next() == "STATUS=idle")
        notifier.watchdog()
        #expect(manager.next() == "WATCHDOG=1")
        notifier.extendTimeout(microseconds: 30_000_000)
        #expect(manager.next() == "EXTEND_TIMEOUT_USEC=30000000")
    }

    @Test func `reloading carries the monotonic time`() throws {
        let manager = try Manager(abstract: false)
        let before = Clock.monotonic()
        notifier(manager).reloading()
        let text = manager.next()
        #expect(text.hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
        let time = try #require(text.split(separator: "=").last.flatMap { UInt64($0) })
        #expect((before...Clock.monotonic()).contains(time))
    }

    @Test func `a status cannot add an assignment`() throws {
        let manager = try Manager(abstract: false)
        notifier(manager).status("fault:\nMAINPID=1\r\n\u{0}x")
        #expect(manager.next() == "STATUS=fault: MAINPID=1   x")
    }

    @Test func `a long status is cut between two characters`() throws {
        let manager = try Manager(abstract: false)
        notifier(manager).ready(status: "x" + String(repeating: "門", count: 5000))
        let text = manager.next()
        #expect(text.utf8.count < 1100)
        #expect(text.hasSuffix("門…") && !text.contains("\u{FFFD}"))
    }

    @Test(arguments: [nil, "", "relative", "/nonexistent/notify"] as [String?])
    func `without a manager nothing is sent`(address: String?) {
        if let address { setenv("NOTIFY_SOCKET", address, 1) } else { unsetenv("NOTIFY_SOCKET") }
        #expect(!Notifier.take().ready(status: "serving"))
    }

    @Test func `a manager that does not read holds us for a moment only`() throws {
        let manager = try Manager(abstract: false)
        let notifier = notifier(manager)
        var sent = 0
        // The queue's length is net.unix.max_dgram_qlen.
        while sent < 100_000, notifier.watchdog() { sent += 1 }
        #expect((1..<100_000).contains(sent))
        #expect(manager.next() == "WATCHDOG=1")
        #expect(notifier.watchdog())
    }

    @Test(
        arguments: [
            ("30000000", nil, 15_000_000), ("30000000", "own", 15_000_000), ("30000000", "1", nil),
            ("30000000", "x", nil), ("0", "own", nil), ("-5", "own", nil), ("x", nil, nil), (nil, "own", nil),
        ] as [(String?, String?, UInt64?)])
    func `the watchdog is only ours if it names us`(usec: String?, pid: String?, expected: UInt64?) {
        if let usec { setenv("WATCHDOG_USEC", usec, 1) }
        if let pid { setenv("WATCHDOG_PID", pid == "own" ? "\(getpid())" : pid, 1) }
        #expect(Notifier.take().watchdogInterval == expected)
        #expect(Self.isUnset(["WATCHDOG_USEC", "WATCHDOG_PID"]))
    }

    // MARK: What runs here

    @Test func `systemd runs where its directory is`() {
        #expect(ServiceManager.isSystemd == (access("/run/systemd/system", F_OK) == 0))
    }

    /// What systemd itself would say: the last part of the path that is a unit and not inside another.
    @Test func `a peer's unit is that of its control group, or none`() throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        let text = try String(decoding: FileReading.bytes("/proc/self/cgroup", limit: 1 << 16), as: UTF8.self)
        if let unit = PeerUnit.name(socket: ends[0]) {
            #expect(text.contains("/\(unit)"))
        } else {
            #expect(!text.contains(".service") || ServiceManager.isSystemd == false)
        }
        #expect(PeerUnit.name(socket: -1) == nil)
    }
}
