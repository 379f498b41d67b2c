// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
import Glibc
import Linux
import Systemd
import Testing

/// libsystemd reads the process's own environment and descriptors, which other tests use at the same time: each of these runs
/// in a process of its own.
@Suite struct ServiceManagerTests {
    @Test func `sockets come with their names, close on exec and without the variables`() async {
        await #expect(processExitsWith: .success) {
            guard inherit(2) else { exit(2) }
            give("LISTEN_FDNAMES", "http:tcp")
            give("LISTEN_PIDFDID", "1")
            let activation = take("2")
            let isClosedOnExec = [3, 4].allSatisfy { fcntl($0, F_GETFD) & FD_CLOEXEC != 0 }
            guard activation.sockets.map(\.name) == ["http", "tcp"], activation.sockets.map(\.descriptor) == [3, 4],
                activation.remarks.isEmpty, isClosedOnExec, isUnset(listenVariables)
            else { exit(1) }
            exit(0)
        }
    }

    @Test func `a socket without a name is unknown`() async {
        await #expect(processExitsWith: .success) {
            guard inherit(1) else { exit(2) }
            exit(take("1").sockets.map(\.name) == ["unknown"] ? 0 : 1)
        }
    }

    @Test func `what was meant for another process is left alone`() async {
        await #expect(processExitsWith: .success) {
            guard inherit(1) else { exit(2) }
            let before = fcntl(3, F_GETFD)
            #expect(take("1", pid: "1") == Activation())
            give("LISTEN_FDS", "1")
            #expect(Activation.take() == Activation())
            #expect(fcntl(3, F_GETFD) == before)
            #expect(isUnset(listenVariables))
        }
    }

    @Test func `malformed variables take nothing and are named`() async {
        await #expect(processExitsWith: .success) {
            for count in ["", "x", "-1", "1x", "99999999999999999999", "2147483647"] {
                let activation = take(count)
                #expect(activation.sockets.isEmpty)
                #expect(activation.remarks.first?.hasSuffix(" LISTEN_FDS=\(count)); no socket is taken") == true)
                #expect(isUnset(listenVariables))
            }
            for pid in ["", "x", "7x", "99999999999999999999"] {
                let activation = take("1", pid: pid)
                #expect(activation.sockets.isEmpty)
                #expect(activation.remarks.first?.contains("(LISTEN_PID=\(pid) LISTEN_FDS=1)") == true)
            }
        }
    }

    // MARK: Notifications

    @Test func `each message is one datagram, to a path or an abstract address`() async {
        await #expect(processExitsWith: .success) {
            for isAbstract in [false, true] {
                let manager = try Manager(abstract: isAbstract)
                let notifier = notifier(manager.address)
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
        }
    }

    @Test func `reloading carries the monotonic time`() async {
        await #expect(processExitsWith: .success) {
            let manager = try Manager(abstract: false)
            let before = Clock.monotonic()
            notifier(manager.address).reloading()
            let text = manager.next()
            #expect(text.hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
            let time = try #require(text.split(separator: "=").last.flatMap { UInt64($0) })
            #expect((before...Clock.monotonic()).contains(time))
        }
    }

    @Test func `a status cannot add an assignment`() async {
        await #expect(processExitsWith: .success) {
            let manager = try Manager(abstract: false)
            notifier(manager.address).status("fault:\nMAINPID=1\r\n\u{0}x")
            #expect(manager.next() == "STATUS=fault: MAINPID=1   x")
        }
    }

    @Test func `a long status is cut between two characters`() async {
        await #expect(processExitsWith: .success) {
            let manager = try Manager(abstract: false)
            notifier(manager.address).ready(status: "x" + String(repeating: "門", count: 5000))
            let text = manager.next()
            #expect(text.utf8.count < 1100)
            #expect(text.hasSuffix("門…") && !text.contains("\u{FFFD}"))
        }
    }

    @Test func `without a manager nothing is sent`() async {
        await #expect(processExitsWith: .success) {
            for address in [nil, "", "relative", "/nonexistent/notify"] {
                #expect(!notifier(address).ready(status: "serving"), "\(address ?? "none")")
            }
        }
    }

    @Test func `a manager that does not read holds us for a moment only`() async {
        await #expect(processExitsWith: .success) {
            let manager = try Manager(abstract: false)
            let notifier = notifier(manager.address)
            var sent = 0
            // The queue's length is net.unix.max_dgram_qlen.
            while sent < 100_000, notifier.watchdog() { sent += 1 }
            #expect((1..<100_000).contains(sent))
            #expect(manager.next() == "WATCHDOG=1")
            #expect(notifier.watchdog())
        }
    }

    @Test func `the watchdog is only ours if it names us`() async {
        await #expect(processExitsWith: .success) {
            let cases: [(usec: String?, pid: String?, expected: UInt64?)] = [
                ("30000000", nil, 15_000_000), ("30000000", "\(getpid())", 15_000_000), ("30000000", "1", nil),
                ("30000000", "x", nil), ("0", "\(getpid())", nil), ("-5", nil, nil), ("x", nil, nil), (nil, "7", nil),
            ]
            for (usec, pid, expected) in cases {
                give("WATCHDOG_USEC", usec)
                give("WATCHDOG_PID", pid)
                #expect(Notifier.take().watchdogInterval == expected, "\(usec ?? "none") \(pid ?? "none")")
                #expect(isUnset(["WATCHDOG_USEC", "WATCHDOG_PID"]))
            }
        }
    }

    // MARK: What runs here

    @Test func `systemd runs where its directory is`() {
        #expect(ServiceManager.isSystemd == (access("/run/systemd/system", F_OK) == 0))
    }

    /// Its name is the container's to check, where there are units.
    @Test func `a peer's unit is named in its control group, or there is none`() throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        let text = try String(decoding: FileReading.bytes("/proc/self/cgroup", limit: 1 << 16), as: UTF8.self)
        if let unit = PeerUnit.name(socket: ends[0]) { #expect(text.contains("/\(unit)")) }
        #expect(PeerUnit.name(socket: -1) == nil)
    }
}

/// Puts that many listening sockets where systemd would, in descriptors of this thread's own: another thread may close what had
/// those numbers before.
private func inherit(_ count: Int32) -> Bool {
    // Glibc's Swift module has neither unshare(2) nor CLONE_FILES.
    guard let symbol = dlsym(nil, "unshare") else { return false }
    let unshare = unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Int32).self)
    guard unshare(0x400) == 0 else { return false }
    return (3..<3 + count).allSatisfy { number in
        let listener = clinux_listen_tcp("127.0.0.1", 0, 1)
        return (listener == number || dup2(listener, number) == number) && fcntl(number, F_SETFD, 0) == 0
    }
}

private let listenVariables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]

private func give(_ name: String, _ value: String?) {
    if let value { setenv(name, value, 1) } else { unsetenv(name) }
}

private func isUnset(_ names: [String]) -> Bool { names.allSatisfy { Environment.value($0) == nil } }

private func take(_ count: String, pid: String = "\(getpid())") -> Activation {
    give("LISTEN_PID", pid)
    give("LISTEN_FDS", count)
    return Activation.take()
}

private func notifier(_ address: String?) -> Notifier {
    give("NOTIFY_SOCKET", address)
    return Notifier.take()
}
