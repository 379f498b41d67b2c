// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// SIGINT and SIGTERM for a command that has something to finish when it is told to stop: they are asked for, and interrupt
/// nothing. Belongs to a process with one thread.
package struct AwaitedSignals {
    private var set = sigset_t()

    package init() {
        sigemptyset(&set)
        for signal in [SIGINT, SIGTERM] { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Waits for so many milliseconds; true as soon as one has come.
    package func wait(milliseconds: Int) -> Bool {
        var set = set
        var time = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
        return sigtimedwait(&set, nil, &time) > 0
    }
}
