// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport

/// By section of RFC 9113, or of RFC 7541 for HPACK. An outcome is an error of the connection (GOAWAY), of the stream (RST_STREAM),
/// or what stream 1 has heard last. nghttp2 is stricter than asked in 5.3.1 and in 6.9 (a stream's increment of 0), where it ends the
/// connection, and passes over what comes behind a stream's end in 5.1, as a client may that has forgotten the stream.
extension ConformanceTests {
    static let ok: [(String, String)] = [(":status", "200")]
    /// :status 200 from the static table.
    static let okByte: UInt8 = 0x88

    static func fields(_ fields: (String, String)...) -> @Sendable (FramePeer) -> Void {
        { $0.headers(1, fields, isEnd: true) }
    }

    static func block(_ bytes: UInt8...) -> @Sendable (FramePeer) -> Void {
        { $0.frame(.headers, 5, 1, bytes) }
    }

    /// The answer to stream 1, and then what is not of it any more.
    static func behindEnd(_ more: @escaping @Sendable (FramePeer) -> Void) -> @Sendable (FramePeer) -> Void {
        {
            $0.head(1, isEnd: true)
            more($0)
        }
    }

    static func behindReset(_ more: @escaping @Sendable (FramePeer) -> Void) -> @Sendable (FramePeer) -> Void {
        {
            $0.reset(1, 2)
            more($0)
        }
    }

    /// A head without its end, and then something else.
    static func withinHead(_ more: @escaping @Sendable (FramePeer) -> Void) -> @Sendable (FramePeer) -> Void {
        {
            $0.frame(.headers, 1, 1, [okByte])
            more($0)
        }
    }

    static let frames: [Case] = [
        Case("3.4", "no preface but HTTP/1.1", "connection error FRAME_SIZE_ERROR") {
            $0.raw(Array("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".utf8))
        },
        Case("4.1", "a type that is not known", "ended") {
            $0.frame(0x0b, 0, 0, [1, 2, 3])
            $0.frame(0x77, 0xff, 1, [1, 2, 3])
            $0.head(1, isEnd: true)
        },
        Case("4.1", "flags that are not known", "ended") { $0.frame(.headers, 0x55 & ~0x28, 1, [okByte]) },
        Case("4.1", "the reserved bit", "ended") { $0.frame(.headers, 5, 1 | 1 << 31, [okByte]) },
        Case("4.2", "DATA of 16,384 bytes", "ended") {
            $0.head(1)
            $0.data(1, [UInt8](repeating: 0, count: 16_384), isEnd: true)
        },
        Case("4.2", "DATA of 16,385 bytes", "connection error FRAME_SIZE_ERROR") {
            $0.head(1)
            $0.frame(.data, 1, 1, [UInt8](repeating: 0, count: 16_385))
        },
        Case("4.2", "HEADERS of 16,385 bytes", "connection error FRAME_SIZE_ERROR") {
            $0.frame(.headers, 5, 1, [UInt8](repeating: okByte, count: 16_385))
        },
        Case("4.3", "a block that is none", "connection error COMPRESSION_ERROR", block(0xff, 0xff, 0xff, 0xff, 0xff)),
        Case(
            "4.3", "PRIORITY within a head", "connection error PROTOCOL_ERROR",
            withinHead { $0.frame(.priority, 0, 1, [0, 0, 0, 0, 1]) }),
        Case(
            "4.3", "HEADERS of another stream within a head", "connection error PROTOCOL_ERROR",
            withinHead { $0.frame(.headers, 5, 3, [okByte]) }),
        Case(
            "5.5", "a type that is not known within a head", "connection error PROTOCOL_ERROR",
            withinHead { $0.frame(0x77, 0, 0, [1]) }),
        Case("6.1", "DATA on stream 0", "connection error PROTOCOL_ERROR") { $0.data(0, "x") },
        Case("6.1", "DATA with more padding than payload", "connection error PROTOCOL_ERROR") {
            $0.head(1)
            $0.frame(.data, 8, 1, [5, 0, 0])
        },
        Case("6.1", "DATA with padding", "ended") {
            $0.head(1)
            $0.frame(.data, 9, 1, [2, 65, 0, 0])
        },
        Case("6.2", "HEADERS on stream 0", "connection error PROTOCOL_ERROR") { $0.head(0) },
        Case("6.2", "HEADERS with more padding than payload", "connection error PROTOCOL_ERROR") {
            $0.frame(.headers, 13, 1, [9, okByte])
        },
        Case("6.2", "HEADERS with padding and a priority", "ended") {
            $0.frame(.headers, 0x2d, 1, [1, 0, 0, 0, 3, 16, okByte, 0])
        },
        Case("6.3", "PRIORITY", "ended") {
            $0.frame(.priority, 0, 1, [0, 0, 0, 3, 16])
            $0.head(1, isEnd: true)
        },
        Case("6.3", "PRIORITY on stream 0", "connection error PROTOCOL_ERROR") {
            $0.frame(.priority, 0, 0, [0, 0, 0, 3, 16])
        },
        Case("6.3", "PRIORITY of four bytes", "connection error FRAME_SIZE_ERROR") {
            $0.frame(.priority, 0, 1, [0, 0, 0, 3])
        },
        Case("5.3.1", "PRIORITY that depends on itself", "connection error PROTOCOL_ERROR") {
            $0.frame(.priority, 0, 1, [0, 0, 0, 1, 16])
            $0.head(1, isEnd: true)
        },
        Case("6.4", "RST_STREAM on stream 0", "connection error PROTOCOL_ERROR") { $0.reset(0, 2) },
        Case("6.4", "RST_STREAM on an idle stream", "connection error PROTOCOL_ERROR") { $0.reset(9, 2) },
        Case("6.4", "RST_STREAM of three bytes", "connection error FRAME_SIZE_ERROR") {
            $0.frame(.reset, 0, 1, [0, 0, 0])
        },
        Case("6.4", "RST_STREAM", "broke: reset(INTERNAL_ERROR)") { $0.reset(1, 2) },
        Case("7", "RST_STREAM with a code that is not known", "broke: reset(unknown)") { $0.reset(1, 0xff) },
    ]

