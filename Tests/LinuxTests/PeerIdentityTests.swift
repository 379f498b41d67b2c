// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
import Linux
import Testing

@Suite struct PeerIdentityTests {
    /// A connected pair: what we accepted, and our own other end.
    private func pair(_ body: (_ accepted: Int32) throws -> Void) throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        try body(ends[0])
    }

    @Test func `the peer of our own socket is us`() throws {
        try pair { socket in
            let peer = try PeerIdentity.read(socket)
            #expect(peer == PeerIdentity(pid: getpid(), uid: geteuid(), gid: getegid()))
            #expect(peer.uid == PeerIdentity.ownUID)
        }
    }

    @Test func `the groups of the peer of our own socket are ours, however many they are`() throws {
        try pair { socket throws in #expect(try PeerIdentity.groups(socket) == Self.ownGroups()) }
        #expect(throws: SystemError("getsockopt", code: EBADF, subject: "SO_PEERGROUPS")) {
            try PeerIdentity.groups(-1)
        }
    }

    @Test(.enabled(if: OtherUser.isPossible))
    func `more groups than there is room for at first are all read`() throws {
        let many = (1...100).map { UInt32(70_000 + $0) }
        try withGroups(many) {
            try pair { socket throws in #expect(try PeerIdentity.groups(socket).sorted() == many) }
        }
        try withGroups([]) {
            try pair { socket throws in #expect(try PeerIdentity.groups(socket).isEmpty) }
        }
    }

    private static func ownGroups() -> [UInt32] {
        var groups = [gid_t](repeating: 0, count: Int(getgroups(0, nil)))
        getgroups(Int32(groups.count), &groups)
        return groups
    }

    /// Gives this thread alone other groups for a while.
    private func withGroups(_ groups: [UInt32], _ body: () throws -> Void) throws {
        typealias SetGroups = @convention(c) (Int, Int, UnsafePointer<UInt32>?) -> Int
        let system = unsafeBitCast(try #require(dlsym(nil, "syscall")), to: SetGroups.self)
        // setgroups(2) by number, because the C library's changes every thread.
        #if arch(x86_64)
            let setgroups = 116
        #else
            let setgroups = 159
        #endif
        let before = Self.ownGroups()
        try #require(system(setgroups, groups.count, groups) == 0)
        defer { _ = system(setgroups, before.count, before) }
        try body()
    }

    @Test func `something that is no socket has no peer`() {
        #expect(throws: SystemError("getsockopt", code: EBADF, subject: "SO_PEERCRED")) {
            try PeerIdentity.read(-1)
        }
    }

    @Test func `our own program is found, with a pidfd and without`() throws {
        try pair { socket in
            let peer = try PeerIdentity.read(socket)
            let process = try #require(PeerProcess.read(socket: socket, peer: peer) { "own.service" })
            #expect(process.executable?.hasPrefix("/") == true)
            #expect(process.command == nil)
            #expect(process.unit == "own.service")
            #expect(PeerProcess.read(pid: peer.pid, pidfd: nil) { "own.service" } == process)
            #expect(process.directory == nil && process.job == nil)
            let more = PeerProcess.read(socket: socket, peer: peer, readsDirectory: true) { nil }
            #expect(more != nil && more?.directory == RepositoryRoot.resolved("."))
        }
    }

    @Test func `a process that is gone has no details, with a pidfd and without`() throws {
        let child = try Sleeper()
        #expect(PeerProcess.read(pid: child.pid, pidfd: child.pidfd)?.executable?.contains("sleep") == true)
        #expect(PeerProcess.read(pid: child.pid, pidfd: nil)?.executable?.contains("sleep") == true)
        child.kill()
        // Ended but not yet reaped: its entry in /proc still answers.
        #expect(access("/proc/\(child.pid)/comm", R_OK) == 0)
        #expect(!PeerProcess.isAlive(child.pidfd))
        #expect(PeerProcess.read(pid: child.pid, pidfd: child.pidfd) == nil)
        #expect(PeerProcess.read(pid: child.pid, pidfd: nil) == nil)
        child.reap()
        #expect(PeerProcess.read(pid: child.pid, pidfd: child.pidfd) == nil)
        #expect(PeerProcess.read(pid: child.pid, pidfd: nil) == nil)
    }

    @Test(arguments: [true, false])
    func `a unit that was looked up while its process ended is not believed`(withPidfd: Bool) throws {
        let child = try Sleeper()
        let process = PeerProcess.read(pid: child.pid, pidfd: withPidfd ? child.pidfd : nil) {
            child.kill()
            child.reap()
            return "another.service"
        }
        #expect(process == nil)
    }

    @Test func `a number that was given to another process is not believed`() throws {
        let dead = try Sleeper()
        dead.kill()
        dead.reap()
        // As if our own pid had been the dead one's.
        #expect(PeerProcess.read(pid: getpid(), pidfd: dead.pidfd) == nil)
        #expect(PeerProcess.read(pid: 0, pidfd: nil) == nil)
    }

    @Test(.enabled(if: OtherUser.isPossible))
    func `a process that hides its program is known by its name`() throws {
        let child = try Sleeper()
        try asNobody {
            let process = try #require(PeerProcess.read(pid: child.pid, pidfd: child.pidfd))
            #expect(process.executable == nil)
            #expect(process.command == "sleep")
        }
    }

    /// Takes away this thread's privileges for a while: for the kernel they are the thread's, not the process's.
    private func asNobody(_ body: () throws -> Void) throws {
        typealias SetUser = @convention(c) (Int, UInt32, UInt32, UInt32) -> Int
        let system = unsafeBitCast(try #require(dlsym(nil, "syscall")), to: SetUser.self)
        // setresuid(2) by number, because the C library's changes every thread.
        #if arch(x86_64)
            let setresuid = 117
        #else
            let setresuid = 147
        #endif
        try #require(system(setresuid, .max, OtherUser.uid, .max) == 0)
        defer { _ = system(setresuid, .max, 0, .max) }
        try body()
    }

    @Test(arguments: [
        ("7 (a) b) (c) S 1 2", true), ("7 (dead) Z 1 2", false), ("7 (gone) X 1", false), ("7 (Z) R 1", true),
        ("7 (short)", false), ("7 (short) ", false), ("", false),
    ])
    func `the state is the field after the program's name`(text: String, running: Bool) {
        #expect(PeerProcess.isRunning(stat: Array(text.utf8)) == running)
    }
}

/// A child process that does nothing until it is killed.
private final class Sleeper {
    let pid: pid_t
    let pidfd: Int32

    init() throws {
        var child = pid_t()
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("1000"), nil]
        defer { for argument in arguments { free(argument) } }
        try #require(posix_spawnp(&child, "sleep", nil, nil, &arguments, environ) == 0)
        pid = child
        // The C library has it since 2.36, the importer does not show it.
        typealias Open = @convention(c) (pid_t, UInt32) -> Int32
        let symbol = try #require(dlsym(nil, "pidfd_open"))
        pidfd = unsafeBitCast(symbol, to: Open.self)(child, 0)
        try #require(pidfd >= 0)
    }

    deinit {
        kill()
        reap()
        close(pidfd)
    }

    /// Returns once it has ended.
    func kill() {
        Glibc.kill(pid, SIGKILL)
        var entry = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
        poll(&entry, 1, -1)
    }

    func reap() { waitpid(pid, nil, 0) }
}
