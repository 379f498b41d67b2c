// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import Testing

/// However the bytes of a stream arrive, the same messages come of them.
@Suite struct RequestArrivalTests {
    private static let pipeline =
        "\r\nPOST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
        + "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\r\n\r\n0\r\nX: y\r\n\r\n\r\n\r\n"
        + "GET /c HTTP/1.0\r\nConnection: keep-alive\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test func `a pipeline is parted into its requests`() {
        let reading = Reading(Array(Self.pipeline.utf8))
        #expect(reading.ending == .waiting)
        #expect(reading.messages.map(\.target) == ["/a", "/b", "/c", "*"])
        #expect(reading.messages.map { String(decoding: $0.body, as: UTF8.self) } == ["abc", "\r\n", "", ""])
        #expect(reading.messages.last?.end == Self.pipeline.utf8.count)
    }

    @Test func `byte by byte a pipeline is the same`() {
        let stream = Array(Self.pipeline.utf8)
        #expect(Reading(stream, cuts: Array(1..<stream.count)) == Reading(stream))
    }

    @Test func `any two cuts of a pipeline change nothing`() {
        let stream = Array(Self.pipeline.utf8)
        let whole = Reading(stream)
        for first in stride(from: 1, to: stream.count, by: 3) {
            for second in stride(from: first, to: stream.count, by: 7) {
                #expect(Reading(stream, cuts: [first, second]) == whole)
            }
        }
    }

    @Test(arguments: refusedHeads) func `a bad head is refused for the same reason however it arrives`(
        _ sample: RefusedHead
    ) {
        let stream = Array(sample.text.utf8)
        for cut in 1..<stream.count {
            #expect(Reading(stream, cuts: [cut]).ending == .refused(sample.error), "cut at \(cut)")
        }
        #expect(Reading(stream, cuts: Array(1..<stream.count)).ending == .refused(sample.error))
    }

    @Test func `a head that arrives byte by byte is not searched again from its start`() throws {
        // 30,000 bytes looked through from the start at each byte would be 450 million steps.
        let head = Array("GET / HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "a", count: 30_000))\r\n\r\n".utf8)
        var parser = RequestParser()
        let clock = ContinuousClock()
        let time = try clock.measure {
            for count in 1..<head.count {
                guard case .needMore = try parser.parse(head.span.extracting(..<count), limit: 64 << 10) else {
                    Issue.record("the head ended early, at \(count)")
                    return
                }
            }
        }
        #expect(time < .seconds(5))
        guard case .head(_, let consumed) = try parser.parse(head.span, limit: 64 << 10) else {
            Issue.record("the head did not end")
            return
        }
        #expect(consumed == head.count)
    }
}
