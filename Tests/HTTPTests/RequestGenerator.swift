// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import TestSupport

/// Makes request streams from a seed: valid requests in every framing, several in a row, then damage that looks for
/// places where two parsers part.
struct RequestGenerator {
    var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(state: seed) }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    mutating func pick<Item>(_ items: [Item]) -> Item { items[Int.random(in: 0..<items.count, using: &random)] }

    /// One to four requests; about a third are left whole.
    mutating func stream() -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<pick([1, 1, 1, 2, 3, 4]) { bytes += request() }
        let damage = pick([0, 0, 1, 1, 2, 4])
        for _ in 0..<damage { mutate(&bytes) }
        return bytes
    }

    /// Where the stream is cut on its way.
    mutating func cuts(_ count: Int) -> [Int] {
        guard count > 1 else { return [] }
        if chance(5) { return Array(1..<count) }
        return (0..<number(0...6)).map { _ in number(1...count - 1) }.sorted()
    }

    // MARK: Valid requests

    private mutating func request() -> [UInt8] {
        var text = String(repeating: "\r\n", count: pick([0, 0, 0, 0, 1, 2]))
        let method = pick(["GET", "POST", "POST", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"])
        let target = method == "OPTIONS" && chance(50) ? "*" : pick(Self.targets)
        let isOld = chance(10)
        text += "\(method) \(target) HTTP/1.\(isOld ? 0 : 1)\r\n"
        var lines = [pick(chance(95) ? Self.hosts : Self.badHosts)]
        for _ in 0..<pick([0, 1, 2, 3, 8]) { lines.append(pick(Self.fields)) }
        var body: [UInt8] = []
        switch pick([0, 1, 1, 2, 2]) {
        case 1:
            body = content()
            lines.append(pick(["Content-Length: ", "content-length:", "CONTENT-LENGTH:\t0"]) + "\(body.count)")
        case 2 where !isOld:
            body = chunks()
            lines.append(
                pick([
                    "Transfer-Encoding: chunked", "transfer-encoding:CHUNKED", "TRANSFER-ENCODING: \tchunked",
                    "Transfer-Encoding: chunked\t",
                ]))
        default: break
        }
        lines.shuffle(using: &random)
        for line in lines { text += line + "\r\n" }
        return Array((text + "\r\n").utf8) + body
    }

    private static let hosts = ["Host: localhost", "host:h:80", "HOST: \t[::1]:8080 ", "Host:"]
    private static let badHosts = ["Host: user@h", "Host: h:x", "Host: [::1", "Host: a b", "Host: http://h/"]

    private static let targets = [
        "/", "/v1/chat/completions", "/v1/messages?beta=true", "/a?b=c&d=%20", "//x//y", "/a?b?c=/../",
        "/~u/!$&'()*+,;=:@",
        "http://h/", "http://api.example:80/v1/x?y", "/" + String(repeating: "a", count: 300),
    ]

    private static let fields = [
        "Connection: close", "Connection: keep-alive", "connection:Keep-Alive, x", "Connection: x, Close",
        "Connection: close, keep-alive", "Connection: ,", "Connection: closed", "Connection:",
        "Connection: keep-alivex",
        "Connection: upgrade", "Connection: upgrade, keep-alive", "Upgrade: websocket", "Expect: 100-continue",
        "Proxy-Connection: close", "Proxy-Connection: keep-alive", "Keep-Alive: timeout=5", "TE: trailers",
        "Trailer: X-Sum",
        "Accept: */*", "Accept:", "Accept: \t", "X-Empty:  ", "X-Text: a\tb  c", "X-Text: é\u{85}",
        "Cookie: a=b; c=\"d\"",
        "!#$%&'*+-.^_`|~09AZaz: x", "Content-Type: application/json", "Content-Lengths: 4", "Content-Lengt: 4",
        "Transfer-Encodings: chunked", "Transfer-Encodin: chunked", "X: " + String(repeating: "b", count: 500),
        "Authorization: Bearer x", "X:y:z", "X: :",
    ]

    mutating func content() -> [UInt8] {
        switch pick([0, 1, 2, 3]) {
        case 0: []
        case 1: Array(#"{"model":"m","stream":true}"#.utf8)
        case 2: (0..<number(1...40)).map { _ in UInt8.random(in: 0...255, using: &random) }
        default: Array("GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
        }
    }

    mutating func chunks() -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<number(0...4) {
            let piece = content()
            if piece.isEmpty { continue }
            var size = String(piece.count, radix: 16, uppercase: chance(50))
            size = String(repeating: "0", count: pick([0, 0, 0, 1, 6, 20])) + size
            bytes += Array((size + pick(Self.extensions) + "\r\n").utf8) + piece + [13, 10]
        }
        bytes += Array((pick(["0", "0", "000"]) + pick(Self.extensions) + "\r\n").utf8)
        for _ in 0..<pick([0, 0, 0, 1, 2]) { bytes += Array((pick(Self.trailers) + "\r\n").utf8) }
        return bytes + [13, 10]
    }

    private static let extensions = [
        "", "", "", "", "", ";a", ";a=b", ";a=\"b c\"", ";a;b=c", "; a = b", ";", ";a=", ";a=\"\\\"\"", ";a=\"b;c\"",
        " ;a", ";é",
        ";a=\"b\"c", ";a=\"", "\t", " ", " ; a = \"b\" ", ";;", "; ",
    ]

    private static let trailers = [
        "X-Sum: 1", "x:", "X-Sum: \ta b ", "Content-Length: 3", "Transfer-Encoding: chunked", "Host: x",
        "Connection: close",
        "Connection: keep-alive", "Connection: upgrade", "Upgrade: x", "X-Text: é",
    ]

    // MARK: Damage

    private static let insertions: [[UInt8]] =
        [
            "\r", "\n", "\r\n", "\0", " ", "\t", ":", ";", ",", "0", "5", "\r\n\r\n", "\n\n", "\r\r\n", "\u{B}",
            "\u{C}", "\u{7F}",
            "\"", "=", "Content-Length: 5\r\n", "\r\nContent-Length: 5", "Transfer-Encoding: chunked\r\n",
            "\r\nTransfer-Encoding: chunked", "Transfer-Encoding: identity\r\n", "Host: x\r\n", "Connection: close\r\n",
            "chunked, ",
            ", chunked", ", gzip", "gzip, ", "@", "0\r\n\r\n", "HTTP/1.1", "HTTP/1.1 200 OK\r\n", "GET / HTTP/1.1\r\n",
            "Upgrade: h2c\r\n", "+", "-", "0x",
        ].map { Array($0.utf8) } + [[0xFF], [0x80], [0xC3]]

    mutating func mutate(_ bytes: inout [UInt8]) {
        guard bytes.count > 1 else { return }
        let place = number(0...bytes.count - 1)
        switch number(0...8) {
        case 0: bytes[place] ^= UInt8(1) << UInt8(number(0...7))
        case 1: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 2, 3: bytes.insert(contentsOf: pick(Self.insertions), at: place)
        case 4: bytes.remove(at: place)
        case 5: bytes.removeLast(bytes.count - place)
        case 6: insertAtLine(&bytes)
        case 7: repeatLine(&bytes)
        default: bytes[place] = pick([13, 10, 0, 32, 9, 58, 59, 44, 48, 53])
        }
    }

    private func lineStarts(_ bytes: [UInt8]) -> [Int] {
        [0] + bytes.indices.filter { bytes[$0] == 10 && $0 + 1 < bytes.count }.map { $0 + 1 }
    }

    private mutating func insertAtLine(_ bytes: inout [UInt8]) {
        let start = pick(lineStarts(bytes))
        bytes.insert(contentsOf: pick(Self.insertions), at: start)
    }

    private mutating func repeatLine(_ bytes: inout [UInt8]) {
        let starts = lineStarts(bytes)
        let index = number(0...starts.count - 1)
        let end = index + 1 < starts.count ? starts[index + 1] : bytes.count
        let line = Array(bytes[starts[index]..<end])
        bytes.insert(contentsOf: line, at: pick(starts))
    }
}
