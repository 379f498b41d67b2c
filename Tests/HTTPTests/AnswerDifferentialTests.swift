// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

/// Our reading of providers' answers against llhttp's. Where an answer ends decides what the next caller on the same
/// connection gets: what ours takes for a whole answer ends for llhttp at the same byte, with the same body.
@Suite struct AnswerDifferentialTests {
    struct Reading: Equatable {
        var status = 0
        var interims = 0
        var body: [UInt8] = []
        /// First byte behind the answer; nil: it is not whole.
        var end: Int?
        var failure: String?
        var endsWithConnection = false

        init(_ bytes: [UInt8], cuts: [Int] = [], isHead: Bool) {
            var reader = ResponseReader(isHead: isHead)
            var head = ResponseHead()
            var start = 0
            do {
                for cut in cuts + [bytes.count] where end == nil {
                    try take(Array(bytes[start..<cut]), at: start, &reader, &head)
                    start = cut
                }
            } catch { failure = "\(error)" }
            endsWithConnection = reader.endsWithConnection
        }

        private mutating func take(
            _ piece: [UInt8], at start: Int, _ reader: inout ResponseReader, _ head: inout ResponseHead
        ) throws {
            var index = 0
            while true {
                switch try reader.next(piece.span, from: index, into: &head) {
                case .needMore: return
                case .interim(let consumed):
                    interims += 1
                    index = consumed
                case .head(let consumed):
                    status = head.status
                    index = consumed
                case .data(let range):
                    body += piece[range]
                    index = range.upperBound
                case .end(let consumed):
                    end = start + consumed
                    return
                }
            }
        }
    }

    /// What llhttp makes of a prefix; nil if it refuses it.
    private func llhttp(_ bytes: ArraySlice<UInt8>, isHead: Bool) throws -> (
        status: Int, body: [UInt8], hasEnded: Bool
    )? {
        let channel = EmbeddedChannel()
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        try channel.pipeline.syncOperations.addHTTPClientHandlers()
        let request = HTTPRequestHead(
            version: .http1_1, method: isHead ? .HEAD : .POST, uri: "/", headers: ["Host": "h"])
        try channel.writeOutbound(HTTPClientRequestPart.head(request))
        try channel.writeOutbound(HTTPClientRequestPart.end(nil))
        do { try channel.writeInbound(ByteBuffer(bytes: bytes)) } catch { return nil }
        var found: (status: Int, body: [UInt8], hasEnded: Bool) = (0, [], false)
        while let part = try channel.readInbound(as: HTTPClientResponsePart.self) {
            switch part {
            case .head(let head): found.status = Int(head.status.code)
            case .body(let piece): found.body += piece.readableBytesView
            case .end: found.hasEnded = true
            }
        }
        return found
    }

    private func disagreement(_ ours: Reading, _ bytes: [UInt8], isHead: Bool) throws -> String? {
        guard let end = ours.end else { return nil }
        if try llhttp(bytes[..<(end - 1)], isHead: isHead)?.hasEnded == true {
            return "llhttp ends it before byte \(end)"
        }
        guard let theirs = try llhttp(bytes[..<end], isHead: isHead) else { return nil }
        // It does not know "chunked" when a tab or a space follows, which are no part of the value (RFC 9110 §5.5).
        let text = String(decoding: bytes[..<end], as: UTF8.self).lowercased()
        if !theirs.hasEnded, text.contains("chunked\t") || text.contains("chunked ") { return nil }
        if !theirs.hasEnded { return "llhttp does not end it at byte \(end)" }
        if theirs.status != ours.status { return "llhttp reads status \(theirs.status) in place of \(ours.status)" }
        if theirs.body != ours.body { return "llhttp reads another body" }
        return nil
    }

    @Test func `an answer ends for llhttp where it ends for us, and its arrival in pieces changes nothing`() throws {
        var (whole, refused) = (0, 0)
        try Comparison.run("answers against llhttp") { generator in
            let (stream, isHead) = generator.answer()
            let reading = Reading(stream, isHead: isHead)
            if reading.end != nil { whole += 1 }
            if reading.failure != nil { refused += 1 }
            var fault = try disagreement(reading, stream, isHead: isHead)
            let cuts = generator.cuts(stream.count)
            if fault == nil, Reading(stream, cuts: cuts, isHead: isHead) != reading { fault = "cut at \(cuts)" }
            return (stream, fault.map { (isHead ? "to a HEAD: " : "") + $0 })
        }
        print("answers against llhttp: \(whole) whole, \(refused) refused")
        #expect(whole > Comparison.cases / 3)
        #expect(refused > Comparison.cases / 10)
    }

    @Test func `a disagreement would be seen`() throws {
        let stream = Array("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd".utf8)
        var reading = Reading(stream, isHead: false)
        #expect(reading.end == stream.count - 1 && reading.body == Array("abc".utf8) && reading.status == 200)
        #expect(try disagreement(reading, stream, isHead: false) == nil)
        reading.end = stream.count - 2
        #expect(try disagreement(reading, stream, isHead: false) != nil)
        reading.end = stream.count
        #expect(try disagreement(reading, stream, isHead: false) != nil)
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\n\r\nabc", true), ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nabc", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", false),
    ])
    func `only an answer without a length ends with its connection`(_ text: String, isWhole: Bool) {
        let reading = Reading(Array(text.utf8), isHead: false)
        #expect(reading.body == Array("abc".utf8) && reading.end == nil && reading.endsWithConnection == isWhole)
    }
}

extension RequestGenerator {
    /// One answer, with 1xx before it now and then, and whether it is one to a HEAD; about a third are left whole.
    mutating func answer() -> (bytes: [UInt8], isHead: Bool) {
        let interim = pick(["Link: </a>", "Link: </a>", "Content-Length: 3", "HTTP/1.1 200 OK"])
        var text = chance(15) ? "HTTP/1.1 103 Early Hints\r\n\(interim)\r\n\r\n" : ""
        let status = pick([200, 200, 200, 200, 201, 204, 304, 400, 429, 500])
        text += "HTTP/1.\(chance(8) ? 0 : 1) \(status)\(pick([" OK", " OK", "", " ", " Some Reason"]))\r\n"
        var lines = [pick(["Content-Type: application/json", "Server: x", "X-A: \t b "])]
        let isHead = chance(8)
        var body: [UInt8] = []
        switch pick([0, 1, 1, 2, 2]) {
        case 1:
            body = content()
            lines.append(pick(["Content-Length: ", "content-length:", "CONTENT-LENGTH:\t0"]) + "\(body.count)")
        case 2:
            body = chunks()
            lines.append(pick(["Transfer-Encoding: chunked", "transfer-encoding:CHUNKED"]))
        default: lines.append("Content-Length: 0")
        }
        if chance(20) { lines.append(pick(["Connection: close", "Connection: keep-alive"])) }
        // What two readers may frame in two ways.
        if chance(6) {
            lines.append(
                pick([
                    "HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, gzip",
                    "Transfer-Encoding: chunked", "Content-Length: 3",
                ]))
        }
        lines.shuffle(using: &random)
        for line in lines { text += line + "\r\n" }
        let hasBody = !isHead && status != 204 && status != 304
        var bytes = Array((text + "\r\n").utf8) + (hasBody ? body : [])
        if chance(20) { bytes += Array("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged".utf8) }
        for _ in 0..<pick([0, 0, 1, 1, 2, 4]) { mutate(&bytes) }
        return (bytes, isHead)
    }
}
