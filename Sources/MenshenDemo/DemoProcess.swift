// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import Linux

/// A child process: the daemon under demonstration, or journalctl.
final class DemoProcess {
    /// The signal that tells that a child has ended.
    static var ended: Int32 { SIGCHLD }

    static var ownExecutable: String {
        guard let path = realpath("/proc/self/exe", nil) else { return "" }
        defer { free(path) }
        return String(cString: path)
    }

    private let pid: Int32
    /// As waitpid(2) says; nil while it runs.
    private(set) var status: Int32?

    /// Starts a program with its output and errors going into files (nil: nowhere). `environment` is all it gets.
    /// `apart`: in a process group of its own, so that Ctrl-C on the terminal does not reach it.
    init(
        _ program: String, _ arguments: [String], environment: [String], output: String? = nil, errors: String? = nil,
        apart: Bool
    ) throws(SystemError) {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        let flags = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output ?? "/dev/null", flags, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors ?? "/dev/null", flags, 0o600)
        // The demo reads its signals from a descriptor, so they are blocked here; the child wants them.
        var none = sigset_t()
        sigemptyset(&none)
        var broken = sigset_t()
        sigemptyset(&broken)
        sigaddset(&broken, SIGPIPE)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &broken)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (apart ? POSIX_SPAWN_SETPGROUP : 0)))
        var argv = arguments.map { strdup($0) } + [nil]
        var envp = environment.map { strdup($0) } + [nil]
        defer { for text in argv + envp { free(text) } }
        var started: pid_t = 0
        let code = posix_spawnp(&started, program, &actions, &attributes, &argv, &envp)
        guard code == 0 else { throw SystemError("posix_spawn", code: code, subject: program) }
        pid = started
    }

    /// Variables of this process that a child may have.
    static func environment(_ names: [String]) -> [String] {
        names.compactMap { name in Environment.value(name).map { "\(name)=\($0)" } }
    }

    /// Without waiting: whether it has ended.
    func hasEnded() -> Bool {
        if status != nil { return true }
        var word: Int32 = 0
        guard waitpid(pid, &word, WNOHANG) == pid else { return false }
        status = word
        return true
    }

    /// Until it ends. Returns true if it ended well.
    func wait() -> Bool {
        var word: Int32 = 0
        while status == nil {
            if waitpid(pid, &word, 0) == pid { status = word } else if errno != EINTR { return false }
        }
        return status == 0
    }

    /// Tells it to end and waits for that; makes it end after `limit` microseconds.
    func stop(within limit: UInt64) {
        guard !hasEnded() else { return }
        kill(pid, SIGTERM)
        let deadline = Clock.monotonic() + limit
        while !hasEnded() {
            if Clock.monotonic() > deadline {
                kill(pid, SIGKILL)
                _ = wait()
                return
            }
            usleep(2_000)
        }
    }
}
