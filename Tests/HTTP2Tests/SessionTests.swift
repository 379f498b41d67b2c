// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP2
import TestSupport
import Testing

/// What a session says, and what its streams hear.
struct SessionTests {
    @Test func `it announces its windows, its limit of fields, and no push`() throws {
        let session = try Session()
        let output = Collected()
        try session.drain(to: output)
        let frames = try FramePeer().read(output.bytes)
        #expect(frames.map(\.kind) == [.settings, .windowUpdate])
        #expect(
            frames[0].payload == [0, 2, 0, 0, 0, 0, 0, 4, 0, 4, 0, 0, 0, 6, 0, 1, 0, 0],
            "ENABLE_PUSH 0, INITIAL_WINDOW_SIZE 256 KiB, MAX_HEADER_LIST_SIZE 64 KiB")
        #expect(frames[1].stream == 0 && frames[1].number == 32 << 20 - 65_535)
        session.end()
    }

    @Test func `a request goes out with its body, and its answer comes in pieces`() throws {
        let line = try Line()
        let hearing = Hearing(Array("hello".utf8), isOpen: false)
        line.session.add(Line.bytes(":method"), Line.bytes("POST"), isIndexed: true)
        line.session.add(Line.bytes("authorization"), Line.bytes("Bearer key"), isIndexed: false)
        hearing.stream = line.session.submit(hearing, hasBody: true)
        let frames = try line.frames()
        #expect(frames.map(\.kind) == [.headers, .data])
        #expect(try line.peer.fields(of: frames[0]) == [":method: POST", "!authorization: Bearer key"])
        #expect(frames[1].payload == Array("hello".utf8) && frames[1].isEnd && !frames[0].isEnd)
        line.peer.head(1, 103, [("link", "x")])
        line.peer.head(1, 200, [("content-type", "a/b")])
        line.peer.data(1, "we")
        line.peer.data(1, "ll")
        line.peer.headers(1, [("x-trailer", "t")], isEnd: true)
        try line.pass()
        #expect(
            hearing.events == [
                ":status: 103", "link: x", "fields", ":status: 200", "content-type: a/b", "fields", "data",
                "x-trailer: t", "fields", "ended",
            ])
        #expect(line.session.count == 0)
    }

    @Test func `a stream takes its window and not a byte more`() throws {
        let line = try Line()
        let hearing = try line.ask()
        line.peer.head(1)
        line.peer.data(1, [UInt8](repeating: 1, count: Session.streamWindow))
        try line.pass()
        #expect(hearing.received == Session.streamWindow)
        #expect(try line.frames() == [], "nobody has taken anything")
        line.peer.data(1, [1])
        try line.pass()
        #expect(hearing.events.last == "broke: invalid(HTTP2.Stream.Fault.violation)", "\(hearing.events)")
        #expect(hearing.received == Session.streamWindow)
        let frames = try line.frames()
        #expect(frames.map(\.kind) == [.reset] && frames[0].number == 3, "FLOW_CONTROL_ERROR: \(frames)")
    }

    @Test func `what is consumed may come again, once it is half the window`() throws {
        let line = try Line()
        let hearing = try line.ask()
        line.peer.head(1)
        line.peer.data(1, [UInt8](repeating: 1, count: Session.streamWindow))
        try line.pass()
        hearing.stream?.consume(100_000)
        #expect(try line.frames() == [])
        hearing.stream?.consume(40_000)
        let frames = try line.frames()
        #expect(frames.map(\.kind) == [.windowUpdate] && frames[0].number == 140_000 && frames[0].stream == 1)
    }

    @Test func `the connection's window comes back at receipt, padding and strangers' bytes included`() throws {
        let line = try Line()
        // 100 streams that nobody reads, and bytes for one that was given up.
        for number in 0..<100 {
            let hearing = try line.ask()
            line.peer.head(2 * number + 1)
            if number == 0 { hearing.stream?.reset(.cancel) }
            for _ in 0..<15 { line.peer.data(2 * number + 1, [UInt8](repeating: 1, count: 16_384)) }
            line.peer.frame(.data, 8, 2 * number + 1, [200] + [UInt8](repeating: 0, count: 201))
            try line.pass()
        }
        _ = try line.frames()
        let updates = line.log.filter { $0.kind == .windowUpdate && $0.stream == 0 }.dropFirst()
        let back = updates.reduce(0) { $0 + $1.number }
        // Updates are sent for half a window at least.
        #expect(back >= 16 << 20 && back <= 100 * (15 * 16_384 + 202), "\(back)")
        #expect(line.session.count == 99)
    }

    @Test func `an answer that is whole before the request is ends both`() throws {
        let line = try Line()
        let hearing = try line.ask(body: [1, 2], isOpen: true)
        line.peer.head(1, 413, isEnd: true)
        try line.pass()
        #expect(hearing.events == [":status: 413", "fields", "ended"])
        let frames = try line.frames()
        #expect(frames.map(\.kind) == [.reset] && frames[0].number == 0, "NO_ERROR: \(frames)")
        #expect(line.session.count == 0)
    }

    @Test func `one that is given up is reset, and hears no more`() throws {
        let line = try Line()
        let hearing = try line.ask()
        hearing.stream?.reset(.cancel)
        #expect(line.session.count == 1, "until the provider can know")
        let frames = try line.frames()
        #expect(frames.map(\.kind) == [.reset] && frames[0].number == 8)
        #expect(line.session.count == 0)
        line.peer.head(1)
        line.peer.data(1, "late")
        try line.pass()
        #expect(hearing.events == [])
    }

    @Test(arguments: [
        (0, "broke: reset"), (2, "broke: reset"), (7, "broke: refused"), (11, "broke: reset"),
        (13, "broke: needsHTTP1"),
    ])
    func `a reset says why`(code: Int, event: String) throws {
        let line = try Line()
        let hearing = try line.ask()
        line.peer.reset(1, code)
        try line.pass()
        #expect(hearing.events.count == 1 && hearing.events[0].hasPrefix(event), "\(hearing.events)")
    }

    @Test func `GOAWAY may want HTTP/1.1 for what is above its last stream`() throws {
        let line = try Line()
        let hearings = [try line.ask(), try line.ask()]
        line.peer.goAway(last: 1, 13)
        try line.pass()
        #expect(hearings[0].events == [] && hearings[1].events == ["broke: needsHTTP1"] && line.session.wantsHTTP1)
    }

    @Test(arguments: [0, 1]) func `GOAWAY refuses what is above its last stream`(code: Int) throws {
        let line = try Line()
        let hearings = [try line.ask(), try line.ask(), try line.ask()]
        line.peer.goAway(last: 1, code)
        line.peer.head(1)
        line.peer.data(1, "well", isEnd: true)
        try line.pass()
        #expect(hearings[0].events.last == "ended")
        #expect(hearings[1].events == ["broke: refused"] && hearings[2].events == ["broke: refused"])
        #expect(line.session.isGoingAway && line.session.isOver)
        #expect(line.session.submit(Hearing([], isOpen: false), hasBody: false) == nil)
    }

    @Test func `the first GOAWAY of two only stops new requests`() throws {
        let line = try Line()
        let hearings = [try line.ask(), try line.ask()]
        line.peer.goAway(last: 0x7fff_ffff)
        try line.pass()
        #expect(line.session.isGoingAway && !line.session.isOver && hearings[1].events == [])
        line.peer.goAway(last: 1)
        try line.pass()
        #expect(hearings[1].events == ["broke: refused"] && hearings[0].events == [])
    }

    @Test func `no more streams than the provider allows, and never more than 100`() throws {
        let line = try Line(streams: 2)
        #expect(line.session.limit == 2)
        _ = try line.ask()
        _ = try line.ask()
        #expect(line.session.submit(Hearing([], isOpen: false), hasBody: false) == nil)
        let (open, shut) = (try Line(), try Line(streams: 0))
        #expect(open.session.limit == 100 && shut.session.limit == 0)
    }

    @Test func `DATA stops where the output is full, and heads do not`() throws {
        let line = try Line()
        line.peer.settings([(4, 1 << 20)])
        line.peer.window(0, 1 << 20)
        try line.pass()
        let large = Hearing([UInt8](repeating: 7, count: 200_000), isOpen: false)
        line.session.add(Line.bytes(":method"), Line.bytes("POST"), isIndexed: true)
        large.stream = line.session.submit(large, hasBody: true)
        let output = Collected()
        try line.session.drain(to: output)
        #expect(output.count >= Session.outputLimit && output.count < Session.outputLimit + 17_000)
        let small = Hearing([], isOpen: false)
        line.session.add(Line.bytes(":method"), Line.bytes("GET"), isIndexed: true)
        small.stream = line.session.submit(small, hasBody: false)
        let next = Collected()
        try line.session.drain(to: next)
        #expect(line.session.wasSent(try #require(small.stream)))
        let frames = try line.peer.read(output.bytes + next.bytes)
        #expect(frames.filter { $0.kind == .headers }.count == 2)
    }

    @Test func `the end of a session is the end of its streams`() throws {
        let line = try Line()
        let hearing = try line.ask()
        line.session.end()
        #expect(hearing.events == ["broke: lost"] && line.session.count == 0 && !line.session.wantsWrite)
    }

    private final class Collected: SessionOutput {
        var bytes: [UInt8] = []
        var count: Int { bytes.count }
        func append(_ more: UnsafeRawBufferPointer) { bytes += more }
    }
}
