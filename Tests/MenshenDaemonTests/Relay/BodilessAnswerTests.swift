// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct BodilessAnswerTests {
    @Test func `an answer to HEAD has a length and no body, and the caller's connection goes on`() throws {
        try Stage.run { call in
            try call.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Method: \(call.request.method)\r\n\r\n")
            if call.request.method != "HEAD" { try call.send("hello") }
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("HEAD", "/v1/x")
            let answer = try caller.answer(to: "HEAD")
            #expect((answer["Content-Length"], answer["X-Method"]) == ("5", "HEAD"))
            try caller.request("GET", "/v1/x")
            #expect(try caller.answer().text == "hello")
            // The provider's does not: a body may come all the same.
            #expect(stage.upstream.connections == 2)
        }
    }

    @Test(arguments: [204, 304])
    func `an answer that has no body by its status ends with its head`(status: Int) throws {
        try Stage.run { call in
            if call.request.target == "/v1/none" {
                try call.send("HTTP/1.1 \(status) X\r\nETag: \"a\"\r\n\r\n")
            } else {
                try call.reply(body: "next")
            }
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/none")
            let answer = try caller.answer()
            #expect((answer.status, answer["ETag"]) == (status, "\"a\""))
            #expect(answer["Transfer-Encoding"] == nil)
            try caller.request("GET", "/v1/next")
            #expect(try caller.answer().text == "next")
        }
    }

    @Test func `early hints pass, a 100 of the provider does not`() throws {
        try Stage.run { call in
            try call.send("HTTP/1.1 100 Continue\r\n\r\n")
            try call.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            try call.reply(body: "final")
        } _: { stage throws in
            let answer = try stage.ask("POST", "/v1/x", body: "{}")
            #expect(answer.interim.map(\.startLine) == ["HTTP/1.1 103 Early Hints"])
            #expect(answer.interim.first?["Link"] == "</a>")
            #expect((answer.status, answer.text) == (200, "final"))
        }
    }

    @Test func `a caller of HTTP 1.0 sees no interim answer`() throws {
        try Stage.run { call in
            try call.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            try call.reply(body: "final")
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send("GET /v1/x HTTP/1.0\r\n\r\n")
            let answer = try caller.answer()
            #expect((answer.interim.count, answer.text) == (0, "final"))
        }
    }

    @Test func `a switch of protocols that nobody asked for is refused`() throws {
        try Stage.run { call in
            try call.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nraw")
            try call.waitForEnd()
        } _: { stage throws in
            let answer = try stage.ask()
            #expect((answer.status, answer.problem) == (502, "upstream_broken"))
        }
    }
}
