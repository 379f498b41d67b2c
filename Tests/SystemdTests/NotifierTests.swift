// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
import Linux
import Systemd
import Testing

@Suite struct NotifierTests {
    private func notifier(_ manager: Manager, usec: String? = nil, pid: String? = nil) -> Notifier {
        Notifier(socket: manager.address, watchdogMicroseconds: usec, watchdogPID: pid, ownPID: 7)
    }

    @Test(arguments: [false, true])
    func `each message is one datagram, to a path or an abstract address`(abstract: Bool) throws {
        let manager = try Manager(abstract: abstract)
        let notifier = notifier(manager)
        #expect(notifier.isActive)
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

    @Test(
        arguments: [
            ("30000000", nil, 15_000_000), ("30000000", "7", 15_000_000), ("30000000", "8", nil),
            ("30000000", "x", nil),
            ("0", "7", nil), ("-5", "7", nil), ("x", nil, nil), (nil, "7", nil),
        ] as [(String?, String?, UInt64?)])
    func `the watchdog is only ours if it names us`(usec: String?, pid: String?, expected: UInt64?) throws {
        let manager = try Manager(abstract: false)
        #expect(notifier(manager, usec: usec, pid: pid).watchdogInterval == expected)
    }

    @Test(arguments: [nil, "", "relative", "vsock:2:1234"] as [String?])
    func `without a manager nothing is sent`(address: String?) {
        let notifier = Notifier(socket: address, watchdogMicroseconds: nil, watchdogPID: nil, ownPID: 7)
        #expect(!notifier.isActive)
        #expect(!notifier.ready(status: "serving"))
    }

    @Test func `a manager that is gone is no fault of ours`() {
        let notifier = Notifier(
            socket: "/nonexistent/notify", watchdogMicroseconds: nil, watchdogPID: nil, ownPID: 7)
        #expect(!notifier.watchdog())
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

    @Test func `taking removes the variables`() throws {
        let manager = try Manager(abstract: false)
        setenv("NOTIFY_SOCKET", manager.address, 1)
        setenv("WATCHDOG_USEC", "1000000", 1)
        setenv("WATCHDOG_PID", "\(getpid())", 1)
        let notifier = Notifier.take()
        #expect(notifier.isActive)
        #expect(notifier.watchdogInterval == 500_000)
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] { #expect(Environment.value(name) == nil) }
    }
}

/// A datagram socket standing in for the service manager's.
private final class Manager {
    let address: String
    private let descriptor: Int32

    init(abstract: Bool) throws {
        let name = "/tmp/menshen-notify-\(getpid())-\(Clock.monotonic())-\(UInt32.random(in: 0...(.max)))"
        address = abstract ? "@" + name.dropFirst() : name
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var place = sockaddr_un()
        place.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(address.utf8)
        withUnsafeMutableBytes(of: &place.sun_path) { $0.copyBytes(from: bytes) }
        if abstract { place.sun_path.0 = 0 }
        let size = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let bound = withUnsafePointer(to: &place) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        try #require(bound == 0)
    }

    deinit {
        close(descriptor)
        if address.first == "/" { unlink(address) }
    }

    /// The next datagram, or an empty text if none waits: messages are sent before they are looked for.
    func next() -> String {
        var buffer = [UInt8](repeating: 0, count: 8192)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
    }
}
