// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct AccessTokenGateTests {
    private let gate = TokenGate(tokens: [
        .init(name: "laptop", secret: Secret("tok-1")),
        .init(name: "ci", secret: Secret("tok-2")),
    ])

    @Test(arguments: [
        "Authorization: Bearer tok-1", "authorization: bearer tok-1", "Authorization: BEARER   tok-1",
        "x-api-key: tok-1", "X-API-KEY:tok-1",
        "api-key: tok-1", "x-goog-api-key: tok-1",
        "Authorization: AWS4-HMAC-SHA256 Credential=tok-1/20261123/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0",
    ])
    func `a token is found wherever an SDK puts its key`(_ line: String) throws {
        #expect(gate.judge(try wireHead(line), queryKey: nil).tokenName == "laptop")
    }

    @Test func `a token in the query is found`() throws {
        #expect(gate.judge(try wireHead(), queryKey: "tok-2").tokenName == "ci")
        #expect(gate.judge(try wireHead(), queryKey: "") == .invalid)
    }

    @Test func `one valid token among several is enough, in any order`() throws {
        #expect(
            gate.judge(try wireHead("Authorization: Bearer dummy", "x-api-key: tok-2"), queryKey: nil).tokenName == "ci"
        )
        #expect(
            gate.judge(try wireHead("x-api-key: tok-2", "Authorization: Bearer dummy"), queryKey: nil).tokenName == "ci"
        )
        #expect(gate.judge(try wireHead("x-api-key: dummy"), queryKey: "tok-1").tokenName == "laptop")
        #expect(
            gate.judge(try wireHead("x-api-key: a", "x-api-key: tok-1", "x-api-key: b"), queryKey: nil).tokenName
                == "laptop")
    }

    @Test(arguments: [
        "Authorization: Bearer tok-3", "Authorization: Bearer tok-1x", "Authorization: Bearer tok-",
        "Authorization: Bearer TOK-1",
        "Authorization: AWS4-HMAC-SHA256 Credential=tok-1/x/20261123/us-east-1/bedrock/aws4_request, SignedHeaders=host",
        "Authorization: AWS4-HMAC-SHA256 Credential=a/b/c/d/tok-1", "Authorization: AWS4-HMAC-SHA256 Credential=////",
        "x-api-key: Bearer tok-1", "api-key:", "x-api-key: tok-1 tok-2",
    ])
    func `anything else that is shown is invalid`(_ line: String) throws {
        #expect(gate.judge(try wireHead(line), queryKey: nil) == .invalid)
    }

    @Test(arguments: [
        "Authorization: AWS4-HMAC-SHA256 Credential=tok-1/us-east-1", "Authorization: AWS4-HMAC-SHA256 tok-1",
        "Authorization: Basic dG9rLTE=", "Authorization: tok-1", "Authorization: Bearertok-1", "Authorization: Bearer",
        "Authorization:",
        "Cookie: token=tok-1", "Proxy-Authorization: Bearer tok-1", "X-Auth-Token: tok-1", "Accept: tok-1",
    ])
    func `what is no token shows none`(_ line: String) throws {
        #expect(gate.judge(try wireHead(line), queryKey: nil) == .missing)
    }

    @Test func `without tokens nobody passes`() throws {
        let empty = TokenGate(tokens: [])
        #expect(empty.judge(try wireHead(), queryKey: nil) == .missing)
        #expect(empty.judge(try wireHead("x-api-key: x"), queryKey: nil) == .invalid)
        #expect(empty.judge(try wireHead("x-api-key:"), queryKey: "") == .invalid)
    }

    @Test func `Basic credentials are found for the page alone`() throws {
        let basic = try TokenGate.basicCredential(wireHead("Authorization: basic  dTpw"))
        #expect(basic.map { String(decoding: $0, as: UTF8.self) } == "dTpw")
        for line in ["Authorization: Bearer x", "Authorization: Basic", "x-api-key: x"] {
            #expect(try TokenGate.basicCredential(wireHead(line)) == nil)
        }
    }
}
