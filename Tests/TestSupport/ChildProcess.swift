// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import Linux
internal import Synchronization

/// A program started with exactly the environment and descriptors given; its output goes to files.
package final class ChildProcess: Sendable {
    package enum Exit: Sendable, Equatable {
        case code(Int32)
        case signal(Int32)
    }

    package let pid: Int32
    /// Becomes readable when the process has ended.
    package let ended: Signal
    private let exit = Mutex<Exit?>(nil)

    /// `inherited` become descriptors 3, 4, … of the program.
    package init(
        _ arguments: [String], environment: [String: String], output: String, error: String, inherited: [Int32] = []
    ) throws {
        ended = try Signal()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, flags, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, error, flags, 0o600)
        // Out of the way first, so that no copy overwrites one that is still to be made.
        let moved = inherited.map { fcntl($0, F_DUPFD_CLOEXEC, 200) }
        defer { for descriptor in moved { close(descriptor) } }
        for (index, descriptor) in moved.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(3 + index))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, arguments[0], &actions, &attributes, &argv, &envp)
        guard result == 0 else { throw TestFailure("\(arguments[0]) cannot be started: errno \(result)") }
        self.pid = pid
        _ = try NamedThread("reaper") { [self] in reap() }
    }

    /// Does nothing to a process that has ended: its number may be another's by now.
    package func send(_ signal: Int32) {
        exit.withLock { exit in
            if exit == nil { Glibc.kill(pid, signal) }
        }
    }

    package func wait() throws -> Exit {
        do { try ended.wait("the end of process \(pid)") } catch {
            send(SIGKILL)
            throw error
        }
        // Leaves the signal up for the next one who asks.
        ended.raise()
        return exit.withLock { $0 } ?? .code(-1)
    }

    private func reap() {
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
        exit.withLock { exit in
            var status: Int32 = 0
            waitpid(pid, &status, 0)
            exit = status & 0x7F == 0 ? .code(status >> 8 & 0xFF) : .signal(status & 0x7F)
        }
        ended.raise()
    }
}
