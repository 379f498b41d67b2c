// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

/// The terminal that the process was started from, if there is one.
package enum ControllingTerminal {
    /// False as soon as it has hung up: its window was closed, or its session has ended.
    package static var isThere: Bool {
        let descriptor = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }

    /// As nohup(1) does it for a process that is to outlive the terminal.
    package static var isHangupIgnored: Bool { clinux_is_ignored(SIGHUP) == 1 }
}
