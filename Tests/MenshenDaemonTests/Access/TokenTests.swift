// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct TokenTests {
    private static let tcp = Stage.Setting.with {
        $0.hasTCP = true
        $0.authentication = """
            token = "\(Stage.token)"
            [[auth.tokens]]
            name = "laptop"
            token = "laptop-token-2"
            """
    }

    @Test(arguments: [
        "Authorization: Bearer \(Stage.token)", "authorization: bearer   \(Stage.token)", "x-api-key: \(Stage.token)",
        "X-API-Key:\(Stage.token)", "api-key: \(Stage.token)", "x-goog-api-key: \(Stage.token)",
    ])
    func `a token is taken from wherever an SDK puts its key`(field: String) throws {
        try Stage.run(Self.tcp) {
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.askTCP("GET", "/v1/models", [field]).status == 200)
            let row = try #require(try stage.records().first)
            #expect(row.tokenName == "default")
            #expect(row.address?.hasPrefix("127.0.0.1:") == true)
            #expect(row.callerUID == nil)
        }
    }

    @Test(arguments: [
        "key=\(Stage.token)&x=1", "x=1&key=\(Stage.token)", "k%65y=\(Stage.token)&x=1", "key=menshen-token%2D1&x=1",
    ])
    func `a token in the query is taken and goes no further`(query: String) throws {
        try Stage.run(Self.tcp) {
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.askTCP("GET", "/v1beta/models?\(query)", []).status == 200)
            #expect(stage.upstream.requests.first?.target.hasSuffix("?x=1") == true)
            #expect(try stage.records().first?.path?.contains("key") == false)
        }
    }

    @Test func `one valid token of several shown is enough`() throws {
        try Stage.run(Self.tcp) {
            try $0.reply()
        } _: { stage throws in
            let fields = ["Authorization: Bearer sk-something-else", "x-api-key: laptop-token-2"]
            #expect(try stage.askTCP("GET", "/v1/models", fields).status == 200)
            let request = try #require(stage.upstream.requests.first)
            #expect(request.head.all("Authorization") == ["Bearer \(Stage.key)"])
            #expect(request["x-api-key"] == nil)
            #expect(try stage.records().first?.tokenName == "laptop")
        }
    }

    @Test(arguments: [
        [], ["Authorization: Bearer wrong"], ["x-api-key: \(Stage.token)x"], ["x-api-key: "],
        ["Authorization: \(Stage.token)"],
        ["Authorization: Basic \(Stage.token)"], ["Cookie: key=\(Stage.token)"], ["X-Other: \(Stage.token)"],
        ["x-api-key: \(Stage.token), other"],
    ])
    func `a caller on TCP without a valid token is told so, and nothing goes out`(fields: [String]) throws {
        try Stage.run(Self.tcp) {
            try $0.reply()
        } _: { stage throws in
            let answer = try stage.askTCP(
                "POST", "/v1/chat/completions", fields + ["Content-Type: application/json"], body: "{}")
            #expect((answer.status, answer.problem) == (401, "unauthenticated"))
            #expect(answer["WWW-Authenticate"] == "Bearer realm=\"menshen\"")
            #expect(answer["x-should-retry"] == "false")
            #expect(stage.upstream.connections == 0)
            let row = try #require(try stage.records().first)
            #expect((row.status, row.endState, row.problem) == (401, "refused", "unauthenticated"))
            #expect(row.provider == nil)
        }
    }

    @Test func `on the Unix socket a token only names its caller`() throws {
        try Stage.run(Self.tcp) {
            try $0.reply()
        } _: { stage throws in
            for fields in [[], ["x-api-key: junk"], ["Authorization: Bearer laptop-token-2"]] {
                #expect(try stage.ask("GET", "/v1/models", fields).status == 200)
            }
            let rows = try stage.records()
            #expect(rows.map(\.tokenName) == [nil, nil, "laptop"])
            #expect(rows.allSatisfy { $0.callerUID != nil && $0.address == "unix" })
            #expect(stage.upstream.requests.allSatisfy { $0["x-api-key"] == nil })
        }
    }

    @Test func `with authentication off a loopback caller needs no token, and every start says so`() throws {
        try Stage.run(
            .with {
                $0.hasTCP = true
                $0.authentication = "enable = false"
            }
        ) {
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.askTCP("GET", "/v1/models", []).status == 200)
            #expect(try stage.askTCP("GET", "/_menshen/ui/", []).status == 200)
            #expect(stage.daemon.log.contains("AUTHENTICATION IS OFF"))
        }
    }

    @Test func `refusals of strangers get twenty rows a minute and one that sums up`() throws {
        try Stage.run(Self.tcp) {
            try $0.reply()
        } _: { stage throws in
            let caller = try stage.tcpCaller()
            for _ in 0..<30 {
                try caller.request("GET", "/v1/models")
                #expect(try caller.answer().status == 401)
            }
            _ = try stage.askTCP()
            let rows = try stage.records()
            #expect(rows.filter { $0.status == 401 && $0.count == 1 && $0.method != nil }.count == 20)
            let sums = rows.filter { $0.method == nil }
            #expect(sums.map(\.count) == [10])
            #expect(rows.filter { $0.status == 200 }.count == 1)
        }
    }
}
