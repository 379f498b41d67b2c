// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Compression
import Testing

@Suite struct DecoderTests {
    private static let events = BrotliSamples.events.map { Array($0.utf8) }
    private static let coded = ContentCoding.allCases.filter { $0 != .identity }

    /// What came out, and the last word.
    private static func decode(
        _ coding: ContentCoding, _ body: [UInt8], by size: Int = .max, limit: Int = Decoder.defaultLimit
    ) throws -> (text: [UInt8], outcome: Decoder.Outcome) {
        let decoder = try #require(Decoder(coding, limit: limit))
        var text: [UInt8] = []
        var start = 0
        while start < body.count {
            let end = size >= body.count - start ? body.count : start + size
            body[start..<end].withUnsafeBytes { piece in _ = decoder.decode(piece) { text += $0 } }
            start = end
        }
        return (text, decoder.outcome)
    }

    /// Long enough for several pieces of output, and not all the same.
    private static let long: [UInt8] = (0..<20_000).flatMap {
        Array("event \($0 &* $0 &* 2_654_435_761): \($0)\n".utf8)
    }

    @Test(arguments: coded)
    func `a body comes out whole, in whatever pieces it comes`(_ coding: ContentCoding) throws {
        let body = try Encoding.flushed(coding, Self.events).flatMap(\.self)
        for size in 1...body.count {
            let (text, outcome) = try Self.decode(coding, body, by: size)
            #expect(text == Self.events.flatMap(\.self), "pieces of \(size)")
            #expect(outcome == .ended, "pieces of \(size)")
        }
    }

    @Test(arguments: [ContentCoding.gzip, .deflate, .zstd], [1, 7, 1000, 16_384, .max])
    func `a body larger than any buffer comes out whole`(_ coding: ContentCoding, _ size: Int) throws {
        let (text, outcome) = try Self.decode(coding, Encoding.whole(coding, Self.long), by: size)
        #expect(text == Self.long)
        #expect(outcome == .ended)
    }

    @Test(arguments: coded)
    func `a body that is there is decoded in parts, none much longer than was asked for`(
        _ coding: ContentCoding
    ) throws {
        let isShort = coding == .brotli
        let text = isShort ? Self.events.flatMap(\.self) : Self.long
        let plain = try isShort ? Encoding.flushed(coding, Self.events).flatMap(\.self) : Encoding.whole(coding, text)
        let cases: [(Int, [UInt8])] = [(isShort ? 1 : 100, []), (20_000, []), (1 << 20, []), (20_000, [1, 2, 3])]
        for (pause, more) in cases {
            // Behind a member of gzip's or zstd's another may follow.
            let body = coding == .gzip || coding == .zstd ? plain : plain + more
            let decoder = try #require(Decoder(coding))
            var (output, index, longest, isOver) = ([UInt8](), 0, 0, false)
            while !isOver, output.count <= text.count {
                let before = output.count
                isOver = body.withUnsafeBytes { decoder.decode($0, from: &index, pause: pause) { output += $0 } }
                longest = max(longest, output.count - before)
            }
            #expect(output == text)
            #expect(decoder.outcome == .ended)
            #expect(longest < pause + (16 << 10))
        }
    }

    @Test(arguments: ContentCoding.allCases)
    func `what a sender flushed comes out of the same call`(_ coding: ContentCoding) throws {
        let decoder = try #require(Decoder(coding))
        let pieces = try Encoding.flushed(coding, Self.events)
        for (piece, event) in zip(pieces, Self.events) {
            var text: [UInt8] = []
            let outcome = piece.withUnsafeBytes { decoder.decode($0) { text += $0 } }
            #expect(text == event)
            #expect(outcome == .more)
        }
    }

    @Test(arguments: coded)
    func `a body that is cut off anywhere gives its beginning and is not over`(_ coding: ContentCoding) throws {
        let body = try Encoding.flushed(coding, Self.events).flatMap(\.self)
        for count in 0..<body.count {
            let (text, outcome) = try Self.decode(coding, Array(body[..<count]))
            #expect(Self.events.flatMap(\.self).starts(with: text))
            #expect(outcome == .more, "\(count) of \(body.count) bytes")
        }
    }

