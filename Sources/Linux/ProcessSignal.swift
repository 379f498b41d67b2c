// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// Signals to another process.
package enum ProcessSignal {
    /// SIGHUP, at which a menshen reloads. False: it is gone, or another user's.
    package static func hangUp(_ pid: Int32) -> Bool { pid > 1 && kill(pid, SIGHUP) == 0 }

    /// Ctrl-C, and a request to end, are the usual end of a command that goes on until then: exit code 0.
    package static func endOnInterrupt() {
        for number in [SIGINT, SIGTERM] { signal(number) { _ in _exit(0) } }
    }
}
