// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import CSystemd
internal import Glibc
internal import Linux

/// Tells the service manager how we are. Does nothing when nobody asked. Any thread may call it. A message waits at most
/// 250 ms when the manager's queue is full, then it is lost.
package struct Notifier: Sendable {
    /// How often the manager wants to hear `watchdog()`, in microseconds, already halved as sd_watchdog_enabled(3)
    /// advises; nil if it does not watch. Call it from the event loop itself: a timer thread proves nothing.
    package let watchdogInterval: UInt64?
    /// Connected to the manager, only to ask whether there is room, because sd_notify(3) waits for it without end. Kept for
    /// the life of the process; negative if there is no manager.
    private let probe: Int32

    /// Reads what this process was given. Call it once, before any thread starts. $NOTIFY_SOCKET stays, because libsystemd
    /// reads it for every message; programs that menshen starts get an environment of their own, without it.
    package static func take() -> Notifier {
        var interval: UInt64 = 0
        let isWatched = sd_watchdog_enabled(1, &interval) > 0
        let probe = Environment.value("NOTIFY_SOCKET").map { clinux_connect_datagram($0) } ?? -1
        return Notifier(watchdogInterval: isWatched ? interval / 2 : nil, probe: probe)
    }

    /// Start-up, or a reload, is done. True if the manager has the message.
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
        // No answer to the question, as from a manager that began anew: sd_notify finds out.
        var room = pollfd(fd: probe, events: Int16(POLLOUT), revents: 0)
        if probe >= 0, poll(&room, 1, 250) == 0 { return false }
        return sd_notify(0, text) > 0
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
}
