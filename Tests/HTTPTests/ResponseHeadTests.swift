// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import Testing

@Suite struct ResponseHeadTests {
    private typealias Verdict = ResponseHead.LineVerdict

    /// Feeds lines, as libcurl's header callback would; returns what the last one was.
    @discardableResult
    private func feed(_ head: inout ResponseHead, _ lines: String...) throws(ResponseHead.Fault)
        -> ResponseHead.LineVerdict
    {
        var verdict = ResponseHead.LineVerdict.more
        for line in lines {
            let bytes = Array((line + "\r\n").utf8)
            verdict = try head.add(bytes.span)
        }
        return verdict
    }

    private func head(_ lines: [String]) throws -> ResponseHead {
        var head = ResponseHead()
        for line in lines { try feed(&head, line) }
        #expect(try feed(&head, "") == .final)
        return head
    }

    private struct Written {
        var lines: [String]
        var framing: ResponseHead.Framing
        var keepAlive: Bool

        func has(_ line: String) -> Bool { lines.contains(line) }
        func values(_ name: String) -> [String] {
            lines.dropFirst().filter { $0.lowercased().hasPrefix(name.lowercased() + ":") }.map { line in
                String(line.drop { $0 != ":" }.dropFirst().drop { $0 == " " })
            }
        }
    }

    private func write(
        _ head: ResponseHead, method: RequestHead.Method = .get, isHTTP11: Bool = true, keepAlive: Bool = true,
        origin: String? = nil
    ) -> Written {
        var output: [UInt8] = []
        var lives = keepAlive
        let framing = head.append(
            to: &output, method: method, isHTTP11: isHTTP11, keepAlive: &lives,
            ResponseHead.Additions(requestID: Array("id".utf8), allowedOrigin: origin, xCache: nil))
        let text = String(decoding: output, as: UTF8.self)
        #expect(text.hasSuffix("\r\n\r\n"))
        #expect(!text.dropLast(2).contains("\r\n\r\n"))
        return Written(
            lines: text.dropLast(2).split(separator: "\r\n").map(String.init), framing: framing, keepAlive: lives)
    }

    // MARK: Status lines

    @Test(arguments: [
        ("HTTP/1.1 200 OK", 200, "HTTP/1.1 200 OK"), ("HTTP/1.0 404 Not Found", 404, "HTTP/1.1 404 Not Found"),
        ("HTTP/2 200", 200, "HTTP/1.1 200 OK"), ("HTTP/2 200 ", 200, "HTTP/1.1 200 OK"),
        ("HTTP/2 529 ", 529, "HTTP/1.1 529 Overloaded"), ("HTTP/1.1 299", 299, "HTTP/1.1 299 Status 299"),
        ("HTTP/1.1 200 Très bien", 200, "HTTP/1.1 200 Très bien"), ("http/1.1 200 ok", 200, "HTTP/1.1 200 ok"),
        ("HTTP/1.1 999 Odd", 999, "HTTP/1.1 999 Odd"),
    ])
    func `a status line is read and written as HTTP 1 point 1`(_ line: String, _ status: Int, _ written: String) throws
    {
        let head = try head([line])
        #expect(head.status == status)
        #expect(write(head).lines.first == written)
    }

    @Test(arguments: [
        "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2x0 OK", "HTTP/1.1  200 OK", "HTTP/1.1 099 Low",
        "HTTP/1.1 101 Switching",
        "HTTP/1.1 -20 No", "HTTP/1.1 2000 OK", "HTTP/1.1 200OK", "HTTP/1.1 200\tOK",
    ])
    func `a status line that is none is refused`(_ line: String) {
        var head = ResponseHead()
        #expect(throws: ResponseHead.Fault.malformed) { try feed(&head, line) }
    }

    @Test func `fields without a status line are refused`() {
        var head = ResponseHead()
        #expect(throws: ResponseHead.Fault.malformed) { try feed(&head, "X: y", "") }
    }

    // MARK: Fields

