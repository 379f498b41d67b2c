// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// Design promise: an answer that breaks off upstream breaks off for the caller too, and never looks whole.
struct TruncationTests {
    enum Form: CaseIterable { case lengthOnUnix, lengthOnTCP, chunkedOnUnix, chunkedOnTCP, resetInChunk }

    @Test(arguments: Form.allCases)
    func `an answer that breaks off is broken for the caller`(form: Form) throws {
        let onTCP = form == .lengthOnTCP || form == .chunkedOnTCP
        let seen = try Signal()
        try Stage.run(.with { $0.hasTCP = onTCP }) { call in
            switch form {
            case .lengthOnUnix, .lengthOnTCP:
                try call.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
                call.close()
            case .chunkedOnUnix, .chunkedOnTCP:
                try call.beginStream()
                try call.chunk("data: 1\n\n")
                call.close()
            case .resetInChunk:
                try call.beginStream()
                try call.chunk("data: 1\n\n")
                try call.send("20\r\nhalf a chu")
                // A reset overtakes what is not read yet.
                try seen.wait()
                call.reset()
            }
        } _: { stage throws in
            let caller = try onTCP ? stage.tcpCaller() : stage.caller()
            try caller.request("GET", "/v1/x", ["Authorization: Bearer \(Stage.token)"])
            let head = try caller.head()
            #expect(head.status == 200)
            switch head.framing {
            case .length: #expect(throws: (any Error).self) { try caller.wire.read(exactly: 100) }
            case .chunked:
                #expect(try caller.chunk()?.count == 9)
                seen.raise()
                #expect(throws: (any Error).self) { while try caller.chunk() != nil {} }
            default: Issue.record("framed as \(head.framing)")
            }
            let row = try #require(try stage.records().first)
            #expect((row.status, row.endState, row.problem) == (200, "truncated", "upstream_broken"))
            #expect(row.attempts == ["openai 200 truncated"])
        }
    }

    @Test func `a caller of HTTP 1.0 over TCP sees a reset in place of an end`() throws {
        try Stage.run(.with { $0.hasTCP = true }) { call in
            try call.beginStream()
            try call.chunk("half")
            call.close()
        } _: { stage throws in
            let caller = try stage.tcpCaller()
            try caller.send("GET /v1/x HTTP/1.0\r\nHost: localhost\r\nx-api-key: \(Stage.token)\r\n\r\n")
            #expect(throws: Wire.Fault.reset) {
                _ = try caller.head()
                _ = try caller.wire.readToEnd()
            }
        }
    }

    @Test func `a broken answer to a pipelined request is followed by no other answer`() throws {
        try Stage.run { call in
            guard call.request.target == "/v1/broken" else { return try call.reply(body: "second") }
            try call.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
            call.close()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send("GET /v1/broken HTTP/1.1\r\nHost: a\r\n\r\nGET /v1/next HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try caller.head().status == 200)
            #expect(String(decoding: try caller.wire.readToEnd(), as: UTF8.self) == "only this")
        }
    }

    @Test func `a chunk that is malformed upstream breaks the answer`() throws {
        try Stage.run { call in
            try call.beginStream()
            try call.chunk("good")
            try call.send("zz\r\nbad\r\n")
            try call.waitForEnd()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            #expect(try caller.head().status == 200)
            #expect(throws: (any Error).self) { while try caller.chunk() != nil {} }
            #expect(try stage.records().first?.endState == "truncated")
        }
    }
}
