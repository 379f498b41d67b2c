// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import Testing

@testable import MenshenDaemon

/// What a connection remembers from one request to the next.
struct MemoTests {
    private static func head(_ lines: String...) throws -> RequestHead {
        let text = "POST /v1/chat HTTP/1.1\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
        var parser = RequestParser()
        let bytes = Array(text.utf8)
        guard case .head(let head, _) = try parser.parse(bytes.span, limit: 1 << 20) else { throw Incomplete() }
        return head
    }

    private struct Incomplete: Error {}

    private static func gate(_ tokens: [String]) -> TokenGate {
        TokenGate(tokens: tokens.map { .init(name: "name of \($0)", secret: Secret($0)) })
    }

    @Test func `a token is judged anew in each request`() throws {
        var memo = CredentialMemo()
        let head = try Self.head("Host: a", "Authorization: Bearer tok-1")
        for _ in 0..<2 { #expect(memo.judge(head, nil, Self.gate(["tok-1"])).tokenName == "name of tok-1") }
        #expect(memo.judge(head, nil, Self.gate(["tok-2"])) == .invalid, "it was revoked in between")
        #expect(memo.judge(head, nil, Self.gate([])) == .invalid)
        #expect(memo.judge(head, nil, Self.gate(["tok-1", "tok-2"])).tokenName == "name of tok-1")
    }

    @Test func `another token, or the same in another place, is not taken for the last`() throws {
        var memo = CredentialMemo()
        let gate = Self.gate(["tok-1", "tok-2"])
        #expect(memo.judge(try Self.head("Host: a", "x-api-key: tok-1"), nil, gate).tokenName == "name of tok-1")
        #expect(memo.judge(try Self.head("Host: a", "x-api-key: tok-2"), nil, gate).tokenName == "name of tok-2")
        #expect(memo.judge(try Self.head("Host: a", "x-api-key: tok-3"), nil, gate) == .invalid)
        #expect(memo.judge(try Self.head("Host: a", "x-api-key: tok-2"), nil, gate).tokenName == "name of tok-2")
        #expect(memo.judge(try Self.head("Host: a"), nil, gate) == .missing)
        #expect(memo.judge(try Self.head("Host: a"), "tok-1", gate).tokenName == "name of tok-1")
        #expect(memo.judge(try Self.head("Host: a", "Authorization: tok-1"), nil, gate) == .missing)
    }

    @Test func `what it knows is what the gate would say`() throws {
        let shown = ["tok-1", "tok-2", "tok-3", "Bearer tok-1", ""]
        let gates = [["tok-1"], ["tok-2", "tok-1"], [], ["tok-3"]].map(Self.gate)
        var memo = CredentialMemo()
        for round in 0..<400 {
            let name = ["Authorization: Bearer", "x-api-key:", "api-key:"][round % 3]
            let head = try Self.head("Host: a", "\(name) \(shown[round / 3 % shown.count])")
            let gate = gates[round / 7 % gates.count]
            #expect(memo.judge(head, nil, gate) == gate.judge(head, queryKey: nil))
        }
    }

    @Test func `a Host is looked up again when the configuration changes`() throws {
        var memo = HostMemo()
        let head = try Self.head("Host: menshen.example")
        var configuration = Configuration()
        configuration.server.allowedHosts = ["menshen.example"]
        func gate(_ hosts: [String]) -> WebGate {
            WebGate(port: 8080, addresses: [], allowedHosts: hosts, allowedOrigins: [])
        }
        let before = Snapshot(configuration)
        let after = Snapshot(Configuration())
        #expect(memo.check(head, gate(["menshen.example"]), before) == nil)
        #expect(memo.check(head, gate(["menshen.example"]), before) == nil)
        #expect(memo.check(head, gate([]), after)?.status == 421)
        #expect(memo.check(try Self.head("Host: other.example"), gate(["menshen.example"]), before)?.status == 421)
    }
}