    @Test(arguments: coded, [1, .max])
    func `a damaged body is corrupt at most, and never harms`(_ coding: ContentCoding, _ size: Int) throws {
        let body = try Encoding.flushed(coding, Self.events).flatMap(\.self)
        var corrupt = 0
        for place in body.indices {
            for bit in 0..<8 {
                var damaged = body
                damaged[place] ^= 1 << bit
                if try Self.decode(coding, damaged, by: size).outcome == .corrupt { corrupt += 1 }
            }
        }
        #expect(corrupt > body.count / 2)
    }

    @Test(arguments: coded)
    func `nothing comes out of what is not coded at all, nor after it`(_ coding: ContentCoding) throws {
        let decoder = try #require(Decoder(coding))
        var count = 0
        for _ in 0..<3 {
            Array("<html>Bad Gateway</html>".utf8).withUnsafeBytes { _ = decoder.decode($0) { count += $0.count } }
        }
        #expect(decoder.outcome == .corrupt)
        #expect(count == 0)
    }

    @Test(arguments: [1, 5, .max])
    func `a body of several members is one text, padding after them is dropped`(_ size: Int) throws {
        for coding in [ContentCoding.gzip, .zstd] {
            let body = try Self.events.flatMap { try Encoding.whole(coding, $0) }
            let (text, outcome) = try Self.decode(coding, body, by: size)
            #expect(text == Self.events.flatMap(\.self))
            #expect(outcome == .ended)
        }
        let padded = try Encoding.whole(.gzip, Self.events[0]) + [0, 0, 0, 0, 0, 0]
        let (text, outcome) = try Self.decode(.gzip, padded, by: size)
        #expect(text == Self.events[0])
        #expect(outcome == .ended)
    }

    @Test(arguments: [1, 5, .max])
    func `deflate is read with and without zlib's frame`(_ size: Int) throws {
        // -15: none. Window sizes below the largest have another first byte.
        for bits: Int32 in [-15, -9, 9, 12, 15] {
            let body = try Encoding.deflated([Self.long], bits: bits).flatMap(\.self)
            let (text, outcome) = try Self.decode(.deflate, body, by: size)
            #expect(text == Self.long, "\(bits)")
            #expect(outcome == .ended, "\(bits)")
        }
    }

    @Test func `a small body that would become a huge one is given up`() throws {
        let zeros = [UInt8](repeating: 0, count: 64 << 20)
        for (coding, body) in [
            (ContentCoding.gzip, try Encoding.whole(.gzip, zeros)), (.zstd, try Encoding.whole(.zstd, zeros)),
            (.brotli, BrotliSamples.zeros),
        ] {
            let (text, outcome) = try Self.decode(coding, body, by: 1024)
            #expect(outcome == .tooMuch, "\(coding)")
            // 4 MiB, and 200 bytes for each of the body's.
            #expect(text.count <= 4 << 20 + 200 * body.count, "\(coding): \(text.count) of \(body.count)")
            #expect(text.count >= 4 << 20 - 16 << 10, "\(coding): \(text.count) of \(body.count)")
        }
    }

    @Test(arguments: [ContentCoding.gzip, .deflate, .zstd])
    func `no more comes out than the limit allows`(_ coding: ContentCoding) throws {
        let body = try Encoding.whole(coding, Self.long)
        let (text, outcome) = try Self.decode(coding, body, limit: 100_000)
        #expect(outcome == .tooMuch)
        #expect(Self.long.starts(with: text))
        #expect((100_000 - 16_384...100_000).contains(text.count))
    }

    @Test func `zstd with a window above 8 MiB is not decoded, because of the memory it takes`() throws {
        let text = Self.events.flatMap(\.self)
        let most = try Encoding.zstandard([text], windowLog: 23).flatMap(\.self)
        #expect(try Self.decode(.zstd, most).text == text)
        let more = try Encoding.zstandard([text], windowLog: 24).flatMap(\.self)
        #expect(try Self.decode(.zstd, more).outcome == .tooMuch)
    }

    @Test func `Content-Encoding says how to decode, or that it cannot be done`() {
        let known: [(String, ContentCoding)] = [
            ("gzip", .gzip), ("X-GZip", .gzip), (" deflate ", .deflate), ("br", .brotli), ("zstd", .zstd),
            ("identity", .identity), ("", .identity),
        ]
        for (value, coding) in known { #expect(ContentCoding(fieldValue: value.utf8) == coding, "\(value)") }
        for value in ["gzip, br", "gzip,gzip", "compress", "dcb", "aws-chunked", "gzip;q=1", "gzi", "gzipgzipgzip"] {
            #expect(ContentCoding(fieldValue: value.utf8) == nil, "\(value)")
        }
    }
}
