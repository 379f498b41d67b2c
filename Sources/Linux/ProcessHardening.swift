// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux

/// What a process that holds keys does first, before the first key is read and before the first thread starts.
package enum ProcessHardening {
    /// Denies other processes of the same user our memory, environment and descriptors (ptrace, /proc/PID/mem, …),
    /// and forbids core files. PR_SET_DUMPABLE also covers piped core_pattern handlers, which ignore RLIMIT_CORE.
    /// exec(2) resets it, so the daemon itself does it. Inside a user namespace it does not stop ptrace.
    package static func protectMemory() throws(SystemError) {
        try SystemError.check(clinux_no_core(), "setrlimit", "RLIMIT_CORE")
        try SystemError.check(clinux_set_dumpable(0), "prctl", "PR_SET_DUMPABLE")
    }

    /// True while `protectMemory()` is in force: a self-check for the start and for status reports.
    package static var isMemoryProtected: Bool { clinux_get_dumpable() == 0 }

    /// Raises the soft limit of open files to the hard one and returns it. The soft default is 1024.
    package static func raiseOpenFiles() throws(SystemError) -> Int {
        let limit = clinux_raise_open_files()
        if limit < 0 { throw SystemError("setrlimit", code: Int32(-limit), subject: "RLIMIT_NOFILE") }
        return Int(limit)
    }

    /// Makes the kernel's table of descriptors so large at once, 8 bytes each. It grows by doubling, and in a process with
    /// threads each growth waits for an RCU grace period: 5 to 18 ms in which the thread that opens a descriptor, the
    /// reactor, stands still. Call before the first thread starts.
    package static func reserveDescriptors(_ count: Int) throws(SystemError) {
        try SystemError.check(clinux_reserve_descriptors(Int32(clamping: count)), "fcntl", "F_DUPFD_CLOEXEC")
    }

    /// A caller that leaves must show as EPIPE on its connection, not as a signal to everybody.
    package static func ignoreBrokenPipes() { clinux_ignore_sigpipe() }
}
