// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP

private func post(_ lines: String, version: String = "1.1") -> String {
    "POST / HTTP/\(version)\r\nHost: h\r\n\(lines)\r\n"
}

/// Shapes of RFC 9112 §11.2 (request smuggling), and what else two parsers read in two ways.
let refusedHeads: [RefusedHead] = [
    // Framing.
    .init("length and coding", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), .conflictingFraming),
    .init("coding and length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), .conflictingFraming),
    .init("length zero and coding", post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), .conflictingFraming),
    .init("two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n"), .repeatedContentLength),
    .init("two equal lengths", post("Content-Length: 5\r\nContent-Length: 5\r\n"), .repeatedContentLength),
    .init("a list of equal lengths", post("Content-Length: 5, 5\r\n"), .badContentLength),
    .init("empty length", post("Content-Length:\r\n"), .badContentLength),
    .init("length with plus", post("Content-Length: +5\r\n"), .badContentLength),
    .init("length with minus", post("Content-Length: -5\r\n"), .badContentLength),
    .init("length in hexadecimal", post("Content-Length: 0x5\r\n"), .badContentLength),
    .init("length with a space inside", post("Content-Length: 1 2\r\n"), .badContentLength),
    .init("space after the length", post("Content-Length: 5 \r\n"), .badContentLength),
    .init("tab after the length", post("Content-Length: 5\t\r\n"), .badContentLength),
    .init("length with a point", post("Content-Length: 5.0\r\n"), .badContentLength),
    .init("length with an underscore", post("Content-Length: 1_0\r\n"), .badContentLength),
    .init("length in other digits", post("Content-Length: ٥\r\n"), .badContentLength),
    .init("length of nineteen digits", post("Content-Length: 1000000000000000000\r\n"), .badContentLength),
    .init("length past 64 bits", post("Content-Length: 18446744073709551621\r\n"), .badContentLength),
    .init("coding twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), .badTransferEncoding),
    .init(
        "coding and identity", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
        .badTransferEncoding),
    .init("identity", post("Transfer-Encoding: identity\r\n"), .unsupportedTransferEncoding),
    .init("gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n"), .unsupportedTransferEncoding),
    .init("chunked, identity", post("Transfer-Encoding: chunked, identity\r\n"), .unsupportedTransferEncoding),
    .init("chunked, chunked", post("Transfer-Encoding: chunked, chunked\r\n"), .unsupportedTransferEncoding),
    .init("chunked with a parameter", post("Transfer-Encoding: chunked;q=1\r\n"), .unsupportedTransferEncoding),
    .init("space after the coding", post("Transfer-Encoding: chunked \r\n"), .unsupportedTransferEncoding),
    .init("tab after the coding", post("Transfer-Encoding:chunked\t\r\n"), .unsupportedTransferEncoding),
    .init("xchunked", post("Transfer-Encoding: xchunked\r\n"), .unsupportedTransferEncoding),
    .init("chunked in quotes", post("Transfer-Encoding: \"chunked\"\r\n"), .unsupportedTransferEncoding),
    .init("empty coding", post("Transfer-Encoding:\r\n"), .unsupportedTransferEncoding),
    .init("coding with a vertical tab", post("Transfer-Encoding:\u{B}chunked\r\n"), .badField),
    .init("coding in HTTP/1.0", post("Transfer-Encoding: chunked\r\n", version: "1.0"), .badTransferEncoding),

    // Lines.
    .init("folded by a space", post("X: a\r\n b\r\n"), .foldedField),
    .init("folded by a tab", post("X: a\r\n\tb\r\n"), .foldedField),
    .init("folded first line", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", .foldedField),
    .init("folded length", post("Content-Length:\r\n 5\r\n"), .foldedField),
    .init("bare return in a value", post("X: a\rb\r\n"), .bareLineEnd),
    .init("bare return before the line end", post("X: a\r\r\n"), .bareLineEnd),
    .init("bare return that hides a field", post("X: a\rContent-Length: 5\r\n"), .bareLineEnd),
    .init("bare line feed in a value", post("X: a\nContent-Length: 5\r\n"), .bareLineEnd),
    .init("bare line feed in a name", post("X\n: a\r\n"), .bareLineEnd),
    .init("bare line feed after the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n", .bareLineEnd),
    .init("bare return after the request line", "GET / HTTP/1.1\rHost: h\r\n\r\n", .badVersion),
    .init("bare line feeds only", "GET / HTTP/1.1\nHost: h\n\nX\r\n\r\n", .bareLineEnd),

    // Names and values.
    .init("NUL in a name", post("X\0Y: a\r\n"), .badField),
    .init("NUL in a value", post("X: a\0b\r\n"), .badField),
    .init("delete in a value", post("X: a\u{7F}b\r\n"), .badField),
    .init("space before the colon", post("Content-Length : 5\r\n"), .badField),
    .init("tab before the colon", post("Content-Length\t: 5\r\n"), .badField),
    .init("space inside a name", post("Content Length: 5\r\n"), .badField),
    .init("empty name", post(": a\r\n"), .badField),
    .init("no colon", post("Content-Length\r\n"), .badField),
    .init("separator in a name", post("Content(Length): 5\r\n"), .badField),
    .init("name in quotes", post("\"X\": 5\r\n"), .badField),

    // Host and Expect.
    .init("no Host", "GET / HTTP/1.1\r\n\r\n", .missingHost),
    .init("two Hosts", post("Host: h\r\n"), .repeatedHost),
    .init("two Hosts in HTTP/1.0", post("Host: other\r\n", version: "1.0"), .repeatedHost),
    .init("two Hosts beside an absolute target", "GET http://a/ HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", .repeatedHost),
    .init("unknown expectation", post("Expect: 200-ok\r\n"), .badExpectation),
    .init("expectation with more", post("Expect: 100-continue, x\r\n"), .badExpectation),

    // The request line.
    .init("small letters in the method", "get / HTTP/1.1\r\nHost: h\r\n\r\n", .badRequestLine),
    .init("mixed letters in the method", "Get / HTTP/1.1\r\nHost: h\r\n\r\n", .badMethod),
    .init("unknown method", "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", .badMethod),
    .init("CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", .badMethod),
    .init("TRACE", "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", .badMethod),
    .init("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .badMethod),
    .init("space before the method", " GET / HTTP/1.1\r\nHost: h\r\n\r\n", .badRequestLine),
    .init("no target", "GET  HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
    .init("two spaces after the method", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
    .init("tab after the method", "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", .badRequestLine),
    .init("two spaces before the version", "GET /  HTTP/1.1\r\nHost: h\r\n\r\n", .badVersion),
    .init("space in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", .badVersion),
    .init("space after the version", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", .badVersion),
    .init("relative target", "GET a/b HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
    .init("authority as target", "GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
    .init("fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
    .init("absolute target without host", "GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
    .init("absolute target with a user", "GET http://u@h/a HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
    .init("absolute target with an early query", "GET http://h?/a HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
    .init("absolute target with an odd host", "GET http://a>b/ HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
    .init("absolute target of another scheme", "GET ftp://h/a HTTP/1.1\r\nHost: h\r\n\r\n", .badTarget),
    .init("HTTP/0.9", "GET /\r\n\r\n", .badTarget),
    .init("HTTP/0.9 by name", "GET / HTTP/0.9\r\nHost: h\r\n\r\n", .badVersion),
    .init("HTTP/2.0", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", .badVersion),
    .init("HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", .badVersion),
    .init("HTTP/1.10", "GET / HTTP/1.10\r\nHost: h\r\n\r\n", .badVersion),
    .init("HTTP/1", "GET / HTTP/1\r\nHost: h\r\n\r\n", .badVersion),
    .init("small letters in the version", "GET / http/1.1\r\nHost: h\r\n\r\n", .badVersion),
    .init("other protocol", "GET / RTSP/1.1\r\nHost: h\r\n\r\n", .badVersion),
    .init("no version", "GET / \r\nHost: h\r\n\r\n", .badVersion),
]
