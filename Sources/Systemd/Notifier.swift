// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
internal import Linux

/// Tells the service manager how we are (sd_notify(3)): one datagram each to $NOTIFY_SOCKET. Does nothing when nobody
/// asked. Any thread may call it. A message waits at most 250 ms when the manager's queue is full, then it is lost.
package struct Notifier: Sendable {
    /// How often the manager wants to hear `watchdog()`, in microseconds, already halved as sd_watchdog_enabled(3)
    /// advises; nil if it does not watch. Call it from the event loop itself: a timer thread proves nothing.
    package let watchdogInterval: UInt64?
    private let address: String?
    /// Kept open for the life of the process; -1 if there is no manager.
    private let descriptor: Int32

    /// Reads what this process was given and removes the variables, so that children cannot speak for us.
    /// Call it once, before any thread starts.
    package static func take() -> Notifier {
        Notifier(
            socket: Environment.take("NOTIFY_SOCKET"), watchdogMicroseconds: Environment.take("WATCHDOG_USEC"),
            watchdogPID: Environment.take("WATCHDOG_PID"), ownPID: getpid())
    }

    package init(socket: String?, watchdogMicroseconds: String?, watchdogPID: String?, ownPID: Int32) {
        watchdogInterval = Self.interval(watchdogMicroseconds, pid: watchdogPID, ownPID: ownPID)
        // "vsock:…" is for virtual machine images; we are none.
        guard let socket, socket.first == "/" || socket.first == "@" else {
            address = nil
            descriptor = -1
            return
        }
        address = socket
        descriptor = clinux_datagram_socket()
        guard descriptor >= 0 else { return }
        var patience = timeval(tv_sec: 0, tv_usec: 250_000)
        _ = clinux_set_nonblocking(descriptor, 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    /// True if a service manager listens for us.
    package var isActive: Bool { descriptor >= 0 }

    /// Start-up, or a reload, is done.
    @discardableResult
    package func ready(status: String) -> Bool { send("READY=1\nSTATUS=\(Self.line(status))") }

    /// A reload begins; `ready` ends it. First thing in the SIGHUP handler: `systemctl reload` waits for it.
    @discardableResult
    package func reloading() -> Bool { send("RELOADING=1\nMONOTONIC_USEC=\(Clock.monotonic())") }

    @discardableResult
    package func stopping(status: String) -> Bool { send("STOPPING=1\nSTATUS=\(Self.line(status))") }

    /// The line that `systemctl status` shows.
    @discardableResult
    package func status(_ text: String) -> Bool { send("STATUS=\(Self.line(text))") }

    @discardableResult
    package func watchdog() -> Bool { send("WATCHDOG=1") }

    /// Asks for more time to start, reload or stop, counted from now; only needed for a drain longer than the unit's
    /// TimeoutStopSec=.
    @discardableResult
    package func extendTimeout(microseconds: UInt64) -> Bool { send("EXTEND_TIMEOUT_USEC=\(microseconds)") }

    private func send(_ text: String) -> Bool {
        guard let address, descriptor >= 0 else { return false }
        let bytes = Array(text.utf8)
        return clinux_send_datagram(descriptor, address, bytes, bytes.count, -1) == bytes.count
    }

    /// One line: a newline would begin another assignment. The manager ignores datagrams above 4096 bytes, so a long
    /// text is cut, between two characters.
    static func line(_ text: String) -> String {
        var line = ""
        for scalar in text.unicodeScalars {
            guard line.utf8.count < 1024 else { return line + "…" }
            line.unicodeScalars.append(scalar.value < 0x20 || scalar.value == 0x7F ? " " : scalar)
        }
        return line
    }

    private static func interval(_ text: String?, pid: String?, ownPID: Int32) -> UInt64? {
        guard let text, let value = UInt64(text), value > 1 else { return nil }
        if let pid, Int32(pid) != ownPID { return nil }
        return value / 2
    }
}
