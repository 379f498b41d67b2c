// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
import Linux
import Systemd
import Testing

/// Each test places its descriptors at numbers of its own, far above those that are handed out.
@Suite struct ActivationTests {
    private func adopt(_ names: String..., at first: Int32) -> Activation {
        var activation = Activation()
        for (index, name) in names.enumerated() { activation.adopt(first + Int32(index), name) }
        return activation
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
        let activation = adopt("http", "tcp", at: 600)
        defer { for descriptor in [600, 601] as [Int32] { close(descriptor) } }
        try #require(activation.sockets.count == 2)
        #expect(activation.remarks.isEmpty)
        let port = try TCPListener.port(of: 601)
        #expect(activation.sockets[0] == ActivatedSocket(descriptor: 600, name: "http", kind: .unix, address: path))
        #expect(
            activation.sockets[1]
                == ActivatedSocket(descriptor: 601, name: "tcp", kind: .tcp, address: "127.0.0.1:\(port)"))
        for descriptor in [600, 601] as [Int32] {
            #expect(fcntl(descriptor, F_GETFL) & O_NONBLOCK != 0)
        }
    }

    @Test func `an IPv6 address stands in brackets`() throws {
        let descriptor = clinux_listen_tcp("::1", 0, 1)
        if descriptor == -EADDRNOTAVAIL || descriptor == -EAFNOSUPPORT { return }
        try place(descriptor, at: 610)
        defer { close(610) }
        #expect(adopt("http", at: 610).sockets.first?.address.hasPrefix("[::1]:") == true)
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
        let activation = adopt("a", "b", "stored", "http", at: 620)
        #expect(activation.sockets.map(\.name) == ["http"])
        #expect(activation.remarks.count == 3)
        #expect(activation.remarks[2].contains("622 (stored)"))
        for descriptor in [620, 621, 622] as [Int32] { #expect(!isOpen(descriptor)) }
    }

    @Test func `a descriptor that is not open is named`() {
        let remark = "inherited descriptor 645 (tcp) is no listening stream socket; it is closed"
        #expect(adopt("tcp", at: 645).remarks == [remark])
    }
}
