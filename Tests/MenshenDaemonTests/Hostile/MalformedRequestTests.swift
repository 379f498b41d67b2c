// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct MalformedRequestTests {
    private static let cases: [(String, Int)] = [
        ("get /v1/x HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET  /v1/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /v1/x\r\n\r\n", 400), ("GET /v1/x HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET /v1/x HTTP/1.1 \r\nHost: a\r\n\r\n", 400), ("GET /v1/x y HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /v1/x HTTP/1\r\nHost: a\r\n\r\n", 400), ("GET /v1/x FTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("BREW a b c\r\nHost: a\r\n\r\n", 400), ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("GET /v1/x HTTP/1.1\r\nHost: user@a\r\n\r\n", 400),
        ("GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("GET /?\(String(repeating: "&", count: 300)) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: \(String(repeating: "a,", count: 99))\r\n\r\n", 431),
        ("BREW /v1/x HTTP/1.1\r\nHost: a\r\n\r\n", 501), ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        ("TRACE /v1/x HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        ("GET v1/x HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET /v1/\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET https://a/v1/x HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET http://u@a/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /v1/x HTTP/1.1\r\n\r\n", 400), ("GET /v1/x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET /v1/x HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", 400), ("GET /v1/x HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n", 400),
        ("GET /v1/x HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n", 400),
        ("GET /v1/x HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
        ("GET /v1/x HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400), ("GET /v1/x HTTP/1.1\nHost: a\n\r\n\r\n", 400),
        ("GET /v1/x HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400), ("GET /v1/x HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        // What two parsers could frame in two ways.
        ("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
        ("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
        ("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400),
        ("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc", 400),
        ("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400),
        ("POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        ("POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
        (
            "POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400
        ),
        ("POST /v1/x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400),
        ("POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n", 400),
        ("POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400),
        ("POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 400),
        ("POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", 400),
        ("POST /v1/x HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\na", 417),
    ]

    @Test func `malformed requests are refused, recorded and closed, and nothing goes out`() throws {
        try Stage.run {
            try $0.reply(body: "leaked")
        } _: { stage throws in
            for (text, status) in Self.cases {
                let caller = try stage.caller()
                // What follows must not be taken for a request.
                try caller.send(text + "GET /v1/smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
                let answer = try caller.answer()
                #expect(answer.status == status, "\(text.debugDescription)")
                #expect(answer.problem != nil, "\(text.debugDescription)")
                #expect(answer["Connection"] == "close")
                #expect(try caller.isClosedCleanly(), "\(text.debugDescription)")
            }
            #expect(stage.upstream.requests.isEmpty)
            let rows = try stage.records()
            #expect(rows.count == Self.cases.count)
            #expect(rows.map(\.status) == Self.cases.map(\.1))
            #expect(rows.allSatisfy { $0.endState == "refused" })
        }
    }

    @Test func `a TLS hello on the port is refused at its first byte`() throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            try $0.reply()
        } _: { stage throws in
            let caller = try stage.tcpCaller()
            try caller.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03])
            #expect(try caller.answer().status == 400)
            #expect(try caller.isClosedCleanly())
        }
    }

    @Test func `a connection that ends before a request leaves no record`() throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            try $0.reply()
        } _: { stage throws in
            try stage.caller().wire.close()
            try stage.tcpCaller().wire.close()
            try stage.tcpCaller().wire.reset()
            let half = try stage.caller()
            try half.send("GET /v1/mod")
            half.wire.finishWriting()
            #expect(try half.isClosedCleanly())
            #expect(try stage.ask().status == 200)
            #expect(try stage.records().count == 1)
        }
    }

    @Test func `empty lines before a request are passed over`() throws {
        try Stage.run {
            try $0.reply(body: "x")
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send("\r\n\r\nGET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try caller.answer().text == "x")
        }
    }

    @Test func `a bad chunk after an early answer brings no second one`() throws {
        let body = String(repeating: "a", count: 4 << 20)
        try Stage.run(.with { $0.readsBody = false }) { call in
            // menshen may break it off before it is whole.
            try? call.reply(400, body: body)
            try call.waitForEnd()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send("POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = Array("100000\r\n".utf8) + [UInt8](repeating: 65, count: 1 << 20) + [13, 10]
            for _ in 0..<3 { try caller.send(chunk) }
            let head = try caller.head()
            #expect(head.status == 400)
            try? caller.send("zz\r\n")
            #expect(try caller.wire.readToEnd().count <= 4 << 20)
            #expect(try stage.records().count == 1)
        }
    }
}
