// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import Testing

/// One head: a name for the report, its bytes, and what the parser must make of it.
struct RefusedHead: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    let error: HTTPError

    init(_ name: String, _ text: String, _ error: HTTPError) {
        self.name = name
        self.text = text
        self.error = error
    }

    var testDescription: String { name }
}

@Suite struct RequestParserTests {
    private func parse(_ text: String, limit: Int = 32 << 10) throws -> RequestHead {
        let bytes = Array(text.utf8)
        var parser = RequestParser()
        guard case .head(let head, let consumed) = try parser.parse(bytes.span, limit: limit) else {
            throw Incomplete()
        }
        #expect(consumed == bytes.count)
        return head
    }

    private struct Incomplete: Error {}

    // MARK: Refused

    @Test(arguments: refusedHeads) func `a head with two readings is refused`(_ sample: RefusedHead) {
        #expect(throws: sample.error) { try parse(sample.text) }
    }

    @Test func `a byte that is no text is refused wherever it stands`() {
        for byte in [UInt8](0...31) + [127] where byte != 9 && byte != 10 && byte != 13 {
            for place in [
                "GE\u{1}T / HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a\u{1}b HTTP/1.1\r\nHost: h\r\n\r\n",
                "GET / HTTP/1.1\r\nHo\u{1}st: h\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\u{1}b\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: h\r\nX: \u{1}\r\n\r\n", "GET / HTTP/1.1\u{1}\r\nHost: h\r\n\r\n",
            ] {
                let text = place.replacing("\u{1}", with: String(Unicode.Scalar(byte)))
                #expect(throws: HTTPError.self, "byte \(byte) in \(place.debugDescription)") { try parse(text) }
            }
        }
    }

    @Test func `more fields than allowed are refused, as many as allowed are not`() throws {
        func head(_ count: Int) -> String {
            "GET / HTTP/1.1\r\nHost: h\r\n" + (1..<count).map { "x\($0): 1\r\n" }.joined() + "\r\n"
        }
        #expect(try parse(head(RequestParser.maxFields)).fields.count == RequestParser.maxFields)
        #expect(throws: HTTPError.tooManyFields) { try parse(head(RequestParser.maxFields + 1)) }
    }

    @Test func `the size limit counts to the byte and needs no end of the head`() throws {
        let text = "GET / HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "a", count: 1000))\r\n\r\n"
        #expect(try parse(text, limit: text.utf8.count).fields.count == 2)
        #expect(throws: HTTPError.headTooLarge) { try parse(text, limit: text.utf8.count - 1) }
        #expect(throws: HTTPError.headTooLarge) { try parse(String(text.dropLast(4)), limit: 900) }
        #expect(throws: Incomplete.self) { try parse(String(text.dropLast(4))) }
    }

    @Test func `what is no HTTP is refused at its first byte`() {
        var parser = RequestParser()
        for first: [UInt8] in [[0x16, 3, 1], [0], Array("get".utf8), [0x20], [0x80], [10]] {
            #expect(throws: HTTPError.badRequestLine) { try parser.parse(first.span, limit: 1000) }
        }
    }

    // MARK: Accepted

    @Test(arguments: RequestHead.Method.allCases) func `each method is read`(_ method: RequestHead.Method) throws {
        #expect(try parse("\(method.rawValue) /x HTTP/1.1\r\nHost: h\r\n\r\n").method == method)
    }

    @Test func `the parts of a head are found`() throws {
        let head = try parse(
            "POST /v1/chat?a=b?c HTTP/1.1\r\nHost: h:1\r\nContent-Length: 007\r\nX-A:\t b c \t\r\nx-a:\r\nAccept:*/*\r\n\r\n"
        )
        #expect(head.text(head.target) == "/v1/chat?a=b?c")
        #expect(head.text(head.path) == "/v1/chat")
        #expect(head.query.map(head.text) == "a=b?c")
        #expect(head.host.map(head.text) == "h:1")
        #expect(head.framing == .fixed(7))
        #expect(head.fields.map { head.text($0.name) } == ["Host", "Content-Length", "X-A", "x-a", "Accept"])
        #expect(head.fields.map { head.text($0.value) } == ["h:1", "007", "b c", "", "*/*"])
        #expect(head.fields.map(\.known) == [.host, .contentLength, nil, nil, .accept])
        #expect(head.keepAlive && head.isHTTP11 && !head.expectsContinue)
    }