    @Test(arguments: [
        " folded: x", "\tfolded: x", "no colon", "X : y", ": y", "X: a\u{0}b", "X: a\u{7F}", "X: a\rb", "X: a\nb",
        "é: x",
        "Content-Length: 5, 5", "Content-Length: -1", "Content-Length:", "Content-Length: 1e3",
        "Content-Length: 9999999999999999999",
    ])
    func `a field with two readings is refused`(_ line: String) throws {
        var head = ResponseHead()
        try feed(&head, "HTTP/1.1 200 OK", "A: b")
        #expect(throws: ResponseHead.Fault.malformed) { try feed(&head, line) }
    }

    @Test func `equal lengths count once, different ones are refused`() throws {
        let written = write(try head(["HTTP/1.1 200 OK", "Content-Length: 5", "content-length: 05"]))
        #expect(written.framing == .fixed(5))
        #expect(written.values("content-length") == ["5"])
        var head = ResponseHead()
        try feed(&head, "HTTP/1.1 200 OK", "Content-Length: 5")
        #expect(throws: ResponseHead.Fault.conflictingLength) { try feed(&head, "Content-Length: 6") }
    }

    @Test func `a coding makes any length void, whichever comes first`() throws {
        for lines in [
            ["Content-Length: 5", "Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked", "Content-Length: 5"],
        ] {
            let written = write(try head(["HTTP/1.1 200 OK"] + lines))
            #expect(written.framing == .chunked)
            #expect(written.values("content-length").isEmpty)
            #expect(written.values("transfer-encoding") == ["chunked"])
        }
    }

    @Test(arguments: ["gzip, chunked", "chunked, gzip", "gzip", "identity", "chunked, chunked", "chunked;x=y", ""])
    func `a coding that nobody asked for is refused, not taken off`(_ coding: String) throws {
        var head = ResponseHead()
        try feed(&head, "HTTP/1.1 200 OK")
        #expect(throws: ResponseHead.Fault.unknownCoding) { try feed(&head, "Transfer-Encoding: \(coding)") }
        head = ResponseHead()
        try feed(&head, "HTTP/1.1 200 OK", "Transfer-Encoding: chunked")
        #expect(throws: ResponseHead.Fault.unknownCoding) { try feed(&head, "Transfer-Encoding: chunked") }
    }

    @Test func `a second status line within a head is refused`() throws {
        for lines in [["HTTP/1.1 200 OK"], ["HTTP/1.1 200 OK", "X: y"], ["HTTP/1.1 103 Early", "Link: <a>"]] {
            var head = ResponseHead()
            for line in lines { try feed(&head, line) }
            #expect(throws: ResponseHead.Fault.malformed) { try feed(&head, "HTTP/1.1 200 OK") }
        }
    }

    // MARK: The connection

