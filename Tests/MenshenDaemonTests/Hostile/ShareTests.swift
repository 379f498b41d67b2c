// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// One caller does not take what belongs to all.
struct ShareTests {
    @Test(arguments: [false, true])
    func `both of two pipelined requests are answered although the caller sends no more`(isTCP: Bool) throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            try $0.reply(body: $0.request.head.startLine)
        } _: { stage throws in
            let caller = try isTCP ? stage.tcpCaller() : stage.caller()
            let field = "Authorization: Bearer \(Stage.token)"
            var text = ""
            for path in ["a", "b", "c"] { text += "GET /v1/\(path) HTTP/1.1\r\nHost: localhost\r\n\(field)\r\n\r\n" }
            try caller.send(text)
            caller.wire.finishWriting()
            let count = isTCP ? 2 : 3
            for path in ["a", "b", "c"].prefix(count) {
                #expect(try caller.answer().text == "GET /v1/\(path) HTTP/1.1")
            }
        }
    }

    @Test func `requests that come faster than their answers go are not kept`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            let caller = try stage.caller()
            let requests = Array(
                String(repeating: "GET /_menshen/health HTTP/1.1\r\nHost: a\r\n\r\n", count: 1500).utf8)
            let before = stage.daemon.peakMemory
            var sent = 0
            for _ in 0..<200 {
                let rest = Array(requests[(sent % requests.count)...])
                let count = try caller.wire.writeWithoutWaiting(rest)
                sent += count
                if count < rest.count { _ = try caller.wire.read() }
            }
            #expect(stage.daemon.peakMemory - before < 1 << 10)
            #expect(try stage.ask("GET", "/_menshen/health").status == 200)
        }
    }

    @Test func `silent strangers shut nobody out`() throws {
        try Stage.run(
            .with {
                $0.hasTCP = true
                $0.tables = "[server]\nmax_connections = 16"
            }
        ) {
            try $0.reply(body: "x")
        } _: { stage throws in
            let strangers = try (0..<40).map { _ in try stage.tcpCaller() }
            #expect(try stage.ask().text == "x")
            #expect(try stage.askTCP().text == "x")
            #expect(try strangers[0].isClosedCleanly())
        }
    }

    @Test func `callers on TCP leave room for those on the Unix socket`() throws {
        try Stage.run(
            .with {
                $0.hasTCP = true
                $0.tables = "[server]\nmax_connections = 8"
            }
        ) {
            try $0.reply(body: "x")
        } _: { stage throws in
            var callers: [RawClient] = []
            for _ in 0..<7 {
                let caller = try stage.tcpCaller()
                callers.append(caller)
                try caller.request("GET", "/v1/models", ["Authorization: Bearer \(Stage.token)"])
                #expect(try caller.answer().text == "x")
            }
            #expect(try stage.tcpCaller().isClosedCleanly())
            #expect(try stage.ask().text == "x")
        }
    }

    @Test func `a refused upload is heard to its end, and its caller reads the answer`() throws {
        try Stage.run(
            .with {
                $0.hasTCP = true
                $0.tables = "[server]\nmax_body_bytes = \"1KiB\""
            }
        ) {
            try $0.reply()
        } _: { stage throws in
            let caller = try stage.tcpCaller()
            try caller.send("POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 25165824\r\n\r\n")
            let piece = [UInt8](repeating: 65, count: 1 << 20)
            for _ in 0..<24 { try caller.send(piece) }
            #expect(try caller.answer().status == 413)
        }
    }

    @Test func `bodies that are not whole fill a caller's share and no more`() throws {
        try Stage.run(.with { $0.tables = "[server]\nmax_buffered_bodies = \"1MiB\"" }) {
            try $0.reply(body: "x")
        } _: { stage throws in
            let part = String(repeating: "a", count: 300_000)
            let first = try stage.caller()
            try first.request("POST", "/v1/x", ["Content-Length: 400000"])
            try first.send(part)
            // Read before the next: both are the loop's, in the order in which they came.
            #expect(try stage.ask("POST", "/v1/x", body: "small").text == "x")
            let second = try stage.caller()
            try second.request("POST", "/v1/x", ["Content-Length: 400000"])
            try second.send(part)
            let refused = try second.answer()
            #expect((refused.status, refused.problem) == (503, "overloaded"))
            #expect(refused["Retry-After"] != nil)
            try first.send(String(repeating: "a", count: 100_000))
            #expect(try first.answer().text == "x")
            #expect(try stage.ask("POST", "/v1/x", body: part).text == "x")
        }
    }

    @Test func `a long path is cut in the record, and goes upstream whole`() throws {
        let path = "/v1/" + String(repeating: "p", count: 6_000)
        try Stage.run {
            try $0.reply(body: $0.request.head.startLine)
        } _: { stage throws in
            #expect(try stage.ask("GET", path).text == "GET \(path) HTTP/1.1")
            #expect(try stage.records().first?.path == path.prefix(2045) + "…")
        }
    }

    @Test(.enabled(if: !Stage.hasLibcurl))
    func `announcements that a caller does not read are not kept`() throws {
        let isSent = try Signal()
        try Stage.run { call in
            // Under the 128 KiB that the heads of one answer may have.
            let line = "HTTP/1.1 103 Early Hints\r\nX-Pad: \(String(repeating: "a", count: 4000))\r\n\r\n"
            for _ in 0..<30 { try call.send(line) }
            isSent.raise()
            try call.reply(body: "x")
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/models")
            try isSent.wait("the provider has said all")
            let answer = try caller.answer()
            // What waits for the caller is 16 KiB at most; it may have been taken meanwhile.
            #expect(answer.text == "x" && answer.interim.count <= 30)
        }
    }

    @Test func `a token sees its own requests in the status, the Unix socket all`() throws {
        try Stage.run(
            .with {
                $0.hasTCP = true
                $0.authentication = """
                    token = "\(Stage.token)"
                    [[auth.tokens]]
                    name = "laptop"
                    token = "laptop-token-22"
                    """
            }
        ) {
            try $0.reply()
        } _: { stage throws in
            _ = try stage.askTCP("GET", "/v1/of-default")
            let laptop = ["Authorization: Bearer laptop-token-22"]
            _ = try stage.askTCP("GET", "/v1/of-laptop", laptop)
            let page = try stage.askTCP("GET", "/_menshen/status", laptop).text
            #expect(!page.contains("/v1/of-default"))
            #expect(try stage.ask("GET", "/_menshen/status").text.contains("/v1/of-default"))
        }
    }

    @Test func `a revoked token ends its WebSocket with 1008 and its streams`() throws {
        let setting = Stage.Setting.with { $0.hasTCP = true }
        try Stage.run(setting) { call in
            if call.request.head.startLine.contains("realtime") {
                try call.acceptWebSocket()
            } else {
                try call.beginStream()
                try call.chunk("data: 1\n\n")
            }
            try? call.waitForEnd()
        } _: { stage throws in
            let field = "Authorization: Bearer \(Stage.token)"
            let socket = try stage.tcpCaller()
            try socket.askForWebSocket("/v1/realtime?model=gpt-realtime", [field])
            _ = try socket.webSocketHead()
            let stream = try stage.tcpCaller()
            try stream.request("GET", "/v1/stream", [field])
            _ = try stream.head()
            _ = try stream.chunk()
            var other = setting
            other.authentication = "token = \"another-token-1\""
            try stage.daemon.reload(Stage.configuration(other, stage.upstream))
            #expect(try socket.wire.readFrame(masked: false) == Frame(opcode: Frame.close, payload: [3, 0xF0]))
            #expect(throws: (any Error).self) { _ = try stream.chunk() }
            #expect(try stage.askTCP().status == 401)
            let rows = try stage.records()
            #expect(rows.prefix(2).map(\.problem) == ["unauthenticated", "unauthenticated"])
        }
    }

    @Test func `a token revoked before its answer begins leaves one attempt`() throws {
        let setting = Stage.Setting.with { $0.hasTCP = true }
        let asked = try Signal()
        try Stage.run(setting) { call in
            asked.raise()
            try? call.waitForEnd()
        } _: { stage throws in
            let caller = try stage.tcpCaller()
            try caller.request("GET", "/v1/slow", ["Authorization: Bearer \(Stage.token)"])
            try asked.wait()
            var other = setting
            other.authentication = "token = \"another-token-1\""
            try stage.daemon.reload(Stage.configuration(other, stage.upstream))
            #expect(try caller.answer().status == 401)
            let attempts = try stage.records().map(\.attempts)
            #expect(attempts == [["openai - unauthenticated"]])
        }
    }
}