    @Test(arguments: [
        "", "h", "h:", "h:80", "127.0.0.1:8080", "[::1]", "[::1]:8080", "a_b.c-d:1", "xn--h-cia", "%2Frun%2Fm.sock",
        ":80",
    ])
    func `a host is a name or an address, with a port or without`(_ host: String) throws {
        let head = try parse("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        #expect(head.host.map(head.text) == host)
    }

    @Test func `a target may have 8 KiB and 256 parts`() throws {
        for target in ["/" + String(repeating: "a", count: 8191), "/?" + String(repeating: "&", count: 255)] {
            #expect(try parse("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n").target.count == target.utf8.count)
        }
    }

    @Test func `sixty-four options are read`() throws {
        let options = String(repeating: "a ,, ", count: 62) + "x, close"
        #expect(try !parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: \(options)\r\n\r\n").keepAlive)
    }

    @Test func `a target without a query has none`() throws {
        #expect(try parse("GET /a HTTP/1.1\r\nHost: h\r\n\r\n").query == nil)
        let empty = try parse("GET /a? HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(empty.query.map(empty.text) == "")
    }

    @Test func `bytes above ASCII pass in values and are refused elsewhere`() throws {
        #expect(try parse("GET / HTTP/1.1\r\nHost: h\r\nX: é\r\n\r\n").fields.count == 2)
        #expect(throws: HTTPError.badTarget) { try parse("GET /é HTTP/1.1\r\nHost: h\r\n\r\n") }
        #expect(throws: HTTPError.badField) { try parse("GET / HTTP/1.1\r\nHost: h\r\nXé: 1\r\n\r\n") }
    }

    @Test func `an absolute target names the host and leaves its path`() throws {
        let head = try parse("GET HTTP://api.x:80/v1?q HTTP/1.1\r\nHost: other\r\n\r\n")
        #expect(head.host.map(head.text) == "api.x:80")
        #expect(head.text(head.target) == "/v1?q")
    }

    @Test func `an asterisk is a target for OPTIONS alone`() throws {
        #expect(try parse("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").method == .options)
        #expect(throws: HTTPError.badTarget) { try parse("GET * HTTP/1.1\r\nHost: h\r\n\r\n") }
        #expect(throws: HTTPError.badTarget) { try parse("OPTIONS ** HTTP/1.1\r\nHost: h\r\n\r\n") }
    }

    @Test func `up to four empty lines before a request are passed over`() throws {
        let request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
        for count in 1...4 { #expect(try parse(String(repeating: "\r\n", count: count) + request).method == .get) }
        #expect(throws: HTTPError.badRequestLine) { try parse(String(repeating: "\r\n", count: 5) + request) }
    }

    // MARK: Framing and the life of the connection

    @Test func `a chunked body is known in any case of letters`() throws {
        for coding in ["chunked", "Chunked", " \tCHUNKED"] {
            #expect(try parse("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\(coding)\r\n\r\n").framing == .chunked)
        }
    }

    @Test func `a length of zero is no body, and eighteen digits fit`() throws {
        #expect(try parse("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").framing == .none)
        #expect(try parse("POST / HTTP/1.1\r\nHost: h\r\n\r\n").framing == .none)
        let most = Int(String(repeating: "9", count: 18)) ?? 0
        #expect(try parse("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(most)\r\n\r\n").framing == .fixed(most))
    }

    @Test(arguments: [
        ("1.1", "", true), ("1.1", "close", false), ("1.1", "Close", false), ("1.1", "keep-alive", true),
        ("1.1", "x, close", false), ("1.1", " keep-alive ,\tclose", false), ("1.1", "closed", true),
        ("1.0", "", false), ("1.0", "keep-alive", true), ("1.0", "Keep-Alive", true), ("1.0", "close", false),
        ("1.0", "keep-alive, close", false), ("1.0", "close, keep-alive", false),
    ])
    func `Connection and the version decide whether the connection lives on`(
        _ version: String, _ connection: String, _ keepAlive: Bool
    ) throws {
        let line = connection.isEmpty ? "" : "Connection: \(connection)\r\n"
        #expect(try parse("GET / HTTP/\(version)\r\nHost: h\r\n\(line)\r\n").keepAlive == keepAlive)
    }

    @Test func `close said in one of two fields ends the connection`() throws {
        for lines in [
            "Connection: close\r\nConnection: keep-alive\r\n", "Connection: keep-alive\r\nConnection: close\r\n",
        ] {
            #expect(try !parse("GET / HTTP/1.1\r\nHost: h\r\n\(lines)\r\n").keepAlive)
            #expect(try !parse("GET / HTTP/1.0\r\n\(lines)\r\n").keepAlive)
        }
    }

    @Test func `an HTTP 1 point 0 request needs no Host`() throws {
        let head = try parse("GET / HTTP/1.0\r\n\r\n")
        #expect(!head.isHTTP11 && head.host == nil)
    }

    @Test func `an expectation is kept for HTTP 1 point 1 and ignored before it`() throws {
        #expect(try parse("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n\r\n").expectsContinue)
        #expect(try !parse("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expectsContinue)
    }

    @Test func `every error has a sentence and a status of its kind`() {
        for sample in refusedHeads {
            #expect(sample.error.explanation.hasSuffix("."))
            #expect((400...505).contains(sample.error.status))
        }
    }
}