    static let connection: [Case] = [
        Case("6.5", "SETTINGS' answer with a payload", "connection error FRAME_SIZE_ERROR") {
            $0.frame(.settings, 1, 0, [0, 3, 0, 0, 0, 1])
        },
        Case("6.5", "SETTINGS on a stream", "connection error PROTOCOL_ERROR") { $0.frame(.settings, 0, 1) },
        Case("6.5", "SETTINGS of five bytes", "connection error FRAME_SIZE_ERROR") {
            $0.frame(.settings, 0, 0, [0, 0, 0, 0, 0])
        },
        Case("6.5.2", "ENABLE_PUSH of 2", "connection error PROTOCOL_ERROR") { $0.settings([(2, 2)]) },
        Case("6.5.2", "ENABLE_PUSH of 1, by a server", "connection error PROTOCOL_ERROR") { $0.settings([(2, 1)]) },
        Case("6.5.2", "INITIAL_WINDOW_SIZE beyond all bounds", "connection error FLOW_CONTROL_ERROR") {
            $0.settings([(4, 0x8000_0000)])
        },
        Case("6.5.2", "MAX_FRAME_SIZE of 16,383", "connection error PROTOCOL_ERROR") { $0.settings([(5, 16_383)]) },
        Case("6.5.2", "MAX_FRAME_SIZE of 2^24", "connection error PROTOCOL_ERROR") { $0.settings([(5, 1 << 24)]) },
        Case("6.5.2", "a setting that is not known", "nothing, and says settings") { $0.settings([(0xff, 1)]) },
        Case("6.5.3", "a setting twice", "nothing, and says settings") { $0.settings([(4, 100), (4, 1)]) },
        Case("6.5", "33 settings", "connection error ENHANCE_YOUR_CALM") {
            $0.settings([(Int, Int)](repeating: (4, 65_535), count: 33))
        },
        Case("6.6", "PUSH_PROMISE, which is switched off", "connection error PROTOCOL_ERROR") {
            $0.frame(.pushPromise, 4, 1, [0, 0, 0, 2] + $0.block([(":method", "GET")]))
        },
        Case("6.7", "PING", "nothing, and says ping") { $0.ping() },
        Case("6.7", "PING's answer unasked", "nothing") { $0.ping(isAnswer: true) },
        Case("6.7", "PING on a stream", "connection error PROTOCOL_ERROR") {
            $0.frame(.ping, 0, 1, [1, 2, 3, 4, 5, 6, 7, 8])
        },
        Case("6.7", "PING of seven bytes", "connection error FRAME_SIZE_ERROR") {
            $0.frame(.ping, 0, 0, [1, 2, 3, 4, 5, 6, 7])
        },
        Case("6.8", "GOAWAY on a stream", "connection error PROTOCOL_ERROR") {
            $0.frame(.goAway, 0, 1, [0, 0, 0, 3, 0, 0, 0, 0])
        },
        Case("6.8", "GOAWAY of seven bytes", "connection error FRAME_SIZE_ERROR") {
            $0.frame(.goAway, 0, 0, [0, 0, 0, 3, 0, 0, 0])
        },
        Case("6.8", "GOAWAY whose last stream grows", "connection error PROTOCOL_ERROR") {
            $0.goAway(last: 3)
            $0.goAway(last: 5)
        },
        Case("7", "GOAWAY with a code that is not known", "nothing") { $0.goAway(last: 3, 0xff) },
        Case("6.9", "WINDOW_UPDATE of 0", "connection error PROTOCOL_ERROR") { $0.window(0, 0) },
        Case("6.9", "WINDOW_UPDATE of 0 on a stream", "connection error PROTOCOL_ERROR") { $0.window(1, 0) },
        Case("6.9", "WINDOW_UPDATE of three bytes", "connection error FRAME_SIZE_ERROR") {
            $0.frame(.windowUpdate, 0, 0, [0, 0, 1])
        },
        Case("6.9.1", "a window of more than 2^31-1", "connection error FLOW_CONTROL_ERROR") {
            $0.window(0, 0x7fff_ffff)
            $0.window(0, 0x7fff_ffff)
        },
        Case("6.9.1", "a stream's window of more than 2^31-1", "stream error FLOW_CONTROL_ERROR") {
            $0.window(1, 0x7fff_ffff)
            $0.window(1, 0x7fff_ffff)
        },
        Case("6.9.2", "INITIAL_WINDOW_SIZE that makes a window too large", "stream error FLOW_CONTROL_ERROR") {
            $0.window(1, 0x7fff_0000)
            $0.settings([(4, 0x7fff_ffff)])
        },
        Case("6.10", "a head in four frames", "ended") {
            let block = $0.block(ok + [("x-a", "b"), ("x-c", "d")])
            $0.frame(.headers, 1, 1, [block[0]])
            $0.frame(.continuation, 0, 1, Array(block[1..<3]))
            $0.frame(.continuation, 0, 1)
            $0.frame(.continuation, 4, 1, Array(block[3...]))
        },
        Case("6.10", "CONTINUATION of nothing", "connection error PROTOCOL_ERROR") {
            $0.frame(.continuation, 4, 1, [okByte])
        },
        Case(
            "6.10", "CONTINUATION on stream 0", "connection error PROTOCOL_ERROR",
            withinHead { $0.frame(.continuation, 4, 0) }),
        Case(
            "6.10", "CONTINUATION of another stream", "connection error PROTOCOL_ERROR",
            withinHead { $0.frame(.continuation, 4, 3) }),
        Case("6.10", "CONTINUATION behind the end of a head", "connection error PROTOCOL_ERROR") {
            $0.head(1)
            $0.frame(.continuation, 4, 1)
        },
        Case("6.10", "CONTINUATION behind DATA", "connection error PROTOCOL_ERROR") {
            $0.head(1)
            $0.data(1, "x")
            $0.frame(.continuation, 4, 1)
        },
        Case("6.10", "DATA within a head", "connection error PROTOCOL_ERROR", withinHead { $0.data(1, "x") }),
    ]

