// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

struct AuditTextTests {
    @Test func `a name is kept up to 256 bytes, and a longer one is cut between characters`() {
        #expect(AuditText.name("gpt-4.1") == "gpt-4.1")
        #expect(AuditText.name(String(repeating: "m", count: 256)).utf8.count == 256)
        #expect(AuditText.name(String(repeating: "m", count: 31_000)) == String(repeating: "m", count: 253) + "…")
        #expect(AuditText.name(String(repeating: "ä", count: 300)) == String(repeating: "ä", count: 126) + "…")
    }

    @Test func `an intent cuts what its caller chose`() {
        let intent = AuditIntent(
            id: RequestID(microseconds: 1),
            caller: CallerRecord(uid: 1, pid: nil, executable: nil, unit: nil, address: "unix"), tokenName: nil,
            method: "GET", path: "/" + String(repeating: "p", count: 31_000), dialect: .openai, operation: .chat,
            provider: nil, model: String(repeating: "m", count: 31_000), isStream: nil)
        #expect((intent.path.utf8.count, intent.model?.utf8.count) == (2048, 256))
    }

    @Test(arguments: [("127.0.0.1:49152", "127.0.0.1"), ("[::1]:49152", "[::1]"), ("unix", "unix")])
    func `a caller on TCP is its host, whatever port its connection has`(address: String, host: String) {
        let caller = CallerRecord(uid: nil, pid: nil, executable: nil, unit: nil, address: address)
        #expect(caller.host == host && caller.program == host)
    }
}
