// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

/// The official parser reads whole batches in the stage `telemetry`; here is what it never sees.
@Suite struct OTLPTests {
    private func both(_ number: Int, _ value: OTLPMessage.Value) -> (protobuf: [UInt8], json: String) {
        let message = OTLPMessage().adding(number, "name", value)
        return (
            OTLPEncoding.protobuf.bytes(of: message),
            String(decoding: OTLPEncoding.json.bytes(of: message), as: UTF8.self)
        )
    }

    @Test func `each kind of value has its form in both encodings`() {
        let cases: [(OTLPMessage.Value, [UInt8], String)] = [
            (.text("a\"ü"), [0x0A, 4, 0x61, 0x22, 0xC3, 0xBC], #""a\"ü""#),
            (.bytes([0xFB, 0xFF]), [0x0A, 2, 0xFB, 0xFF], #""+/8=""#),
            (.id([0xAB, 0x01]), [0x0A, 2, 0xAB, 0x01], #""ab01""#),
            (.integer(300), [0x08, 0xAC, 0x02], #""300""#),
            (.integer(-1), [0x08] + Array(repeating: 0xFF, count: 9) + [0x01], #""-1""#),
            (.fixed64(258), [0x09, 2, 1, 0, 0, 0, 0, 0, 0], #""258""#),
            (.fixed32(258), [0x0D, 2, 1, 0, 0], "258"),
            (.number(3), [0x08, 3], "3"),
            (.real(0.5), [0x09, 0, 0, 0, 0, 0, 0, 0xE0, 0x3F], "0.5"),
            (.real(.infinity), [0x09, 0, 0, 0, 0, 0, 0, 0xF0, 0x7F], #""Infinity""#),
            (.boolean(true), [0x08, 1], "true"),
            (.list([.number(1), .number(2)]), [0x08, 1, 0x08, 2], "[1,2]"),
            (.message(OTLPMessage()), [0x0A, 0], "{}"),
        ]
        for (value, protobuf, json) in cases {
            let written = both(1, value)
            #expect(written.protobuf == protobuf, "\(value)")
            #expect(written.json == #"{"name":"# + json + "}", "\(value)")
        }
    }

    @Test func `a field of a high number has a tag of two bytes`() {
        #expect(both(16, .number(1)).protobuf == [0x80, 0x01, 1])
    }

    @Test func `a long text has its length before it`() {
        let text = String(repeating: "x", count: 200)
        #expect(both(1, .text(text)).protobuf.prefix(3) == [0x0A, 0xC8, 0x01])
    }

    @Test func `a list of nothing and an attribute that is not known are not there`() {
        #expect(OTLPMessage().adding(1, "name", .list([])).fields.isEmpty)
        var attributes = OTLPAttributes()
        attributes.add("a", nil as String?)
        attributes.add("b", nil as Int64?)
        #expect(attributes.list.isEmpty)
    }

    // MARK: What receivers say

    @Test func `an empty answer took everything, in both encodings`() {
        #expect(OTLPReply([], .protobuf)?.rejected == 0)
        #expect(OTLPReply([], .json)?.rejected == 0)
        #expect(OTLPReply(Array("{}".utf8), .json)?.rejected == 0)
    }

    @Test func `a partial success is read, in both encodings`() throws {
        let protobuf = try #require(OTLPReply([0x0A, 6, 0x08, 3, 0x12, 2, 0x6E, 0x6F], .protobuf))
        #expect(protobuf.rejected == 3)
        #expect(protobuf.message == "no")
        for text in [
            #"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#,
            #"{"partialSuccess":{"rejectedLogRecords":3,"errorMessage":"no"}}"#,
        ] {
            let json = try #require(OTLPReply(Array(text.utf8), .json))
            #expect(json.rejected == 3)
            #expect(json.message == "no")
        }
    }

    @Test(arguments: ["<html></html>", "[", "not at all", "{\"partialSuccess\":"])
    func `what is no answer of a receiver is none in either encoding`(text: String) {
        #expect(OTLPReply(Array(text.utf8), .protobuf) == nil)
        #expect(OTLPReply(Array(text.utf8), .json) == nil)
    }

    @Test func `a lying receiver can neither overflow the counts nor make them negative`() {
        let many: [UInt8] = [0x0A, 11, 0x08] + Array(repeating: 0xFF, count: 9) + [0x01]
        #expect(OTLPReply(many, .protobuf)?.rejected == 0)
        // Lengths beyond the end, and numbers without an end.
        #expect(OTLPReply([0x0A, 200, 1], .protobuf) == nil)
        #expect(OTLPReply(Array(repeating: 0xFF, count: 30), .protobuf) == nil)
        #expect(OTLPReply([0x12] + Array(repeating: 0xFF, count: 9) + [0x01], .protobuf) == nil)
    }
}
