// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct WebSocketTests {
    private static let tcp = Stage.Setting.with { $0.hasTCP = true }
    private static let bearer = "Authorization: Bearer \(Stage.token)"

    enum Way: CaseIterable { case unix, tcp, unixUpstream }

    private static func setting(_ way: Way) -> Stage.Setting {
        .with {
            $0.hasTCP = way == .tcp
            $0.upstreamOnUnix = way == .unixUpstream
        }
    }

    @Test(arguments: Way.allCases)
    func `messages pass both ways, with the key on the way up and a record at the end`(way: Way) throws {
        try Stage.run(Self.setting(way)) { call in
            try call.acceptWebSocket("Sec-WebSocket-Protocol: realtime\r\n")
            while true {
                let frame = try call.wire.readFrame(masked: true)
                try call.wire.write(frame, masked: false)
                if frame.opcode == Frame.close { return call.close() }
            }
        } _: { stage throws in
            let caller = try way == .tcp ? stage.tcpCaller() : stage.caller()
            try caller.askForWebSocket(
                "/v1/realtime?model=gpt-realtime",
                [
                    Self.bearer, "Sec-WebSocket-Extensions: permessage-deflate", "OpenAI-Beta: realtime=v1",
                    "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.sk-mine,openai-beta.realtime-v1",
                    "Sec-WebSocket-Protocol: openai-organization.org-1, more",
                ])
            let head = try caller.webSocketHead()
            #expect(head["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            #expect(head["Sec-WebSocket-Protocol"] == "realtime")
            #expect(head["X-Of-The-Provider"] == "1")
            #expect(head.all("Connection") + head.all("Upgrade") == ["Upgrade", "websocket"])
            #expect(head["x-menshen-request-id"] != nil)
            let sizes = [0, 1, 125, 126, 65535, 65536, 300_000]
            for size in sizes {
                let frame = Frame(opcode: Frame.binary, payload: (0..<size).map { UInt8(truncatingIfNeeded: $0) })
                try caller.wire.write(frame, masked: true)
                #expect(try caller.wire.readFrame(masked: false) == frame)
            }
            try caller.wire.write(.goodbye, masked: true)
            #expect(try caller.wire.readFrame(masked: false) == .goodbye)
            #expect(try caller.isClosedCleanly())

            let request = try #require(stage.upstream.requests.first)
            #expect(request.head.startLine == "GET /v1/realtime?model=gpt-realtime HTTP/1.1")
            #expect(request.head.all("Authorization") == ["Bearer \(Stage.key)"])
            #expect(request.head.all("Connection") + request.head.all("Upgrade") == ["Upgrade", "websocket"])
            #expect(request.head.all("Sec-WebSocket-Key") == ["dGhlIHNhbXBsZSBub25jZQ=="])
            #expect(request.head.all("Sec-WebSocket-Version") == ["13"])
            #expect(request.head.all("Sec-WebSocket-Protocol") == ["realtime, openai-beta.realtime-v1, more"])
            #expect(request.head.all("Sec-WebSocket-Extensions").isEmpty)
            #expect(request["OpenAI-Beta"] == "realtime=v1")
            #expect(request.head.all("Host").count == 1)
            #expect(!request.head.text.contains(Stage.token) && !request.head.text.contains("sk-mine"))

            let row = try #require(try stage.records().first)
            #expect((row.method, row.path, row.status, row.endState) == ("GET", "/v1/realtime", 101, "complete"))
            #expect((row.model, row.provider, row.problem) == ("gpt-realtime", "openai", nil))
            // Payloads, seven lengths, and on the way in seven masks; goodbye is 4 and 8 bytes.
            let sum = sizes.reduce(34, +)
            #expect((row.bytesIn, row.bytesOut) == (sum + 28 + 8, sum + 4))
            #expect(row.attempts == ["openai 101 ok"])
        }
    }

    @Test(arguments: [
        ("/v1/realtime?model=door", "openai", "realtime", "response.done"),
        ("/v1/responses", "openai", "responses", "response.completed"),
        ("/openai/v1/realtime?model=door", "azure", "realtime", "response.done"),
        ("/openai/realtime?api-version=2025-04-01-preview&deployment=door", "azure", "realtime", "response.done"),
    ])
    func `what the responses of a session used is added up in its one record`(
        target: String, kind: String, operation: String, type: String
    ) throws {
        let report = #"{"input_tokens":20,"output_tokens":10,"input_tokens_details":{"cached_tokens":4}}"#
        try Stage.run(
            .with {
                $0.kind = kind
                $0.basePath = ""
            }
        ) { call in
            try call.acceptWebSocket()
            while true {
                let frame = try call.wire.readFrame(masked: true)
                if frame.opcode == Frame.close {
                    try call.wire.write(frame, masked: false)
                    return call.close()
                }
                for event in [
                    #""type":"response.created","response":{}"#,
                    #""type":"\#(type)","response":{"model":"door-1","usage":\#(report)}"#,
                ] {
                    try call.wire.write(.text("{\(event)}"), masked: false)
                }
            }
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.askForWebSocket(target)
            _ = try caller.webSocketHead()
            for _ in 0..<3 {
                try caller.wire.write(.text(#"{"type":"response.create"}"#), masked: true)
                for _ in 0..<2 { #expect(try caller.wire.readFrame(masked: false).opcode == Frame.text) }
            }
            try caller.wire.write(.goodbye, masked: true)
            #expect(try caller.wire.readFrame(masked: false) == .goodbye)
            #expect(stage.upstream.requests.first?.target == target)
            let rows = try stage.records()
            let row = try #require(rows.first)
            #expect((rows.count, row.dialect, row.operation, row.endState) == (1, kind, operation, "complete"))
            #expect((row.usageState, row.inputTotal, row.cacheRead, row.outputTotal) == ("reported", 60, 12, 30))
            #expect((row.model, row.answerModel) == (target.contains("door") ? "door" : nil, "door-1"))
        }
    }

    @Test(arguments: [
        ([], "none"), (["response.created"], "unknown"), (["response.created", "response.done"], "reported"),
        (["response.created", "response.done", "response.created"], "partial"),
    ])
    func `a session that its caller leaves is charged for what was begun`(types: [String], state: String) throws {
        try Stage.run { call in
            try call.acceptWebSocket()
            for type in types {
                let usage = type == "response.done" ? #"{"input_tokens":20,"output_tokens":10}"# : "null"
                try call.wire.write(.text(#"{"type":"\#(type)","response":{"usage":\#(usage)}}"#), masked: false)
            }
            try call.waitForEnd()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.askForWebSocket()
            _ = try caller.webSocketHead()
            for _ in types { _ = try caller.wire.readFrame(masked: false) }
            caller.wire.close()
            let row = try #require(try stage.records().first)
            #expect((row.endState, row.usageState) == ("client_gone", state))
            #expect(row.inputTotal == (types.contains("response.done") ? 20 : nil))
        }
    }

    @Test func `over TCP a browser's token may stand among the sub-protocols`() throws {
        try Stage.run(Self.tcp) {
            try $0.acceptWebSocket("Sec-WebSocket-Protocol: realtime\r\n")
            try $0.waitForEnd()
        } _: { stage throws in
            let protocols = "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key."
            let stranger = try stage.tcpCaller()
            try stranger.askForWebSocket("/v1/realtime", [protocols + "other"])
            #expect(try stranger.answer().status == 401)
            let caller = try stage.tcpCaller()
            try caller.askForWebSocket("/v1/realtime", [protocols + Stage.token])
            #expect(try caller.webSocketHead()["Sec-WebSocket-Protocol"] == "realtime")
            #expect(stage.upstream.requests.map { $0["Sec-WebSocket-Protocol"] } == ["realtime"])
        }
    }

    @Test func `a foreign page opens no WebSocket`() throws {
        try Stage.run(Self.tcp) {
            try $0.acceptWebSocket()
        } _: { stage throws in
            let caller = try stage.tcpCaller()
            try caller.askForWebSocket("/v1/realtime", [Self.bearer, "Origin: https://evil.example"])
            let answer = try caller.answer()
            #expect((answer.status, answer.problem) == (403, "forbidden_origin"))
            #expect(stage.upstream.connections == 0)
        }
    }

    @Test func `a browser's token goes nowhere without an upgrade either`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            // No key, an old version, another protocol, and a body.
            for fields in [
                ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
                ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 8", "Sec-WebSocket-Key: a"],
                ["Connection: Upgrade", "Upgrade: h2c", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: a"],
                ["Connection: keep-alive", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: a"],
                RawClient.upgrade + ["Content-Length: 0", "Sec-WebSocket-Key: b"],
            ] {
                let caller = try stage.caller()
                try caller.request(
                    "GET", "/v1/realtime",
                    fields + ["Sec-WebSocket-Protocol: openai-insecure-api-key.\(Stage.token)"])
                #expect(try caller.answer().status == 200)
            }
            for request in stage.upstream.requests {
                #expect(!request.head.names.contains { $0.hasPrefix("sec-websocket") || $0 == "upgrade" })
            }
            #expect(stage.upstream.requests.count == 5)
        }
    }

    @Test func `frames right behind either head are not lost`() throws {
        let early = Frame.text("early")
        try Stage.run { call in
            try call.acceptWebSocket(with: Frame.text("first").bytes(masked: false))
            #expect(try call.wire.readFrame(masked: true) == early)
            try call.waitForEnd()
        } _: { stage throws in
            let caller = try stage.caller()
            let fields = RawClient.upgrade.joined(separator: "\r\n")
            try caller.send(
                Array("GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n\r\n".utf8)
                    + early.bytes(masked: true))
            _ = try caller.webSocketHead()
            #expect(try caller.wire.readFrame(masked: false) == .text("first"))
        }
    }

    // MARK: Answers other than 101

    @Test(arguments: [
        "Content-Length: 15\r\n\r\n{\"error\":\"key\"}",
        "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"err\r\nA\r\nor\":\"key\"}\r\n0\r\n\r\n",
    ])
    func `a provider that refuses is heard, and the connection ends`(rest: String) throws {
        try Stage.run { call in
            try call.send("HTTP/1.1 401 Unauthorized\r\nX-Of-The-Provider: 1\r\n" + rest)
            try call.waitForEnd()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.askForWebSocket()
            let answer = try caller.answer()
            #expect((answer.status, answer.text) == (401, "{\"error\":\"key\"}"))
            #expect((answer["X-Of-The-Provider"], answer["Connection"]) == ("1", "close"))
            #expect(try caller.isClosedCleanly())
            let row = try #require(try stage.records().first)
            #expect((row.status, row.endState, row.bytesOut) == (401, "complete", 15))
        }
    }

    @Test func `an answer that ends with its connection is whole, and one that breaks off is not`() throws {
        try Stage.run { call in
            try call.send("HTTP/1.1 400 No\r\n" + (call.request.target.contains("part") ? "Content-Length: 9\r\n" : ""))
            try call.send("\r\npart")
            call.close()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.askForWebSocket("/v1/whole")
            #expect(try caller.answer().text == "part")
            let other = try stage.caller()
            try other.askForWebSocket("/v1/part")
            #expect(throws: TestFailure.self) { _ = try other.answer() }
            #expect(try stage.records().map(\.endState) == ["complete", "truncated"])
        }
    }

    @Test(arguments: [
        "Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n", "Upgrade: websocket\r\n",
        "Upgrade: websocket\r\nConnection: Upgrade\r\n",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Extensions: y\r\n",
    ])
    func `a 101 that is not what was asked for is refused`(fields: String) throws {
        try Stage.run { call in
            try call.send("HTTP/1.1 101 Switching Protocols\r\n\(fields)\r\nraw")
            try call.waitForEnd()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.askForWebSocket()
            let answer = try caller.answer()
            #expect((answer.status, answer.problem) == (502, "upstream_broken"))
        }
    }

    @Test func `a provider that cannot be reached is a problem as ever`() throws {
        try Stage.run(.with { $0.baseURL = "http://127.0.0.1:1" }) { _ in
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.askForWebSocket()
            #expect(try caller.answer().problem == "upstream_unreachable")
            #expect(try stage.records().map(\.endState) == ["upstream_error"])
        }
    }
}
