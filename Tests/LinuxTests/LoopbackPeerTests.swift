// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
import Linux
import Testing

@Suite struct LoopbackPeerTests {
    @Test func `the user at the other end is known as long as it is connected`() throws {
        let listener = try TCPListener.bind("127.0.0.1", port: 0)
        defer { close(listener) }
        let client = clinux_connect_tcp("127.0.0.1", try TCPListener.port(of: listener))
        let accepted = try BlockingConnection.accept(on: listener, patience: 1)
        guard let accepted else { return #expect(Bool(false)) }
        #expect(LoopbackPeer.find(accepted.descriptor) == .user(geteuid()))
        close(client)
        #expect(LoopbackPeer.find(accepted.descriptor) == .gone)
    }

    private static let table = """
          sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
           0: 0100007F:9937 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 100052 1 0 100 0 0 10 0
           1: 0100007F:9937 0100007F:D870 01 00000000:00000000 00:00000000 00000000  1000        0 100055 1 0 20 0 0 10 -1
           2: 0100007F:D870 0100007F:9937 01 00000000:00000000 00:00000000 00000000  1001        0 100054 2 0 20 0 0 10 -1
           3: 0100007F:D871 0100007F:9937 05 00000000:00000000 00:00000000 00000000     0        0 0 2 0 20 0 0 10 -1
           4: 0200007F:D872 0100007F:9937 01 00000000:00000000 00:00000000 00000000  1002        0 100056 2 0 20 0 0 10 -1
           5: 0000000000000000FFFF00000100007F:D873 0000000000000000FFFF00000100007F:9937 01 00000000:00000000 00:00000000 00000000  1003        0 100057 2 0

        """

    @Test func `its line is that of its end, not of ours, and none that lingers`() {
        func user(_ last: UInt8, _ port: UInt16) -> UInt32? {
            LoopbackPeer.user(
                of: .init([127, 0, 0, last], port: port), to: .init([127, 0, 0, 1], port: 0x9937), in: Self.table)
        }
        #expect(user(1, 0xD870) == 1001)
        #expect(user(1, 0xD871) == nil)
        #expect(user(2, 0xD872) == 1002 && user(1, 0xD872) == nil)
        #expect(user(1, 0xD873) == 1003)
        #expect(
            user(1, 1) == nil
                && LoopbackPeer.user(of: .init([127, 0, 0, 1], port: 1), to: .init([127, 0, 0, 1], port: 2), in: "")
                    == nil
        )
    }
}
