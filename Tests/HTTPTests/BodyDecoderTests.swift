// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import Testing

@Suite struct BodyDecoderTests {
    private struct Outcome: Equatable {
        var body: [UInt8] = []
        /// Bytes of the input that belong to the message; nil while it is not whole.
        var consumed: Int?
        var error: HTTPError?
    }

    /// Decodes what arrives in pieces that end at `cuts`.
    private func decode(
        _ input: [UInt8], _ framing: RequestHead.Framing = .chunked, limit: Int = 1000, cuts: [Int] = [],
        ofAnswer: Bool = false
    ) -> Outcome {
        var outcome = Outcome()
        do throws(HTTPError) {
            var decoder = try BodyDecoder(framing, limit: limit, ofAnswer: ofAnswer)
            var index = 0
            for cut in cuts + [input.count] {
                let arrived = Array(input[..<cut])
                pieces: while true {
                    switch try decoder.next(arrived.span, from: index) {
                    case .data(let range):
                        #expect(range.lowerBound >= index && !range.isEmpty)
                        outcome.body += arrived[range]
                        index = range.upperBound
                    case .needMore(let consumed):
                        #expect(consumed == cut, "all that arrived is used")
                        index = consumed
                        break pieces
                    case .end(let consumed):
                        #expect(decoder.isDone)
                        outcome.consumed = consumed
                        return outcome
                    }
                }
            }
        } catch {
            outcome.error = error
        }
        return outcome
    }

    private func whole(_ text: String, _ body: String, rest: Int = 0) -> (Outcome, Outcome) {
        let input = Array(text.utf8)
        return (decode(input), Outcome(body: Array(body.utf8), consumed: input.count - rest))
    }

    @Test(arguments: [
        ("0\r\n\r\n", ""), ("000\r\n\r\n", ""), ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"), ("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"), ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        ("000000000000000000001\r\na\r\n00000000000000000000\r\n\r\n", "a"),
        ("1;x\r\na\r\n0\r\n\r\n", "a"), ("1;x=y;z=\"a \\\" ;\r\"\r\na\r\n0\r\n\r\n".replacing("\r\"", with: "\""), "a"),
        ("1;x=\"\"\r\na\r\n0;end\r\n\r\n", "a"),
        ("0\r\nX-Sum: 1\r\n\r\n", ""), ("1\r\na\r\n0\r\nA:\r\nB: \t b \r\n\r\n", "a"),
        ("0\r\nContent-Lengths: 1\r\nContent-Lengt: 1\r\nXTransfer-Encoding: x\r\n\r\n", ""),
    ])
    func `chunks are found`(_ text: String, _ body: String) {
        let (outcome, expected) = whole(text, body)
        #expect(outcome == expected)
    }

