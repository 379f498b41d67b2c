// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
import Linux
import TestSupport
import Testing

@Suite struct UnixListenerTests {
    let scratch: TemporaryDirectory
    let path: String

    init() throws {
        scratch = try TemporaryDirectory()
        path = scratch.path + "/run/menshen.sock"
    }

    private func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// A socket file whose owner is gone.
    private func makeDeadSocket() throws {
        try PrivateDirectory.ensure(scratch.path + "/run")
        let descriptor = clinux_listen_unix(path, 1)
        try #require(descriptor >= 0)
        close(descriptor)
        try #require(exists(path))
    }

    @Test func `a socket is made 0600 in a directory 0700 and answers`() throws {
        let listener = try UnixListener.bind(path)
        defer { close(listener.descriptor) }
        var status = stat()
        stat(path, &status)
        #expect(status.st_mode == S_IFSOCK | 0o600)
        stat(scratch.path + "/run", &status)
        #expect(status.st_mode == S_IFDIR | 0o700)
        let client = clinux_connect_unix(path)
        let server = clinux_accept(listener.descriptor)
        #expect(client >= 0 && server >= 0)
        close(client)
        close(server)
    }

    @Test func `a dead socket is replaced`() throws {
        try makeDeadSocket()
        let listener = try UnixListener.bind(path)
        let client = clinux_connect_unix(path)
        #expect(client >= 0)
        close(client)
        close(listener.descriptor)
    }

    @Test func `a socket that answers is never taken, with or without a lock`() throws {
        try PrivateDirectory.ensure(scratch.path + "/run")
        let foreign = clinux_listen_unix(path, 1)
        #expect(throws: ListenError.alreadyServed(path: path)) { try UnixListener.bind(path) }
        close(foreign)
        let listener = try UnixListener.bind(path)
        #expect(throws: ListenError.alreadyServed(path: path)) { try UnixListener.bind(path) }
        #expect(exists(path))
        close(listener.descriptor)
    }

    @Test func `a socket with a full backlog counts as served`() throws {
        try PrivateDirectory.ensure(scratch.path + "/run")
        let foreign = clinux_listen_unix(path, 0)
        let waiting = clinux_connect_unix(path)
        #expect(clinux_connect_unix(path) == -EAGAIN)
        #expect(throws: ListenError.alreadyServed(path: path)) { try UnixListener.bind(path) }
        close(waiting)
        close(foreign)
    }

    @Test func `what is not a socket stays`() throws {
        try PrivateDirectory.ensure(scratch.path + "/run")
        _ = try scratch.write("run/menshen.sock", "precious")
        #expect(throws: ListenError.notASocket(path: path)) { try UnixListener.bind(path) }
        #expect(exists(path))
        #expect(!exists(path + ".lock"))
    }

    @Test func `of many starters at once exactly one gets a dead socket`() async throws {
        try makeDeadSocket()
        let path = path
        let won = await withTaskGroup(of: UnixListener?.self, returning: [UnixListener].self) { group in
            for _ in 0..<32 { group.addTask { try? UnixListener.bind(path) } }
            return await group.reduce(into: []) { won, listener in
                if let listener { won.append(listener) }
            }
        }
        #expect(won.count == 1)
        let client = clinux_connect_unix(path)
        #expect(client >= 0)
        close(client)
        for listener in won { close(listener.descriptor) }
    }

    @Test func `removing takes only the own socket, and the lock with it`() throws {
        let listener = try UnixListener.bind(path)
        defer { close(listener.descriptor) }
        unlink(path)
        let other = clinux_listen_unix(path, 1)
        defer { close(other) }
        listener.remove()
        #expect(exists(path))
        #expect(!exists(path + ".lock"))
    }

    @Test func `after removing, another may bind while the old one still drains`() throws {
        let first = try UnixListener.bind(path)
        let waiting = clinux_connect_unix(path)
        first.remove()
        first.remove()
        let second = try UnixListener.bind(path)
        #expect(clinux_accept(second.descriptor) == -EAGAIN)
        let accepted = clinux_accept(first.descriptor)
        #expect(accepted >= 0)
        for descriptor in [waiting, accepted, first.descriptor, second.descriptor] { close(descriptor) }
    }

    @Test func `107 bytes are the limit of a path`() throws {
        let room = ListenError.pathLimit - scratch.path.utf8.count - 1
        let longest = scratch.path + "/" + String(repeating: "s", count: room)
        let listener = try UnixListener.bind(longest)
        close(listener.descriptor)
        listener.remove()
        let error = #expect(throws: ListenError.pathTooLong(path: longest + "s", bytes: 108)) {
            try UnixListener.bind(longest + "s")
        }
        #expect(error?.description.contains("108 bytes") == true)
    }

    @Test func `an open directory, an empty and an abstract name are refused`() throws {
        chmod(scratch.path, 0o755)
        let open = scratch.path + "/s"
        #expect(throws: ListenError.directory(.openToOthers(path: scratch.path, mode: 0o755))) {
            try UnixListener.bind(open)
        }
        #expect(throws: ListenError.emptyPath) { try UnixListener.bind("") }
        #expect(throws: ListenError.abstractPath(path: "@menshen")) { try UnixListener.bind("@menshen") }
    }
}
