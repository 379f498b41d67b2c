// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// When a connection to a provider is used again, and what happens when it turns out to be closed.
struct ConnectionReuseTests {
    /// libcurl asks again after the first bytes of a head, too, keeps connections for itself, and (7.88) does not look
    /// whether something waits on one before it is used again.
    private static let isOurs = !Stage.hasLibcurl

    @Test func `requests one after the other share a connection`() throws {
        try Stage.run {
            switch $0.request.target {
            case "/v1/stream":
                try $0.beginStream()
                try $0.chunk("data: {}\n\n")
                try $0.endStream(trailers: ["X-Sum: 1"])
            case "/v1/interim":
                try $0.send(
                    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            default: try $0.reply()
            }
        } _: { stage throws in
            for target in ["/v1/a", "/v1/interim", "/v1/b"] {
                #expect(try stage.ask("GET", target).status < 300)
            }
            #expect(try stage.ask("POST", "/v1/chat/completions", body: "{}").status == 200)
            #expect(try stage.ask("GET", "/v1/stream").text == "data: {}\n\n")
            #expect(try stage.ask("GET", "/v1/a").status == 200)
            #expect(stage.upstream.connections == 1)
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nConnection: X-Y, Close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        // Said unasked: the next answer can't be told from it.
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
    ])
    func `a connection that is not to be trusted with another request gets none`(answer: String) throws {
        try Stage.run {
            try $0.send(answer)
        } _: { stage throws in
            for _ in 0..<3 { #expect(try stage.ask("GET", "/v1/a").text == "ok") }
            #expect(stage.upstream.connections == 3)
        }
    }

    /// The body comes when the connection has been given to the next caller: what is read there is somebody else's answer.
    @Test(arguments: [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"), ("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n"),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("GET", "HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ])
    func `a body that comes late behind an answer without one is nobody's answer`(method: String, answer: String) throws
    {
        let late = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
        try Stage.run {
            if $0.request.target == "/v1/late" { return try $0.send(answer) }
            if $0.number > 0 { try $0.send(late) }
            try $0.reply(body: "own")
        } _: { stage throws in
            for _ in 0..<2 {
                #expect(try stage.ask(method, "/v1/late").status < 400)
                #expect(try stage.ask("GET", "/v1/own").text == "own")
            }
            #expect(stage.upstream.connections == 3)
        }
    }

    @Test func `a coding that nobody asked for is a 502, and so is a second status line`() throws {
        try Stage.run {
            let lines = $0.request.target == "/v1/coded" ? "Transfer-Encoding: gzip, chunked" : "HTTP/1.1 200 OK"
            try $0.send("HTTP/1.1 200 OK\r\n\(lines)\r\nContent-Length: 5\r\n\r\n0\r\n\r\n")
        } _: { stage throws in
            for target in ["/v1/coded", "/v1/twice"] {
                let answer = try stage.ask("GET", target)
                #expect((answer.status, answer.problem) == (502, "upstream_broken"))
            }
        }
    }

    @Test(.enabled(if: isOurs))
    func `what a provider says unasked on a connection that waits is nobody's answer`() throws {
        let go = try Signal()
        let said = try Signal()
        try Stage.run {
            try $0.reply(body: "own")
            guard $0.connection == 0 else { return }
            try go.wait()
            try? $0.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
            said.raise()
        } _: { stage throws in
            #expect(try stage.ask("GET", "/v1/a").text == "own")
            go.raise()
            try said.wait()
            #expect(try stage.ask("GET", "/v1/a").text == "own")
            #expect(stage.upstream.connections == 2)
        }
    }

    @Test func `an HTTP/1.0 answer may say that its connection stays`() throws {
        try Stage.run {
            try $0.send("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")
        } _: { stage throws in
            for _ in 0..<3 { #expect(try stage.ask("GET", "/v1/a").text == "ok") }
            #expect(stage.upstream.connections == 1)
        }
    }

    /// The provider has the request, and may have worked on it.
    @Test(.enabled(if: isOurs), arguments: [false, true])
    func `a request that was read before its kept connection ended is not sent again`(isReset: Bool) throws {
        try Stage.run {
            guard $0.number == 1 else { return try $0.reply(body: "\($0.connection)") }
            if isReset { $0.reset() } else { $0.close() }
        } _: { stage throws in
            #expect(try stage.ask("POST", "/v1/chat/completions", body: #"{"n":1}"#).text == "0")
            let broken = try stage.ask("POST", "/v1/chat/completions", body: #"{"n":2}"#)
            #expect((broken.status, broken.problem) == (502, "upstream_broken"))
            #expect(stage.upstream.requests.count == 2)
            let rows = try stage.records()
            #expect(rows.map(\.endState) == ["complete", "upstream_error"])
            #expect(rows[1].attempts == ["openai - reset"] && rows[1].usageState == "unknown")
        }
    }

    @Test(.enabled(if: isOurs))
    func `one that changes nothing is sent again, and both attempts are recorded`() throws {
        try Stage.run {
            if $0.number == 1 { return $0.close() }
            try $0.reply(body: "\($0.connection)")
        } _: { stage throws in
            #expect(try stage.ask("GET", "/v1/a").text == "0")
            #expect(try stage.ask("GET", "/v1/a").text == "1")
            #expect(stage.upstream.requests.count == 3)
            #expect(try stage.records()[1].attempts == ["openai - stale_connection", "openai 200 ok"])
        }
    }

    @Test(.enabled(if: isOurs))
    func `a new connection that ends with its request is no reason to ask again, and neither is an answer that began`()
        throws
    {
        try Stage.run {
            if $0.request.target == "/v1/begun", $0.number == 1 { try $0.send("HTTP/1.1 2") }
            if $0.request.target == "/v1/new" || $0.number == 1 { return $0.close() }
            try $0.reply()
        } _: { stage throws in
            let fresh = try stage.ask("GET", "/v1/new")
            #expect((fresh.status, fresh.problem) == (502, "upstream_broken"))
            #expect(stage.upstream.requests.count == 1)
            #expect(try stage.ask("GET", "/v1/a").status == 200)
            #expect(try stage.ask("GET", "/v1/begun").status == 502)
            #expect(stage.upstream.requests.count == 3)
        }
    }

    @Test func `a body that was streamed is not sent twice`() throws {
        let size = 3 << 20
        try Stage.run(.with { $0.readsBody = false }) {
            if $0.number == 1 { return $0.close() }
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.ask("GET", "/v1/a").status == 200)
            #expect(
                try stage.ask("POST", "/v1/chat/completions", body: String(repeating: "x", count: size)).status == 502)
            #expect(stage.upstream.requests.count == 2)
        }
    }

    @Test(.enabled(if: isOurs))
    func `a reload keeps no connection of the old configuration`() throws {
        let closed = try Signal()
        try Stage.run {
            try $0.reply()
            if $0.connection == 0 {
                try $0.waitForEnd()
                closed.raise()
            }
        } _: { stage throws in
            #expect(try stage.ask("GET", "/v1/a").status == 200)
            try stage.daemon.reload()
            try closed.wait()
            #expect(try stage.ask("GET", "/v1/a").status == 200)
            #expect(stage.upstream.connections == 2)
        }
    }

    @Test(
        .enabled(if: isOurs),
        arguments: [(limit: 1, connections: 3), (limit: 0, connections: 4), (limit: 2, connections: 2)])
    func `no more connections wait than max_idle_connections says`(_ setting: (limit: Int, connections: Int)) throws {
        let arrived = try Signal()
        let go = try Signal()
        try Stage.run(.with { $0.tables = "[upstream]\nmax_idle_connections = \(setting.limit)" }) {
            arrived.raise()
            try go.wait()
            try $0.reply()
        } _: { stage throws in
            for _ in 0..<2 {
                let callers = try (0..<2).map { _ in try stage.caller() }
                for caller in callers {
                    try caller.request("GET", "/v1/a")
                    try arrived.wait()
                }
                for _ in callers { go.raise() }
                for caller in callers { #expect(try caller.answer().status == 200) }
            }
            #expect(stage.upstream.connections == setting.connections)
        }
    }
}
