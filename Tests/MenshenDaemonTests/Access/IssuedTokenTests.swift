// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import SQLite
import TestSupport
import Testing

/// Tokens that a running menshen gives out and takes away, as callers and their administrator see it.
struct IssuedTokenTests {
    private static let page = "/_menshen/admin/tokens"
    private static let json = "Content-Type: application/json"

    private static func tcp(workers: Int = 1, _ authentication: String = "token = \"\(Stage.token)\"") -> Stage.Setting
    {
        .with {
            $0.hasTCP = true
            $0.authentication = authentication
            $0.tables = "[server]\nworkers = \(workers)"
        }
    }

    private static func administer(_ body: String, _ stage: Stage) throws -> Answer {
        try stage.ask("POST", page, [json], body: body)
    }

    private static func create(_ name: String, _ stage: Stage, _ more: String = "") throws -> String {
        let answer = try administer(#"{"act":"create","name":"\#(name)"\#(more)}"#, stage)
        #expect(answer.status == 201 && answer["Cache-Control"] == "no-store", "\(answer.text)")
        let token = answer.text.split(separator: "\"").first { $0.hasPrefix("mns_") }
        return String(try #require(token))
    }

    @Test(arguments: [1, 3]) func `a token counts and counts no more as soon as that is answered`(workers: Int) throws {
        try Stage.run(Self.tcp(workers: workers)) {
            try $0.reply()
        } _: { stage throws in
            let token = try Self.create("ci", stage)
            // Of each worker, some of which have been asked before.
            let callers = try (0..<12).map { _ in try stage.tcpCaller() }
            for caller in callers {
                try caller.request("GET", "/v1/models", ["Authorization: Bearer \(token)"])
                #expect(try caller.answer().status == 200)
            }
            #expect(try Self.administer(#"{"act":"revoke","name":"ci"}"#, stage).status == 200)
            for caller in callers {
                try caller.request("GET", "/v1/models", ["Authorization: Bearer \(token)"])
                let answer = try caller.answer()
                #expect(answer.status == 401 && answer.text.contains("'ci' was revoked"))
            }
            #expect(try stage.askTCP().status == 200, "that of the configuration")
            let rows = try stage.records()
            #expect(rows.filter { $0.tokenName == "ci" && $0.status == 200 }.count == 12)
            #expect(rows.filter { $0.tokenName == "ci" && $0.problem == "unauthenticated" }.count == 12)
        }
    }

    @Test func `each token that is not taken is told why`() throws {
        try Stage.run(Self.tcp()) {
            try $0.reply()
        } _: { stage throws in
            let token = try Self.create("ci", stage)
            func ask(_ shown: String) throws -> String {
                let answer = try stage.askTCP("GET", "/v1/models", ["x-api-key: \(shown)"])
                #expect((answer.status, answer.problem) == (401, "unauthenticated"))
                return answer.text
            }
            #expect(try ask(String(token.dropLast())).contains("misspelt"))
            #expect(try ask("mns_0000000000000000000000000000000ukTEB").contains("misspelt or cut off"))
            #expect(try ask("nonsense").contains("is not known"))
            let key = "sk-ant-api03-abcDEF0123456789abcdef"
            #expect(try ask(key).contains("looks like a real key of Anthropic"))
            #expect(
                try stage.askTCP("GET", "/v1beta/models?key=\(key)", []).text.contains("looks like a real key"))
            // Over the Unix socket SDKs send whatever they have.
            #expect(try stage.ask("GET", "/v1/models", ["x-api-key: \(key)"]).status == 200)
            _ = try stage.daemon.stop()
            for text in TemporaryDirectory.contents(stage.directory.path("state")) + [stage.daemon.log] {
                #expect(!text.contains("abcDEF01") && !text.contains(token.dropFirst(4).prefix(8)))
            }
        }
    }

    @Test func `on the Unix socket a token of menshen's that counts no more is no way to be anybody`() throws {
        try Stage.run(Self.tcp()) {
            try $0.reply()
        } _: { stage throws in
            let token = try Self.create("agent", stage)
            func ask(_ shown: String) throws -> Int {
                try stage.ask("GET", "/v1/models", ["Authorization: Bearer \(shown)"]).status
            }
            #expect(try ask(token) == 200)
            _ = try Self.administer(#"{"act":"revoke","name":"agent"}"#, stage)
            #expect(try ask(token) == 401 && ask("mns_x") == 401)
            #expect(try ask("dummy") == 200)
            #expect(try stage.ask("GET", "/_menshen/health", ["Authorization: Bearer \(token)"]).status == 200)
            #expect(try stage.records().prefix(1).map(\.tokenName) == ["agent"])
        }
    }

    @Test func `nor is it where nobody is asked for one`() throws {
        try Stage.run(Self.tcp("enable = false")) {
            try $0.reply()
        } _: { stage throws in
            let token = try Self.create("agent", stage)
            #expect(try stage.askTCP("GET", "/v1/models", ["x-api-key: \(token)"]).status == 200)
            _ = try Self.administer(#"{"act":"revoke","name":"agent"}"#, stage)
            #expect(try stage.askTCP("GET", "/v1/models", ["x-api-key: \(token)"]).status == 401)
            #expect(try stage.askTCP("GET", "/v1/models", ["x-api-key: dummy"]).status == 200)
            #expect(try stage.records().map(\.tokenName) == ["agent", "agent", nil])
        }
    }

    @Test func `what is under way ends with --now alone`() throws {
        let go = try Signal()
        try Stage.run(Self.tcp(workers: 2)) { call in
            try call.beginStream()
            try call.chunk("data: 1\n\n")
            guard call.request.head.startLine.contains("slow") else { return try call.waitForEnd() }
            try go.wait()
            go.raise()
            try call.chunk("data: 2\n\n")
            try call.endStream()
        } _: { stage throws in
            // Over TCP, and one over the Unix socket.
            func begin(_ name: String) throws -> [RawClient] {
                let token = try Self.create(name, stage)
                return try (0..<4).map { place in
                    let stream = try place == 3 ? stage.caller() : stage.tcpCaller()
                    try stream.request("GET", "/v1/\(name)", ["Authorization: Bearer \(token)"])
                    _ = try stream.head()
                    _ = try stream.chunk()
                    return stream
                }
            }
            let (slow, fast) = (try begin("slow"), try begin("fast"))
            #expect(try Self.administer(#"{"act":"revoke","name":"slow"}"#, stage).status == 200)
            #expect(try Self.administer(#"{"act":"revoke","name":"fast","now":"true"}"#, stage).status == 200)
            for stream in fast { #expect(throws: (any Error).self) { _ = try stream.chunk() } }
            try stage.daemon.reload()
            go.raise()
            for stream in slow {
                #expect(try stream.chunk().map { String(decoding: $0, as: UTF8.self) } == "data: 2\n\n")
            }
            let rows = try stage.records()
            #expect(rows.filter { $0.tokenName == "slow" && $0.endState == "complete" }.count == 4)
            #expect(rows.filter { $0.tokenName == "fast" && $0.problem == "unauthenticated" }.count == 4)
        }
    }

    @Test func `a WebSocket of a token that is revoked at once ends with 1008`() throws {
        try Stage.run(Self.tcp()) { call in
            try call.acceptWebSocket()
            try? call.waitForEnd()
        } _: { stage throws in
            let token = try Self.create("ci", stage)
            let socket = try stage.tcpCaller()
            try socket.askForWebSocket("/v1/realtime?model=gpt-realtime", ["Authorization: Bearer \(token)"])
            _ = try socket.webSocketHead()
            #expect(try Self.administer(#"{"act":"revoke","name":"ci","now":"true"}"#, stage).status == 200)
            #expect(try socket.wire.readFrame(masked: false) == Frame(opcode: Frame.close, payload: [3, 0xF0]))
        }
    }

    @Test func `a first token opens an inherited TCP socket`() throws {
        let directory = try TemporaryDirectory()
        let tcp = try FreePort.listener()
        var setting = Self.tcp("")
        setting.hasTCP = false
        setting.daemon.inherited = [tcp.descriptor]
        try Stage.run(setting, in: directory) {
            try $0.reply()
        } _: { stage throws in
            func ask(_ fields: [String]) throws -> Int {
                let caller = try RawClient(tcp: tcp.number)
                try caller.request("GET", "/v1/models", fields)
                return try caller.answer().status
            }
            #expect(try ask([]) == 503)
            let token = try Self.create("ci", stage)
            // The reload that a first token brings.
            try stage.daemon.waitFor("READY=1")
            #expect(try ask([]) == 401 && ask(["x-api-key: \(token)"]) == 200)
        }
    }

    @Test func `a list is no wider than the terminal, and shows those of the configuration`() throws {
        try Stage.run(Self.tcp()) {
            try $0.reply()
        } _: { stage throws in
            let terms = #","models":["gpt-5","gpt-4o","o3-mini"],"note":"a long remark for people""#
            _ = try Self.create("ci", stage, terms)
            let text = ["Accept: text/plain"]
            let wide = try stage.ask("GET", Self.page, text).text.split(separator: "\n")
            #expect(wide.count == 3 && wide[1].hasPrefix("default  configured"))
            #expect(wide[2].hasSuffix("a long remark for people") && wide[2].contains("models gpt-5, gpt-4o, o3-mini"))
            let narrow = try stage.ask("GET", Self.page + "?width=40", text).text.split(separator: "\n")
            #expect(narrow.allSatisfy { $0.count <= 40 } && narrow[2].hasSuffix("…"))
            #expect(zip(narrow, wide).allSatisfy { $1.hasPrefix($0.prefix(39)) })
        }
    }

    @Test func `nobody administers over TCP, with a token or from a page`() throws {
        try Stage.run(Self.tcp()) {
            try $0.reply()
        } _: { stage throws in
            let token = try Self.create("ci", stage)
            let body = #"{"act":"create","name":"more"}"#
            for fields in [[], ["Authorization: Bearer \(Stage.token)"], ["Authorization: Bearer \(token)"]] {
                let answer = try stage.askTCP("POST", Self.page, fields + [Self.json], body: body)
                #expect((answer.status, answer.problem) == (404, "not_found"))
                #expect(try stage.askTCP("GET", Self.page, fields).status == 404)
            }
            for field in [
                "Authorization: Bearer \(token)", "x-api-key: \(Stage.token)", "Origin: http://localhost",
                "Sec-Fetch-Site: none",
            ] {
                let answer = try stage.ask("POST", Self.page, [field, Self.json], body: body)
                #expect((answer.status, answer.problem) == (403, "forbidden_administration"), "\(field)")
            }
            #expect(try stage.ask("GET", Self.page, ["x-api-key: dummy"]).status == 200)
            let unknown = try stage.ask("GET", "/_menshen/admin/else")
            #expect(unknown.status == 404 && !unknown.text.contains("tokens"))
        }
    }

    @Test func `what is done to a key is recorded, and the key is no part of it`() throws {
        let directory = try TemporaryDirectory()
        try Stage.run(Self.tcp(), in: directory) {
            try $0.reply()
        } _: { stage throws in
            let page = "/_menshen/admin/keys"
            func tell(_ body: String) throws -> Int { try stage.ask("POST", page, [Self.json], body: body).status }
            #expect(try tell(#"{"act":"set","name":"openai"}"#) == 200)
            #expect(try tell(#"{"act":"remove","name":"openai"}"#) == 200)
            for (body, status) in [
                (#"{"act":"show","name":"openai"}"#, 400), (#"{"act":"set","name":"sk-a-key"}"#, 404),
                (#"{"act":"set","name":"openai","key":"sk-a-key"}"#, 400), (#"{"act":"set"}"#, 400), ("x", 400),
            ] {
                let answer = try stage.ask("POST", page, [Self.json], body: body)
                #expect(answer.status == status && !answer.text.contains("sk-a-key"), "\(body)")
            }
            #expect(try stage.askTCP("POST", page, body: #"{"act":"set","name":"openai"}"#).status == 404)
            #expect(
                try stage.ask("POST", page, ["x-api-key: \(Stage.token)"], body: #"{"act":"set","name":"openai"}"#)
                    .status == 403)
            #expect(stage.daemon.log.contains("key set 'openai' by uid \(getuid()) (process \(getpid())): done"))
            _ = try stage.daemon.stop()
            #expect(!stage.daemon.log.contains("sk-a-key"))
        }
        let rows = try Connection(
            path: directory.path("state/menshen/access.db"), .readOnly, busyMilliseconds: 1000)
        #expect(
            try rows.text("SELECT group_concat(act || ' ' || target || ' ' || uid || ' ' || outcome) FROM admin")
                == "key set openai \(getuid()) done,key remove openai \(getuid()) done")
    }

    @Test func `what the configuration has to say counts`() throws {
        let setting = Self.tcp()
        try Stage.run(setting) {
            try $0.reply()
        } _: { stage throws in
            let taken = try Self.administer(#"{"act":"create","name":"default"}"#, stage)
            #expect(taken.status == 409 && taken.text.contains("[auth]"))
            let unknown = try Self.administer(#"{"act":"create","name":"a","providers":["opena"]}"#, stage)
            #expect(unknown.status == 400 && unknown.text.contains("which has openai"))
            _ = try Self.create("ci", stage, #","providers":["openai"],"note":"x""#)
            #expect(try Self.administer(#"{"act":"edit","name":"ci","providers":["x"]}"#, stage).status == 400)
            #expect(try Self.administer(#"{"act":"edit","name":"ci","note":"y"}"#, stage).status == 200)
            #expect(try stage.ask("GET", Self.page + "?name=ci").text.contains(#""note":"y""#))
            // A reload that would make two of one name is none.
            var other = setting
            other.authentication += "\n[[auth.tokens]]\nname = \"ci\"\ntoken = \"another-token-2\""
            try stage.daemon.reload(Stage.configuration(other, stage.upstream))
            #expect(stage.daemon.log.contains("has given out a token 'ci'"))
            #expect(try stage.askTCP("GET", "/v1/models", ["x-api-key: another-token-2"]).status == 401)
        }
    }

    @Test func `a token outlives menshen, and is enough to listen`() throws {
        let directory = try TemporaryDirectory()
        var token = ""
        try Stage.run(Self.tcp(), in: directory) {
            try $0.reply()
        } _: { stage throws in
            token = try Self.create("ci", stage)
            try stage.daemon.kill()
        }
        try Stage.run(Self.tcp(workers: 2, ""), in: directory) {
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.askTCP("GET", "/v1/models", ["x-api-key: \(token)"]).status == 200)
            #expect(try stage.askTCP("GET", "/v1/models", []).status == 401)
            try stage.daemon.reload()
            #expect(try stage.askTCP("GET", "/v1/models", ["x-api-key: \(token)"]).status == 200)
        }
    }

    @Test func `a token that has expired says so`() throws {
        let directory = try TemporaryDirectory()
        var token = ""
        try Stage.run(Self.tcp(), in: directory) {
            try $0.reply()
        } _: { stage throws in
            token = try Self.create("ci", stage, #","expires":"1h""#)
            #expect(try stage.askTCP("GET", "/v1/models", ["x-api-key: \(token)"]).status == 200)
            _ = try stage.daemon.stop()
        }
        try Connection(path: directory.path("state/menshen/access.db"), .readWrite, busyMilliseconds: 1000)
            .execute("UPDATE tokens SET expires = 1000000000")
        try Stage.run(Self.tcp(), in: directory) {
            try $0.reply()
        } _: { stage throws in
            let answer = try stage.askTCP("GET", "/v1/models", ["x-api-key: \(token)"])
            #expect(answer.status == 401 && answer.text.contains("'ci' has expired"))
            #expect(try Self.administer(#"{"act":"edit","name":"ci","expires":""}"#, stage).status == 200)
            #expect(try stage.askTCP("GET", "/v1/models", ["x-api-key: \(token)"]).status == 200)
        }
    }

    @Test func `a damaged file refuses its tokens and nothing else, and is taken up again once it is whole`() throws {
        let directory = try TemporaryDirectory()
        let file = directory.path("state/menshen/access.db")
        var token = ""
        try Stage.run(Self.tcp(), in: directory) {
            try $0.reply()
        } _: { stage throws in
            token = try Self.create("ci", stage)
            _ = try stage.daemon.stop()
        }
        #expect(rename(file, file + ".good") == 0)
        for suffix in ["-wal", "-shm"] { unlink(file + suffix) }
        try directory.write("state/menshen/access.db", String(repeating: "no database ", count: 50))
        try Stage.run(Self.tcp(), in: directory) {
            try $0.reply()
        } _: { stage throws in
            let refused = try stage.askTCP("GET", "/v1/models", ["x-api-key: \(token)"])
            #expect((refused.status, refused.problem) == (503, "tokens_unavailable"))
            #expect(try stage.askTCP().status == 200 && stage.ask().status == 200)
            #expect(try stage.ask("GET", "/_menshen/status", ["Accept: text/plain"]).text.contains("TOKENS"))
            #expect(try Self.administer(#"{"act":"create","name":"b"}"#, stage).status == 503)
            #expect(rename(file + ".good", file) == 0)
            let callers = [try stage.tcpCaller()]
            try stage.daemon.reload()
            // An act waits for the thread that reads the file.
            #expect(try Self.administer(#"{"act":"create","name":"b"}"#, stage).status == 201)
            try callers[0].request("GET", "/v1/models", ["x-api-key: \(token)"])
            #expect(try callers[0].answer().status == 200)
        }
    }
}
