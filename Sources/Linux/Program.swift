// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// Another program, run to its end.
package enum Program {
    /// What fits into a pipe that nobody reads yet.
    private static let inputLimit = 64 << 10

    /// Runs `arguments[0]`, looked for in PATH, with `input` as its standard input and our own output. Returns its exit status, 128 plus the
    /// signal's number if one has ended it.
    package static func run(_ arguments: [String], input: [UInt8]) throws(SystemError) -> Int32 {
        precondition(input.count <= inputLimit, "more than a pipe holds")
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError("pipe", code: errno) }
        let reading = OwnedDescriptor(ends[0])
        let writing = OwnedDescriptor(ends[1])
        _ = fcntl(writing.raw, F_SETFD, FD_CLOEXEC)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, reading.raw, 0)
        if reading.raw > 2 { posix_spawn_file_actions_addclose(&actions, reading.raw) }
        // Before it starts: it then never waits for us, and if it reads nothing, nobody is told of a broken pipe.
        let written = input.withUnsafeBytes { write(writing.raw, $0.baseAddress, $0.count) }
        guard written == input.count else { throw SystemError("write", code: errno, subject: arguments[0]) }
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for pointer in argv { free(pointer) } }
        var pid: pid_t = 0
        let failure = posix_spawnp(&pid, arguments[0], &actions, nil, &argv, environ)
        guard failure == 0 else { throw SystemError("start", code: failure, subject: arguments[0]) }
        return wait(pid, closing: writing)
    }

    /// Starts `arguments[0]`, looked for in PATH, in a session of its own, so that no Ctrl-C reaches it, with nothing to read and nowhere
    /// to write to. Nobody waits for its end. False: it can't be started.
    package static func startApart(_ arguments: [String]) -> Bool {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor in 0...2 as ClosedRange<Int32> {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // POSIX_SPAWN_SETSID, which the importer does not show.
        posix_spawnattr_setflags(&attributes, 0x80)
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for pointer in argv { free(pointer) } }
        var pid: pid_t = 0
        return posix_spawnp(&pid, arguments[0], &actions, &attributes, &argv, environ) == 0
    }

    private static func wait(_ pid: pid_t, closing input: consuming OwnedDescriptor) -> Int32 {
        _ = consume input
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        return signal == 0 ? status >> 8 & 0xFF : 128 + signal
    }
}
