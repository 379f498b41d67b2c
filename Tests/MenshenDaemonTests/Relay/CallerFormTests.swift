// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct CallerFormTests {
    @Test func `three requests in one packet are answered in order`() throws {
        try Stage.run {
            try $0.reply(body: $0.request.target + $0.request.text)
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send(
                "GET /v1/1 HTTP/1.1\r\nHost: a\r\n\r\n"
                    + "POST /v1/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                    + "GET /v1/3 HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try caller.answer().text == "/v1/1")
            #expect(try caller.answer().text == "/v1/2abc")
            #expect(try caller.answer().text == "/v1/3")
            #expect(try stage.records().count == 3)
        }
    }

    @Test func `a request may come byte by byte`() throws {
        try Stage.run {
            try $0.reply(body: $0.request.text)
        } _: { stage throws in
            let caller = try stage.caller()
            let text = "POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            for byte in text.utf8 { try caller.send([byte]) }
            #expect(try caller.answer().text == "abc")
        }
    }

    @Test func `a caller of HTTP 1.0 may keep its connection`() throws {
        try Stage.run {
            try $0.reply(body: $0.request.target)
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send("GET /v1/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            let first = try caller.answer()
            #expect((first.text, first["Connection"]) == ("/v1/1", "keep-alive"))
            try caller.send("GET /v1/2 HTTP/1.0\r\n\r\n")
            let second = try caller.answer()
            #expect((second.text, second["Connection"]) == ("/v1/2", "close"))
            #expect(try caller.isClosedCleanly())
        }
    }

    @Test func `a caller that asks to close is closed after its answer`() throws {
        try Stage.run {
            try $0.reply(body: "x")
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x", ["Connection: close"])
            let answer = try caller.answer()
            #expect((answer.text, answer["Connection"]) == ("x", "close"))
            #expect(try caller.isClosedCleanly())
        }
    }

    @Test func `a caller that waits for 100 gets it before its body`() throws {
        try Stage.run {
            try $0.reply(body: $0.request.text)
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send("POST /v1/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            let interim = try #require(try caller.wire.read(through: "\r\n\r\n"))
            #expect(String(decoding: interim, as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
            try caller.send("abc")
            #expect(try caller.answer().text == "abc")
            #expect(stage.upstream.requests.first?["Expect"] == nil)
        }
    }

    @Test func `a caller that is refused gets no 100`() throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            try $0.reply()
        } _: { stage throws in
            let caller = try stage.tcpCaller()
            try caller.send(
                "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            let answer = try caller.answer()
            #expect((answer.status, answer.interim.count) == (401, 0))
            #expect(answer["Connection"] == "close")
        }
    }

    @Test func `a half-closed Unix socket still gets its answer`() throws {
        let go = try Signal()
        try Stage.run { call in
            try go.wait()
            try call.reply(body: "late")
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            caller.wire.finishWriting()
            go.raise()
            #expect(try caller.answer().text == "late")
            #expect(try caller.isClosedCleanly())
            #expect(try stage.records().first?.endState == "complete")
        }
    }

    @Test func `an absolute-form target is read as its path`() throws {
        try Stage.run {
            try $0.reply(body: $0.request.target)
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send("GET http://localhost/v1/x?y=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(try caller.answer().text == "/v1/x?y=1")
        }
    }
}
