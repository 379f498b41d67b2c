// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP2
import TestSupport
import Testing

/// Providers that break the protocol, or use it up.
struct HostileTests {
    /// What a peer does to the first stream, and to the second if the connection lives.
    struct Attack: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let act: @Sendable (FramePeer) -> Void

        init(_ name: String, _ act: @escaping @Sendable (FramePeer) -> Void) {
            testDescription = name
            self.act = act
        }
    }

    private static func head(_ fields: (String, String)...) -> @Sendable (FramePeer) -> Void {
        { $0.headers(1, fields, isEnd: true) }
    }

    @Test(arguments: [
        Attack("no :status", head(("x", "y"))), Attack(":status twice", head((":status", "200"), (":status", "200"))),
        Attack(":status of four digits", head((":status", "1000"))),
        Attack(":status behind a field", head(("a", "b"), (":status", "200"))),
        Attack("101", { $0.head(1, 101) }), Attack("1xx that ends the stream", head((":status", "103"))),
        Attack("upper case", head((":status", "200"), ("X-Up", "v"))),
        Attack("connection", head((":status", "200"), ("connection", "close"))),
        Attack("transfer-encoding", head((":status", "200"), ("transfer-encoding", "chunked"))),
        Attack("content-length twice", head((":status", "200"), ("content-length", "0"), ("content-length", "1"))),
        Attack("CR LF in a value", head((":status", "200"), ("x", "a\r\nb: c"))),
        Attack("a blank in a name", head((":status", "200"), ("x y", "v"))),
        Attack("blanks around a value", head((":status", "200"), ("x", " v "))),
        Attack(
            "less than content-length",
            {
                $0.head(1, 200, [("content-length", "5")])
                $0.data(1, "abc", isEnd: true)
            }),
        Attack(
            "more than content-length",
            {
                $0.head(1, 200, [("content-length", "2")])
                $0.data(1, "abc", isEnd: true)
            }),
        Attack(
            "a body to 204",
            {
                $0.head(1, 204)
                $0.data(1, "abc", isEnd: true)
            }),
        Attack(
            "trailers that do not end the stream",
            {
                $0.head(1)
                $0.headers(1, [("x", "t")])
            }),
        Attack(
            "trailers with :status",
            {
                $0.head(1)
                $0.head(1, isEnd: true)
            }),
        Attack(
            "fields of 100 KiB",
            { peer in
                let fields = (0..<100).map { ("x-\($0)", String(repeating: "a", count: 1024)) }
                peer.headers(1, [(":status", "200")] + fields, isEnd: true, isIndexed: false)
            }),
        Attack(
            "one entry of the table a thousand times",
            { peer in
                let block = peer.block([(":status", "200"), ("x-b", String(repeating: "q", count: 2900))])
                peer.frame(.headers, 5, 1, block + [UInt8](repeating: 0x80 | 62, count: 10_000))
            }),
    ])
    func `an answer against the protocol ends its stream alone`(attack: Attack) throws {
        let line = try Line()
        let (victim, other) = (try line.ask(), try line.ask())
        attack.act(line.peer)
        line.peer.head(3)
        line.peer.data(3, "well", isEnd: true)
        try line.pass()
        let frames = try line.frames()
        #expect(victim.events.last?.hasPrefix("broke: invalid") == true, "\(victim.events.suffix(3))")
        #expect(other.events == [":status: 200", "fields", "data", "ended"])
        #expect(frames.contains { $0.kind == .reset && $0.stream == 1 })
        #expect(!frames.contains { $0.kind == .goAway } && line.session.count == 0)
    }

    @Test func `the limit of fields is that of each head, and is told from other faults`() throws {
        let line = try Line()
        let hearing = try line.ask()
        let value = String(repeating: "a", count: 30 << 10)
        line.peer.head(1, 103, [("a", value), ("b", value)])
        line.peer.head(1, 200, [("a", value), ("b", value)])
        try line.pass()
        #expect(hearing.events == [":status: 103", "fields", ":status: 200", "fields"])
        line.peer.headers(1, [("a", value), ("b", value), ("c", value)], isEnd: true)
        try line.pass()
        #expect(hearing.events.last == "broke: invalid(HTTP2.Stream.Fault.tooLarge)")
    }

    @Test func `a field that its reader refuses ends the stream alone`() throws {
        let line = try Line()
        let hearing = try line.ask()
        hearing.refusedName = "x"
        line.peer.head(1, 200, [("x", "y")])
        try line.pass()
        #expect(hearing.events.last == "broke: invalid(HTTP2.Stream.Fault.refused)")
        #expect(try line.frames().map(\.kind) == [.reset])
    }

    @Test(arguments: [
        Attack("PUSH_PROMISE", { $0.frame(.pushPromise, 4, 1, [0, 0, 0, 2] + $0.block([(":method", "GET")])) }),
        Attack("DATA before the head", { $0.data(1, "hi") }),
        Attack("HEADERS on an even stream", { $0.head(2) }), Attack("HEADERS on stream 0", { $0.head(0) }),
        Attack("HEADERS on a stream that nobody opened", { $0.head(9) }),
        Attack("DATA on a stream that nobody opened", { $0.data(9, "x") }),
        Attack("a frame of 16,385 bytes", { $0.frame(.data, 0, 1, [UInt8](repeating: 0, count: 16_385)) }),
        Attack("a window that grows by nothing", { $0.window(0, 0) }),
        Attack("a window beyond all bounds", { $0.window(0, 0x7fff_ffff) }),
        Attack("33 settings", { $0.settings([(Int, Int)](repeating: (4, 65_535), count: 33)) }),
        Attack("a window of settings beyond all bounds", { $0.settings([(4, 0x8000_0000)]) }),
        Attack("a frame size of 1", { $0.settings([(5, 1)]) }),
        Attack("SETTINGS on a stream", { $0.frame(.settings, 0, 1) }),
        Attack("SETTINGS of five bytes", { $0.frame(.settings, 0, 0, [0, 0, 0, 0, 0]) }),
        Attack("PING of seven bytes", { $0.frame(.ping, 0, 0, [1, 2, 3, 4, 5, 6, 7]) }),
        Attack("RST_STREAM on stream 0", { $0.reset(0, 0) }),
        Attack("CONTINUATION of nothing", { $0.frame(.continuation, 4, 1) }),
        Attack(
            "DATA within a head",
            {
                $0.frame(.headers, 0, 1, $0.block([(":status", "200")]))
                $0.data(1, "x")
            }),
        Attack("HPACK of nothing known", { $0.frame(.headers, 5, 1, [0xff, 0xff, 0xff, 0xff, 0xff]) }),
        Attack("HTTP/1.1", { $0.raw(Array("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".utf8)) }),
    ])
    func `a connection against the protocol is ended with GOAWAY`(attack: Attack) throws {
        let line = try Line()
        let hearing = try line.ask()
        attack.act(line.peer)
        do { try line.pass() } catch {
            line.session.end()
            #expect(hearing.events.last?.hasPrefix("broke: ") == true)
            return
        }
        let frames = try line.frames()
        #expect(frames.contains { $0.kind == .goAway && $0.number != 0 }, "\(frames)")
        #expect(line.session.isOver)
        line.session.end()
        #expect(hearing.events.last?.hasPrefix("broke: ") == true, "\(hearing.events)")
    }

    @Test(arguments: [
        Attack(
            "CONTINUATION without end",
            { peer in
                peer.frame(.headers, 0, 1, peer.block([(":status", "200")]))
                for _ in 0..<10_000 { peer.frame(.continuation, 0, 1) }
            }),
        Attack("PING without end", { peer in for _ in 0..<10_000 { peer.ping() } }),
        Attack("SETTINGS without end", { peer in for _ in 0..<10_000 { peer.settings([(4, 65_535)]) } }),
    ])
    func `a flood is ended`(attack: Attack) throws {
        let line = try Line()
        _ = try line.ask()
        attack.act(line.peer)
        #expect(throws: HTTP2Error.self) { try line.pass() }
    }

    @Test func `frames of no known type, and priorities, pass`() throws {
        let line = try Line()
        let hearing = try line.ask()
        line.peer.frame(0x0b, 0, 0, [1, 2, 3])
        line.peer.frame(0x77, 0xff, 1, [1, 2, 3])
        line.peer.frame(.priority, 0, 1, [0, 0, 0, 3, 16])
        line.peer.head(1, isEnd: true)
        try line.pass()
        #expect(hearing.events.last == "ended")
    }

    @Test func `a thousand requests that are refused cost nothing that stays`() throws {
        let line = try Line()
        for number in 0..<1000 {
            let hearing = try line.ask()
            line.peer.reset(2 * number + 1, 7)
            try line.pass()
            #expect(hearing.events == ["broke: refused"])
        }
        #expect(line.session.count == 0 && !line.session.isOver)
    }
}
