// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
import Linux
import Testing

@Suite struct PortHolderTests {
    @Test func `the user who listens is known, and nobody where nobody does`() throws {
        let listener = try TCPListener.bind("127.0.0.1", port: 0)
        let port = try TCPListener.port(of: listener)
        #expect(PortHolder.user(of: "127.0.0.1", port: port) == geteuid())
        close(listener)
        #expect(PortHolder.user(of: "127.0.0.1", port: port) == nil)
    }

    private static let table = """
          sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
           0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 100052 1 0 100 0 0 10 0
           1: 0100007F:1F91 0100007F:D870 01 00000000:00000000 00:00000000 00000000  1001        0 100055 1 0 20 0 0 10 -1
           2: 00000000:1F92 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1002        0 100052 1 0 100 0 0 10 0
           3: 00000000000000000000000001000000:1F93 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1003        0 1 1
           4: 00000000000000000000000000000000:1F94 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1004        0 1 1

        """

    @Test(
        arguments: [
            ("127.0.0.1", 8080, 1000), ("127.0.0.2", 8080, nil), ("127.0.0.1", 8081, nil), ("127.0.0.1", 8082, 1002),
            ("::1", 8083, 1003), ("127.0.0.1", 8083, nil), ("127.0.0.1", 8084, 1004), ("::1", 8084, 1004),
            ("nowhere", 8080, nil),
        ] as [(String, UInt16, UInt32?)])
    func `an address is held by who listens on it, or on all`(address: String, port: UInt16, uid: UInt32?) {
        #expect(PortHolder.user(of: address, port: port, in: Self.table) == uid)
    }
}
