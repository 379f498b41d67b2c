// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// Signals to another process.
package enum ProcessSignal {
    /// SIGHUP, at which a menshen reloads. False: it is gone, or another user's.
    package static func hangUp(_ pid: Int32) -> Bool { pid > 1 && kill(pid, SIGHUP) == 0 }
}