    @Test func `what follows the body is left alone`() {
        let (outcome, expected) = whole("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "a", rest: 16)
        #expect(outcome == expected)
        #expect(decode(Array("abcdef".utf8), .fixed(4)) == Outcome(body: Array("abcd".utf8), consumed: 4))
        #expect(decode(Array("abc".utf8), .none) == Outcome(consumed: 0))
        #expect(decode(Array("abc".utf8), .fixed(0)) == Outcome(consumed: 0))
    }

    @Test func `a body that is not whole waits`() {
        #expect(decode(Array("abc".utf8), .fixed(4)) == Outcome(body: Array("abc".utf8)))
        for text in ["", "5", "5\r", "5\r\n", "5\r\nhel", "1\r\na", "1\r\na\r", "0\r\n", "0\r\n\r", "0\r\nX: 1\r\n"] {
            let outcome = decode(Array(text.utf8))
            #expect(outcome.consumed == nil && outcome.error == nil, "\(text.debugDescription)")
        }
    }

    @Test(arguments: [
        // Sizes.
        "\r\n", "g\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", " 1\r\n", "1 \r\n", "1\t\r\n", "\n", "1_0\r\n", ";x\r\n",
        "٥\r\n",
        "01000000000000000\r\n", "fffffffffffffffff\r\n", "1,1\r\n", "1.0\r\n",
        // Line ends.
        "1\na\r\n0\r\n\r\n", "1\r\r\n", "1\ra", "1\r\na\n", "1\r\nab", "1\r\na\r\r\n", "0\r\n\n", "0\r\n\r\r\n",
        "0\n\n",
        // Extensions.
        "1;\r\n", "1;=\r\n", "1;a=\r\n", "1; a\r\n", "1;a \r\n", "1;a =b\r\n", "1;a= b\r\n", "1;a=\"b\r\n",
        "1;a=\"b\"c\r\n",
        "1;a\n", "1;a\u{0}b\r\n", "1;a=\"\u{0}\"\r\n", "1;a=\"b\n\"\r\n", "1;é\r\n", "1;;\r\n", "1;a=b=c\r\n",
        "1;a=\"\\\r\n",
        "1;a=\"\u{7F}\"\r\n", "1\r;a\r\n",
        // Trailers.
        "0\r\n: a\r\n\r\n", "0\r\n a: b\r\n\r\n", "0\r\na : b\r\n\r\n", "0\r\na\r\n\r\n", "0\r\na: b\n\r\n",
        "0\r\na: b\r\r\n",
        "0\r\na: \u{0}\r\n\r\n", "0\r\na: b\r\n c\r\n\r\n", "0\r\na: b\r\n\tc\r\n\r\n", "0\r\né: b\r\n\r\n",
        "0\r\nContent-Length: 5\r\n\r\n", "0\r\nX: 1\r\ntransfer-ENCODING: chunked\r\n\r\n",
    ])
    func `a chunked body with two readings is refused`(_ text: String) {
        let outcome = decode(Array(text.utf8))
        #expect(outcome.error == .badChunk)
        #expect(outcome.body.count <= 1)
    }

    @Test func `the limit counts decoded bytes and is met before they arrive`() {
        #expect(decode([], .fixed(1001)).error == .bodyTooLarge)
        #expect(decode([], .fixed(1000)).error == nil)
        #expect(decode(Array("3e8\r\n".utf8)).error == nil)
        #expect(decode(Array("3e9\r\n".utf8)).error == .bodyTooLarge)
        #expect(decode(Array("3e9;x".utf8)).error == .bodyTooLarge)
        let two = "1f4\r\n\(String(repeating: "a", count: 500))\r\n"
        #expect(decode(Array("\(two)\(two)0\r\n\r\n".utf8)).body.count == 1000)
        #expect(decode(Array("\(two)\(two)1\r\n".utf8)).error == .bodyTooLarge)
    }

    @Test func `the largest size that can be written neither overflows nor passes`() {
        let most = "fffffffffffffff\r\n"
        #expect(decode(Array(most.utf8), limit: .max).error == nil)
        #expect(decode(Array(most.utf8)).error == .bodyTooLarge)
    }

    @Test(arguments: [
        " ", "\t ", ";", " ;", "; ", " ; a", ";a = b", ";a\t=\t\"b;\r\" ; c ".replacing("\r", with: ""), ";;a", ";a=b;",
        ";a ", "; ;",
    ])
    func `blanks and empty extensions are read in an answer, and refused in a request`(_ padding: String) {
        let text = "0000000000000000000001\(padding)\r\na\r\n0\(padding)\r\n"
        let input = Array((text + "\r\n").utf8)
        // The trailers are left to the reader.
        let expected = Outcome(body: [97], consumed: text.utf8.count)
        #expect(decode(input, ofAnswer: true) == expected)
        #expect(decode(input, cuts: Array(0..<input.count), ofAnswer: true) == expected)
        #expect(decode(input).error == .badChunk)
    }

    @Test(arguments: [" 1", "1 1", "1 a", "1;a b", "1;a=", "1;a=\"b\"c", "1;=", "1;a==b", "1 \r", "1;\u{B}", "1\u{A0}"])
    func `an answer's chunk sizes are not read beyond the grammar`(_ size: String) {
        #expect(decode(Array((size + "\r\na\r\n").utf8), ofAnswer: true).error == .badChunk)
    }

    @Test(arguments: ["0", "1 ", "1;", "1\t"])
    func `a size with zeros or blanks without end is refused`(_ start: String) throws {
        let filler = try #require(start.utf8.last)
        let line = Array(start.utf8) + [UInt8](repeating: filler, count: 5000)
        #expect(decode(line, ofAnswer: true).error == .badChunk)
        #expect(decode(Array(line.prefix(4000)), ofAnswer: true).error == nil)
    }

    @Test(arguments: ["1;a=", "0;", "0\r\na: ", "0\r\n", "0\r\nab: c\r\n"])
    func `lines that never end are refused`(_ start: String) {
        let line = Array(start.utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: 5000)
        #expect(decode(line).error == .badChunk)
        #expect(decode(Array(line.prefix(BodyDecoder.maxLineBytes - 10))).error == nil)
    }

    @Test func `many small trailers count together`() {
        let lines = "0\r\n" + String(repeating: "a: b\r\n", count: 1000)
        #expect(decode(Array(lines.utf8)).error == .badChunk)
    }

    @Test func `every cut, and every two cuts, give the same body`() {
        let inputs: [(String, RequestHead.Framing)] = [
            ("5;x=\"y z\";q\r\nhello\r\n1\r\n!\r\n0;e\r\nX-A: 1\r\nB:\r\n\r\nGET", .chunked),
            ("1\r\na\r\n0\r\nContent-Length: 1\r\n\r\n", .chunked), ("2\r\nab\rc", .chunked),
            ("hello world", .fixed(7)),
        ]
        for (text, framing) in inputs {
            let input = Array(text.utf8)
            let whole = decode(input, framing)
            #expect(decode(input, framing, cuts: Array(0..<input.count)) == whole)
            for first in 0...input.count {
                for second in first...input.count {
                    #expect(decode(input, framing, cuts: [first, second]) == whole)
                }
            }
        }
    }
}
