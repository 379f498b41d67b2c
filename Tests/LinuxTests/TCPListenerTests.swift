// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
import Linux
import Testing

@Suite struct TCPListenerTests {
    @Test func `a free port is bound and answers`() throws {
        let listener = try TCPListener.bind("127.0.0.1", port: 0)
        defer { close(listener) }
        let port = try TCPListener.port(of: listener)
        #expect(port > 0)
        let client = clinux_connect_tcp("127.0.0.1", port)
        #expect(client >= 0)
        close(client)
    }

    @Test func `a taken port says how to find who has it`() throws {
        let listener = try TCPListener.bind("127.0.0.1", port: 0)
        defer { close(listener) }
        let port = try TCPListener.port(of: listener)
        let error = #expect(throws: ListenError.portTaken(address: "127.0.0.1", port: port)) {
            try TCPListener.bind("127.0.0.1", port: port)
        }
        #expect(error?.description.contains("ss -ltnp 'sport = :\(port)'") == true)
    }

    @Test func `an address of another machine is refused`() {
        // TEST-NET-1 (RFC 5737) is on no interface.
        #expect(throws: ListenError.noSuchAddress(address: "192.0.2.1")) {
            try TCPListener.bind("192.0.2.1", port: 0)
        }
    }

    @Test(arguments: ["", "localhost", "[::1]", "127.0.0.1:80", "300.0.0.1"])
    func `only address literals are taken`(text: String) {
        #expect(throws: ListenError.notAnAddress(text: text)) { try TCPListener.bind(text, port: 0) }
    }
}
