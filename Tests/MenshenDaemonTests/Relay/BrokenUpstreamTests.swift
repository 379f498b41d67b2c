// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// Answers that break before or within their head: the caller gets one of menshen's own.
struct BrokenUpstreamTests {
    private func expectFault(_ status: Int, _ problem: String, _ endState: String, _ reason: String, _ stage: Stage)
        throws
    {
        let answer = try stage.ask("POST", "/v1/chat/completions", body: "{}")
        #expect((answer.status, answer.problem) == (status, problem))
        #expect(answer.text.contains(#""code":"\#(problem)""#))
        let row = try #require(try stage.records().first)
        #expect((row.status, row.problem, row.endState) == (status, problem, endState))
        #expect(row.attempts == ["openai - \(reason)"])
    }

    @Test func `a provider that resets before its head is a 502`() throws {
        try Stage.run {
            $0.reset()
        } _: { stage throws in
            try expectFault(502, "upstream_broken", "upstream_error", "reset", stage)
        }
    }

    @Test func `a provider that closes without a word is a 502`() throws {
        try Stage.run {
            $0.close()
        } _: { stage throws in
            try expectFault(502, "upstream_broken", "upstream_error", "reset", stage)
        }
    }

    @Test func `a provider that closes within its head is a 502`() throws {
        try Stage.run { call in
            try call.send("HTTP/1.1 200 OK\r\nContent-Type: appli")
            call.close()
        } _: { stage throws in
            let answer = try stage.ask()
            #expect((answer.status, answer.problem) == (502, "upstream_broken"))
        }
    }

    @Test func `a provider that refuses connections is a 502`() throws {
        let port = try FreePort.refusing()
        try Stage.run(.with { $0.baseURL = "http://127.0.0.1:\(port.number)" }) { _ in
        } _: { stage throws in
            try expectFault(502, "upstream_unreachable", "upstream_error", "connect", stage)
        }
    }

    @Test func `a Unix socket that is not there is a 502`() throws {
        try Stage.run(.with { $0.baseURL = "unix:///tmp/menshen-no-such.sock:" }) { _ in
        } _: { stage throws in
            try expectFault(502, "upstream_unreachable", "upstream_error", "connect", stage)
        }
    }

    @Test func `a host without an address is a 502`() throws {
        try Stage.run(.with { $0.baseURL = "http://no-such-host.invalid" }) { _ in
        } _: { stage throws in
            try expectFault(502, "upstream_unreachable", "upstream_error", "resolve", stage)
        }
    }

    @Test(arguments: [
        "\u{16}\u{3}\u{1}\u{0}garbage", "SSH-2.0-OpenSSH_9.2\r\n", "hello\r\n\r\n", "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/0.9 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad Name: b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length : 3\r\n\r\n",
    ])
    func `an answer that is no HTTP is a 502 and nothing of it goes down`(bytes: String) throws {
        try Stage.run { call in
            try call.send(bytes)
            call.close()
        } _: { stage throws in
            let answer = try stage.ask()
            #expect((answer.status, answer.problem) == (502, "upstream_broken"))
            #expect(!answer.head.text.contains("garbage") && !answer.text.contains("folded"))
        }
    }

    @Test func `two lengths that differ are a 502, never two answers`() throws {
        try Stage.run { call in
            try call.send(
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 50\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
            )
            try call.waitForEnd()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            let answer = try caller.answer()
            #expect((answer.status, answer.problem) == (502, "upstream_broken"))
        }
    }

    @Test func `two lengths that agree are one`() throws {
        try Stage.run { call in
            try call.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok")
        } _: { stage throws in
            let answer = try stage.ask()
            #expect((answer.status, answer.text) == (200, "ok"))
        }
    }

    @Test func `a coding beside a length wins, as libcurl and the RFC read it`() throws {
        try Stage.run { call in
            try call.send(
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        } _: { stage throws in
            let caller = try stage.caller()
            for _ in 0..<2 {
                try caller.request("GET", "/v1/x")
                let answer = try caller.answer()
                #expect((answer.framing, answer.text) == (.chunked, "hello"))
            }
        }
    }

    @Test func `a body longer than its length never reaches the caller`() throws {
        try Stage.run { call in
            try call.send(
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        } _: { stage throws in
            let caller = try stage.caller()
            for _ in 0..<3 {
                try caller.request("GET", "/v1/x")
                #expect(try caller.answer().text == "ok")
            }
        }
    }

    @Test func `a head larger than its limit is a 502`() throws {
        let field = "X-Long: " + String(repeating: "a", count: 8000) + "\r\n"
        try Stage.run { call in
            try? call.send("HTTP/1.1 200 OK\r\n" + String(repeating: field, count: 20) + "\r\n")
            call.close()
        } _: { stage throws in
            let answer = try stage.ask()
            #expect((answer.status, answer.problem) == (502, "upstream_broken"))
        }
    }
}
