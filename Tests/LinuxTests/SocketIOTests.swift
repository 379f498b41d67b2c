// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
import Linux
import Testing

/// What the kernel tells of bytes that a peer may or may not have read.
@Suite struct SocketIOTests {
    /// Both ends of a TCP connection, the first of which has made it.
    private func pair() throws -> (ours: Int32, theirs: Int32) {
        let listener = try TCPListener.bind("127.0.0.1", port: 0)
        defer { SocketIO.close(listener) }
        let ours = clinux_connect_tcp("127.0.0.1", try TCPListener.port(of: listener))
        try #require(ours >= 0)
        while true { if let theirs = try SocketIO.accept(listener) { return (ours, theirs) } }
    }

    private func write(_ fd: Int32, _ count: Int) {
        let bytes = [UInt8](repeating: 1, count: count)
        #expect(bytes.withUnsafeBytes { SocketIO.write(fd, $0) } == .bytes(count))
    }

    private func read(_ fd: Int32) -> SocketIO.Outcome {
        var bytes = [UInt8](repeating: 0, count: 1000)
        return bytes.withUnsafeMutableBytes { SocketIO.read(fd, into: $0) }
    }

    @Test func `nothing is acknowledged of what reaches a connection after its peer has closed it`() throws {
        let (ours, theirs) = try pair()
        SocketIO.close(theirs)
        write(ours, 100)
        #expect(read(ours) == .bytes(0))
        #expect(try #require(SocketIO.acknowledged(ours)) <= 1)
        SocketIO.close(ours)
    }

    @Test func `what a peer has read before it closed is acknowledged`() throws {
        let (ours, theirs) = try pair()
        write(ours, 100)
        #expect(read(theirs) == .bytes(100))
        SocketIO.close(theirs)
        #expect(read(ours) == .bytes(0))
        #expect(try #require(SocketIO.acknowledged(ours)) >= 100)
        SocketIO.close(ours)
    }

    @Test func `a peer that closes with bytes unread resets`() throws {
        let (ours, theirs) = try pair()
        write(ours, 100)
        SocketIO.close(theirs)
        #expect(read(ours) == .failed(ECONNRESET))
        SocketIO.close(ours)
    }
}
