// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct LimitTests {
    @Test func `a head above its limit is a 431 and closes`() throws {
        try Stage.run(.with { $0.tables = "[server]\nmax_header_bytes = \"2KiB\"" }) {
            try $0.reply()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/models", ["X-Long: " + String(repeating: "a", count: 4000)])
            let answer = try caller.answer()
            #expect((answer.status, answer.problem) == (431, "request_too_large"))
            #expect(answer["Connection"] == "close")
            #expect(try caller.isClosedCleanly())
            #expect(try stage.records().map(\.status) == [431])
        }
    }

    @Test func `a head without an end is cut at its limit`() throws {
        try Stage.run(.with { $0.tables = "[server]\nmax_header_bytes = \"2KiB\"" }) {
            try $0.reply()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send("GET /v1/models HTTP/1.1\r\nX-Long: " + String(repeating: "a", count: 4000))
            #expect(try caller.answer().status == 431)
        }
    }

    @Test func `more than 128 fields are a 431`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            let fields = (0..<127).map { "X-\($0): 1" }
            #expect(try stage.ask("GET", "/v1/models", fields).status == 200)
            let answer = try stage.ask("GET", "/v1/models", fields + ["X-Last: 1", "X-More: 1"])
            #expect((answer.status, answer.problem) == (431, "request_too_large"))
        }
    }

    enum Body: CaseIterable { case announced, chunked, oneChunk }

    @Test(arguments: Body.allCases)
    func `a body above its limit is a 413, and the provider sees none of it whole`(body: Body) throws {
        try Stage.run(
            .with {
                $0.tables = "[server]\nmax_body_bytes = \"1KiB\""
                $0.hasTCP = true
            }
        ) {
            try $0.reply()
        } _: { stage throws in
            let caller = try stage.tcpCaller()
            let head =
                "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nx-api-key: \(Stage.token)\r\nContent-Type: application/json\r\n"
            switch body {
            case .announced:
                try caller.send(head + "Content-Length: 1025\r\n\r\n" + String(repeating: "a", count: 1025))
            case .chunked:
                try caller.send(head + "Transfer-Encoding: chunked\r\n\r\n")
                for _ in 0..<11 { try caller.send("64\r\n" + String(repeating: "a", count: 100) + "\r\n") }
            case .oneChunk: try caller.send(head + "Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n")
            }
            let answer = try caller.answer()
            #expect((answer.status, answer.problem) == (413, "request_too_large"))
            #expect(try caller.isClosedCleanly())
            #expect(stage.upstream.requests.isEmpty)
            let rows = try stage.records()
            #expect(rows.map(\.status) == [413])
            #expect(rows.map(\.endState) == ["refused"])
        }
    }

    @Test func `a body of exactly the limit passes`() throws {
        try Stage.run(.with { $0.tables = "[server]\nmax_body_bytes = \"1KiB\"" }) {
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.ask("POST", "/v1/x", body: String(repeating: "a", count: 1024)).status == 200)
        }
    }

    @Test func `a streamed body above its limit breaks off upstream`() throws {
        try Stage.run(
            .with {
                $0.tables = "[server]\nmax_body_bytes = \"3MiB\""
                $0.readsBody = false
            }
        ) { call in
            try call.waitForEnd()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send("POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = Array("100000\r\n".utf8) + [UInt8](repeating: 65, count: 1 << 20) + [13, 10]
            for _ in 0..<4 { try? caller.send(chunk) }
            #expect(try caller.answer().status == 413)
            #expect(try stage.records().map(\.status) == [413])
        }
    }

    @Test func `connections above max_connections are closed at once`() throws {
        try Stage.run(.with { $0.tables = "[server]\nmax_connections = 3" }) {
            try $0.reply(body: "x")
        } _: { stage throws in
            let callers = try (0..<3).map { _ in try stage.caller() }
            for caller in callers {
                try caller.request("GET", "/v1/models")
                #expect(try caller.answer().text == "x")
            }
            #expect(try stage.caller().isClosedCleanly())
            #expect(stage.daemon.log.contains("3 are open (server.max_connections)"))
            callers[0].wire.close()
            // The daemon sees that end before it takes the next connection, or closes one more.
            var answer: Answer?
            while answer == nil { answer = try? stage.ask() }
            #expect(answer?.text == "x")
        }
    }
}