    @Test(arguments: [
        (["HTTP/1.1 200 OK", "Content-Length: 5"], true), (["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], true),
        (["HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5"], true),
        (["HTTP/1.0 200 OK", "Connection: keep-alive", "Content-Length: 5"], true),
        (["HTTP/1.1 103 Early", "", "HTTP/1.1 200 OK", "Content-Length: 5"], true),
        (["HTTP/1.1 204 No Content"], false), (["HTTP/1.1 204 No Content", "Content-Length: 5"], false),
        (["HTTP/1.1 204 No Content", "Transfer-Encoding: chunked"], false), (["HTTP/1.1 304 Not Modified"], false),
        (["HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked"], false),
        (["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Length: 5"], false),
        (["HTTP/1.0 200 OK", "Connection: keep-alive", "Transfer-Encoding: chunked"], false),
        (["HTTP/1.1 103 Early", "Content-Length: 5", "", "HTTP/1.1 200 OK", "Content-Length: 5"], false),
        (["HTTP/1.1 100 C", "Transfer-Encoding: chunked", "", "HTTP/1.1 200 OK", "Content-Length: 5"], false),
        (["HTTP/1.1 200 OK", "Connection: x ,Close", "Content-Length: 5"], false),
        (["HTTP/1.0 200 OK", "Content-Length: 5"], false),
    ])
    func `a connection is kept only where the next answer can be told from this one`(
        _ lines: [String], _ isKept: Bool
    ) throws {
        let head = try head(lines)
        #expect(head.keepsConnection(isHead: false) == isKept)
        #expect(!head.keepsConnection(isHead: true))
    }

    @Test func `what was doubtful of one answer is forgotten with it`() throws {
        var head = try head(["HTTP/1.1 100 C", "Content-Length: 5", "", "HTTP/1.1 200 OK", "Content-Length: 5"])
        head.reset()
        try feed(&head, "HTTP/1.1 200 OK", "Content-Length: 5", "")
        #expect(head.keepsConnection(isHead: false))
    }

    @Test func `what belongs to the upstream's connection stays there`() throws {
        let written = write(
            try head([
                "HTTP/1.1 200 OK", "Connection: close, X-Hop ,x-other", "Keep-Alive: timeout=5", "X-Hop: 1",
                "x-OTHER: 2",
                "Connection: X-Third", "x-third: 3", "Proxy-Connection: close", "Proxy-Authenticate: Basic",
                "TE: trailers",
                "Trailer: X", "Upgrade: h2c", "Transfer-Encoding: chunked", "X-Keep: yes ", "Server: s",
            ]))
        #expect(
            written.lines == [
                "HTTP/1.1 200 OK", "X-Keep: yes", "Server: s", "Transfer-Encoding: chunked", "x-menshen-request-id: id",
            ])
    }

    @Test func `fields pass in their order and spelling`() throws {
        let lines = [
            "content-type: text/event-stream", "X-Ratelimit-Remaining:7", "Set-Cookie: a", "Set-Cookie: b", "X-Empty:",
            "Retry-After: 1",
        ]
        let written = write(try head(["HTTP/2 200 "] + lines))
        #expect(Array(written.lines[1..<7]) == lines)
    }

    @Test func `a head that never ends is refused`() throws {
        var head = ResponseHead()
        try feed(&head, "HTTP/1.1 200 OK")
        let line = "X: " + String(repeating: "a", count: 8000)
        #expect(throws: ResponseHead.Fault.tooLarge) { for _ in 0..<17 { try feed(&head, line) } }
    }

    @Test func `lines of all heads and trailers count together`() throws {
        func lines(_ count: Int, _ line: String) -> [String] { [String](repeating: line, count: count) }
        let most = ResponseHead.maxLines
        for more in [
            lines(most, "X: y"), lines(most / 2, "HTTP/1.1 103 Early").flatMap { [$0, ""] } + ["HTTP/1.1 200 OK"],
            ["Transfer-Encoding: chunked", ""] + lines(most, "Date: x"),
        ] {
            var head = ResponseHead()
            if more[0].hasPrefix("HTTP") == false { try feed(&head, "HTTP/1.1 200 OK") }
            #expect(throws: ResponseHead.Fault.tooLarge) { for line in more { try feed(&head, line) } }
        }
        let whole = try head(["HTTP/1.1 200 OK"] + lines(most - 2, "X: y"))
        #expect(whole.fields.count == most - 2)
    }

    @Test func `bytes of all heads and trailers count together`() throws {
        var head = ResponseHead()
        let line = "X: " + String(repeating: "a", count: 8000)
        #expect(throws: ResponseHead.Fault.tooLarge) {
            for _ in 0..<17 { try feed(&head, "HTTP/1.1 103 Early", line, "") }
        }
    }

    @Test func `options beyond number are refused`() throws {
        var head = ResponseHead()
        try feed(&head, "HTTP/1.1 200 OK", "Connection: " + String(repeating: "a,", count: 64))
        #expect(throws: ResponseHead.Fault.tooLarge) { try feed(&head, "Connection: b") }
    }

    // MARK: Framing for the caller