    static let streams: [Case] = [
        Case("5.1", "DATA on an idle stream", "connection error PROTOCOL_ERROR") { $0.data(9, "x") },
        Case("5.1", "HEADERS on an idle stream", "connection error PROTOCOL_ERROR") { $0.head(9) },
        Case("5.1", "WINDOW_UPDATE on an idle stream", "connection error PROTOCOL_ERROR") { $0.window(9, 1) },
        Case("5.1", "CONTINUATION on an idle stream", "connection error PROTOCOL_ERROR") {
            $0.frame(.continuation, 4, 9, [okByte])
        },
        Case("5.1", "PRIORITY on an idle stream", "nothing") { $0.frame(.priority, 0, 9, [0, 0, 0, 0, 1]) },
        Case("5.1.1", "HEADERS on an even stream", "connection error PROTOCOL_ERROR") { $0.head(2) },
        Case("5.1", "DATA before the head", "connection error PROTOCOL_ERROR") { $0.data(1, "x") },
        Case("5.1", "DATA behind the end", "ended", behindEnd { $0.data(1, "x", isEnd: true) }),
        Case("5.1", "HEADERS behind the end", "ended", behindEnd { $0.head(1, isEnd: true) }),
        Case(
            "5.1", "CONTINUATION behind the end", "connection error PROTOCOL_ERROR",
            behindEnd { $0.frame(.continuation, 4, 1, [okByte]) }),
        Case("5.1", "WINDOW_UPDATE behind the end", "ended", behindEnd { $0.window(1, 1) }),
        Case("5.1", "RST_STREAM behind the end", "ended", behindEnd { $0.reset(1, 0) }),
        Case(
            "5.1", "DATA behind RST_STREAM", "broke: reset(INTERNAL_ERROR)",
            behindReset { $0.data(1, "x", isEnd: true) }),
        Case(
            "5.1", "HEADERS behind RST_STREAM", "broke: reset(INTERNAL_ERROR)", behindReset { $0.head(1, isEnd: true) }),
        Case(
            "5.1", "CONTINUATION behind RST_STREAM", "connection error PROTOCOL_ERROR",
            behindReset { $0.frame(.continuation, 4, 1, [okByte]) }),
        Case("8.1", "trailers that do not end the stream", "stream error PROTOCOL_ERROR") {
            $0.head(1)
            $0.headers(1, [("x", "t")])
        },
        Case("8.1", "trailers", "ended") {
            $0.head(1)
            $0.headers(1, [("x", "t")], isEnd: true)
        },
        Case("8.1", "1xx that ends the stream", "stream error PROTOCOL_ERROR", fields((":status", "103"))),
        Case("8.1", "101", "stream error PROTOCOL_ERROR") { $0.head(1, 101) },
        Case("8.1.1", "less than content-length", "stream error PROTOCOL_ERROR") {
            $0.head(1, 200, [("content-length", "5")])
            $0.data(1, "abc", isEnd: true)
        },
        Case("8.1.1", "more than content-length, in two frames", "stream error PROTOCOL_ERROR") {
            $0.head(1, 200, [("content-length", "4")])
            $0.data(1, "abc")
            $0.data(1, "abc", isEnd: true)
        },
        Case("8.1.1", "a body to 204", "stream error PROTOCOL_ERROR") {
            $0.head(1, 204)
            $0.data(1, "abc", isEnd: true)
        },
        Case(
            "8.1.1", "content-length twice", "stream error PROTOCOL_ERROR",
            fields((":status", "200"), ("content-length", "0"), ("content-length", "1"))),
        Case("8.2", "capital letters", "stream error PROTOCOL_ERROR", fields((":status", "200"), ("X-Up", "v"))),
        Case(
            "8.2.1", "CR LF in a value", "stream error PROTOCOL_ERROR", fields((":status", "200"), ("x", "a\r\nb: c"))),
        Case("8.2.1", "a blank in a name", "stream error PROTOCOL_ERROR", fields((":status", "200"), ("x y", "v"))),
        Case("8.2.1", "blanks around a value", "stream error PROTOCOL_ERROR", fields((":status", "200"), ("x", " v "))),
        Case("8.2.2", "connection", "stream error PROTOCOL_ERROR", fields((":status", "200"), ("connection", "close"))),
        Case(
            "8.2.2", "transfer-encoding", "stream error PROTOCOL_ERROR",
            fields((":status", "200"), ("transfer-encoding", "chunked"))),
        Case("8.2.2", "te", "stream error PROTOCOL_ERROR", fields((":status", "200"), ("te", "trailers, deflate"))),
        Case(
            "8.3", "a pseudo field that is not known", "stream error PROTOCOL_ERROR",
            fields((":status", "200"), (":x", "v"))),
        Case(
            "8.3", "a pseudo field of requests", "stream error PROTOCOL_ERROR",
            fields((":status", "200"), (":path", "/"))),
        Case("8.3", ":status behind a field", "stream error PROTOCOL_ERROR", fields(("a", "b"), (":status", "200"))),
        Case("8.3", ":status in trailers", "stream error PROTOCOL_ERROR") {
            $0.head(1)
            $0.head(1, isEnd: true)
        },
        Case("8.3.2", "no :status", "stream error PROTOCOL_ERROR", fields(("x", "y"))),
        Case("8.3.2", ":status twice", "stream error PROTOCOL_ERROR", fields((":status", "200"), (":status", "200"))),
        Case("8.3.2", ":status of four digits", "stream error PROTOCOL_ERROR", fields((":status", "1000"))),
        Case("10.5.1", "fields of 100 KiB", "stream error INTERNAL_ERROR") { peer in
            let fields = (0..<100).map { ("x-\($0)", String(repeating: "a", count: 1024)) }
            peer.headers(1, ok + fields, isEnd: true, isIndexed: false)
        },
        Case("10.5.1", "one entry of the table ten thousand times", "stream error INTERNAL_ERROR") { peer in
            let block = peer.block(ok + [("x-b", String(repeating: "q", count: 2900))])
            peer.frame(.headers, 5, 1, block + [UInt8](repeating: 0x80 | 62, count: 10_000))
        },
    ]

