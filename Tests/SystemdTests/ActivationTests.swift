// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
import Linux
import Systemd
import Testing

/// Each test places its descriptors at numbers of its own, far above those that are handed out.
@Suite struct ActivationTests {
    private func take(_ count: String?, names: String? = nil, pid: String? = "7", at first: Int32) -> Activation {
        Activation(pid: pid, count: count, names: names, ownPID: 7, first: first)
    }

    /// Moves `descriptor` to `number`, as systemd would have left it: blocking, open across exec.
    private func place(_ descriptor: Int32, at number: Int32) throws {
        try #require(descriptor >= 0)
        try #require(dup2(descriptor, number) == number)
        close(descriptor)
        _ = clinux_set_nonblocking(number, 0)
    }

    private func isOpen(_ descriptor: Int32) -> Bool { fcntl(descriptor, F_GETFD) >= 0 }

    @Test func `Unix and TCP sockets come with their names and addresses`() throws {
        let path = "/tmp/menshen-activation-\(getpid()).sock"
        try place(clinux_listen_unix(path, 1), at: 600)
        unlink(path)
        try place(clinux_listen_tcp("127.0.0.1", 0, 1), at: 601)
        let activation = take("2", names: "http:tcp", at: 600)
        defer { for descriptor in [600, 601] as [Int32] { close(descriptor) } }
        try #require(activation.sockets.count == 2)
        #expect(activation.remarks.isEmpty)
        let port = try TCPListener.port(of: 601)
        #expect(activation.sockets[0] == ActivatedSocket(descriptor: 600, name: "http", kind: .unix, address: path))
        #expect(
            activation.sockets[1]
                == ActivatedSocket(descriptor: 601, name: "tcp", kind: .tcp, address: "127.0.0.1:\(port)"))
        for descriptor in [600, 601] as [Int32] {
            #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
            #expect(fcntl(descriptor, F_GETFL) & O_NONBLOCK != 0)
        }
    }

    @Test func `an IPv6 address stands in brackets`() throws {
        let descriptor = clinux_listen_tcp("::1", 0, 1)
        if descriptor == -EADDRNOTAVAIL || descriptor == -EAFNOSUPPORT { return }
        try place(descriptor, at: 610)
        defer { close(610) }
        #expect(take("1", at: 610).sockets.first?.address.hasPrefix("[::1]:") == true)
    }

    @Test func `what is no listening stream socket is closed and named`() throws {
        try place(clinux_datagram_socket(), at: 620)
        try place(open("/dev/null", O_RDONLY), at: 621)
        var ends: [Int32] = [-1, -1]
        socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends)
        try place(ends[0], at: 622)
        close(ends[1])
        try place(clinux_listen_tcp("127.0.0.1", 0, 1), at: 623)
        defer { close(623) }
        let activation = take("4", names: "a:b:stored:http", at: 620)
        #expect(activation.sockets.map(\.name) == ["http"])
        #expect(activation.remarks.count == 3)
        #expect(activation.remarks[2].contains("622 (stored)"))
        for descriptor in [620, 621, 622] as [Int32] { #expect(!isOpen(descriptor)) }
    }

    @Test func `variables of another process are left alone`() throws {
        try place(clinux_listen_tcp("127.0.0.1", 0, 1), at: 630)
        defer { close(630) }
        #expect(take("1", pid: "8", at: 630) == Activation())
        #expect(take("1", pid: nil, at: 630) == Activation())
        #expect(take(nil, at: 630) == Activation())
        #expect(isOpen(630))
        #expect(fcntl(630, F_GETFD) & FD_CLOEXEC == 0)
    }

    @Test(arguments: ["", "x", "-1", "1x", "0x1", "99999999999999999999", "2147483647", " 1"])
    func `a malformed count takes nothing and is named`(count: String) {
        let activation = take(count, at: 640)
        #expect(activation.sockets.isEmpty)
        #expect(activation.remarks == ["LISTEN_FDS=\(count) is not a number of descriptors; no socket is taken"])
    }

    @Test(arguments: ["", "x", "7x", "99999999999999999999"])
    func `a malformed process id takes nothing and is named`(pid: String) {
        let activation = take("1", pid: pid, at: 640)
        #expect(activation.sockets.isEmpty && activation.remarks.count == 1)
    }

    @Test func `a count of zero is nothing special`() { #expect(take("0", names: "", at: 640).sockets.isEmpty) }

    @Test func `a descriptor that is not open is named`() {
        #expect(take("1", at: 645).remarks == ["inherited descriptor 645 (unknown) is not open"])
    }

    @Test(arguments: [nil, "", "one", "one:two:three"] as [String?])
    func `sockets without as many names are called unknown`(names: String?) throws {
        let first: Int32 = 650 + 2 * Int32(names?.utf8.count ?? 40)
        try place(clinux_listen_tcp("127.0.0.1", 0, 1), at: first)
        try place(clinux_listen_tcp("127.0.0.1", 0, 1), at: first + 1)
        let activation = take("2", names: names, at: first)
        #expect(activation.sockets.map(\.name) == ["unknown", "unknown"])
        #expect(activation.remarks.count == (names == nil ? 0 : 1))
        for socket in activation.sockets { close(socket.descriptor) }
    }

    @Test func `an empty name is unknown`() throws {
        try place(clinux_listen_tcp("127.0.0.1", 0, 1), at: 760)
        try place(clinux_listen_tcp("127.0.0.1", 0, 1), at: 761)
        let activation = take("2", names: ":tcp", at: 760)
        #expect(activation.sockets.map(\.name) == ["unknown", "tcp"])
        for socket in activation.sockets { close(socket.descriptor) }
    }

    @Test func `taking removes the variables, also those of another process`() {
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"] { setenv(name, "1", 1) }
        #expect(Activation.take().sockets.isEmpty)
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"] {
            #expect(Environment.value(name) == nil)
        }
    }
}