    @Test func `answers without a body have none, and say what they say of its length`() throws {
        for status in [204, 304] {
            let written = write(try head(["HTTP/1.1 \(status) X", "Content-Length: 7"]))
            #expect(written.framing == .none)
            #expect(written.values("content-length") == (status == 304 ? ["7"] : []))
            #expect(written.values("transfer-encoding").isEmpty)
        }
        let toHead = write(try head(["HTTP/1.1 200 OK", "Content-Length: 7"]), method: .head)
        #expect(toHead.framing == .none && toHead.values("content-length") == ["7"])
        let chunkedToHead = write(try head(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"]), method: .head)
        #expect(chunkedToHead.framing == .none && chunkedToHead.values("transfer-encoding").isEmpty)
    }

    @Test func `a body of unknown length is chunked, and for an old caller ends with the connection`() throws {
        let head = try head(["HTTP/2 200", "X: y"])
        let new = write(head)
        #expect(new.framing == .chunked && new.keepAlive && new.values("connection").isEmpty)
        let old = write(head, isHTTP11: false)
        #expect(old.framing == .untilClose && !old.keepAlive)
        #expect(old.values("connection") == ["close"] && old.values("transfer-encoding").isEmpty)
    }

    @Test func `an old caller hears that its connection lives on`() throws {
        let head = try head(["HTTP/1.1 200 OK", "Content-Length: 0"])
        #expect(write(head, isHTTP11: false).values("connection") == ["keep-alive"])
        #expect(write(head, isHTTP11: false, keepAlive: false).values("connection") == ["close"])
        #expect(write(head, keepAlive: false).values("connection") == ["close"])
    }

    @Test func `a page's own origin replaces what the upstream allows`() throws {
        let lines = ["HTTP/1.1 200 OK", "access-control-allow-origin: *", "Content-Length: 0"]
        #expect(write(try head(lines)).values("access-control-allow-origin") == ["*"])
        let written = write(try head(lines), origin: "http://localhost:5173")
        #expect(written.values("access-control-allow-origin") == ["http://localhost:5173"])
        #expect(written.has("Vary: Origin"))
    }

    // MARK: Several heads, and trailers

    @Test func `interim heads come before the final one and leave nothing in it`() throws {
        var head = ResponseHead()
        #expect(try feed(&head, "HTTP/1.1 100 Continue", "") == .interim)
        #expect(try feed(&head, "HTTP/1.1 103 Early Hints", "Link: </a>", "Content-Length: 3", "") == .interim)
        var interim: [UInt8] = []
        head.appendInterim(to: &interim)
        #expect(String(decoding: interim, as: UTF8.self) == "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        #expect(try feed(&head, "HTTP/1.1 200 OK", "X: y", "") == .final)
        #expect(head.status == 200 && head.contentLength == nil && head.first(.contentLength) == nil)
        #expect(write(head).values("link").isEmpty)
    }

    @Test func `trailers pass, but for those that frame, route or authenticate`() throws {
        var head = try head(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"])
        #expect(try feed(&head, "X-Sum: \tabc ", "Content-Length: 3", "Authorization: x", "grpc-status:0") == .trailer)
        #expect(try feed(&head, "") == .trailersEnded)
        var output: [UInt8] = []
        head.appendTrailers(to: &output)
        #expect(String(decoding: output, as: UTF8.self) == "X-Sum: \tabc\r\ngrpc-status:0\r\n")
        #expect(head.status == 200 && head.contentLength == nil)
        for line in [" folded", "x", "X: a\nb", "HTTP/1.1 200 OK"] {
            #expect(throws: ResponseHead.Fault.malformed, "\(line)") { try feed(&head, line) }
        }
    }

    @Test func `a reset head is as new`() throws {
        var head = try head(["HTTP/1.1 404 No", "Content-Length: 5", "Transfer-Encoding: chunked", "X: y"])
        try feed(&head, "T: 1")
        head.reset()
        try feed(&head, "HTTP/1.1 200 OK", "Content-Length: 6", "")
        #expect(head.contentLength == 6)
        #expect(write(head).lines == ["HTTP/1.1 200 OK", "Content-Length: 6", "x-menshen-request-id: id"])
        var output: [UInt8] = []
        head.appendTrailers(to: &output)
        #expect(output.isEmpty)
    }
}