    /// RFC 7541.
    static let compression: [Case] = [
        Case(
            "HPACK 2.3.3", "an index that is not in the table", "connection error COMPRESSION_ERROR",
            block(okByte, 0xff, 0x00)),
        Case(
            "HPACK 2.3.3", "a name's index that is not in the table", "connection error COMPRESSION_ERROR",
            block(okByte, 0x7f, 0x00, 0x00)),
        Case(
            "HPACK 4.2", "a size of the table behind a field", "connection error COMPRESSION_ERROR", block(okByte, 0x20)
        ),
        Case("HPACK 4.2", "sizes of the table before a field", "ended", block(0x20, 0x3f, 0xe1, 0x1f, okByte)),
        Case(
            "HPACK 5.2", "Huffman padding of more than seven bits", "connection error COMPRESSION_ERROR",
            block(okByte, 0x00, 0x01, 0x78, 0x82, 0x1f, 0xff)),
        Case(
            "HPACK 5.2", "Huffman padding of zeros", "connection error COMPRESSION_ERROR",
            block(okByte, 0x00, 0x01, 0x78, 0x81, 0x18)),
        Case(
            "HPACK 5.2", "Huffman's end in a string", "connection error COMPRESSION_ERROR",
            block(okByte, 0x00, 0x01, 0x78, 0x84, 0xff, 0xff, 0xff, 0xff)
        ),
        Case(
            "HPACK 5.1", "a number without end", "connection error COMPRESSION_ERROR",
            block(okByte, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)),
        Case("HPACK 6.1", "index 0", "connection error COMPRESSION_ERROR", block(okByte, 0x80)),
        Case(
            "HPACK 6.2", "each kind of literal", "ended",
            block(okByte, 0x40, 1, 0x78, 1, 0x79, 0x00, 1, 0x7a, 1, 0x79, 0x10, 1, 0x77, 1, 0x79)),
        Case(
            "HPACK 6.3", "a size of the table above what is allowed", "connection error COMPRESSION_ERROR",
            block(0x3f, 0xe2, 0x1f, okByte)),
    ]
}
