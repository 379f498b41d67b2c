// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import TestSupport
import Testing

@testable import MenshenUpstream

/// Requests over HTTP/2 and what becomes of them, one or two at a time.
struct HTTP2TransferTests {
    private static let window = 256 << 10

    @Test func `a request says what it has to and nothing of one hop, and keeps its key out of the table`() throws {
        let scene = try Scene(http2: true)
        let hearer = Hearer()
        let transfer = try scene.engine.transfer(to: scene.endpoint)
        for line in [
            "Authorization: Bearer key", "X-API-KEY:  other key ", "Accept: */*", "Connection: keep-alive, X-Hop",
            "x-hop: 1",
            "Keep-Alive: 5", "Host: elsewhere", "Transfer-Encoding: chunked", "Upgrade: h2c", "TE: gzip",
            "Expect: 100-continue",
        ] {
            Array(line.utf8).withUnsafeBytes { transfer.headers.addHeader(line: $0) }
        }
        try transfer.start(
            method: .post, target: Array("/v1/chat?a=b".utf8) + [0], body: .whole([1, 2, 3]), receiver: hearer)
        hearer.transfer = transfer
        let provider = try HTTP2Provider(scene)
        let head = try #require(try provider.heads().first)
        #expect(
            try provider.peer.fields(of: head) == [
                ":method: POST", ":scheme: http", ":authority: provider", "!:path: /v1/chat?a=b",
                "!authorization: Bearer key", "!x-api-key: other key", "accept: */*", "!content-length: 3",
            ])
        #expect(try provider.look().last { $0.kind == .data }?.payload == [1, 2, 3])
        try provider.answer(1)
        try scene.untilOver(hearer)
        #expect(hearer.events == ["head 200", "body", "finished"] && hearer.text == "well")
    }

    @Test func `the next request takes the same connection and the same transfer`() throws {
        let scene = try Scene(http2: true)
        let first = Hearer()
        let transfer = try scene.ask(.post, "/v1/chat", .whole([1, 2, 3]), first)
        let provider = try HTTP2Provider(scene)
        #expect(try provider.streams() == [1])
        try provider.answer(1)
        try scene.untilOver(first)
        let second = Hearer()
        #expect(try scene.ask(.get, "/v1/models", .none, second) === transfer)
        let head = try #require(try provider.heads().first)
        #expect(try provider.peer.fields(of: head).contains(":method: GET") && head.isEnd && head.stream == 3)
        try provider.answer(3)
        try scene.untilOver(second)
        #expect(second.failure == nil && first.failure == nil)
        #expect(try scene.acceptsNothing())
    }

    @Test func `interim heads, the head as libcurl gave it, and trailers`() throws {
        let scene = try Scene(http2: true)
        let hearer = Hearer()
        let transfer = try scene.ask(.post, "/v1/chat", .whole([1, 2, 3]), hearer)
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams()
        var head = ResponseHead()
        hearer.onEvent = { if $0 == "finished" { head = transfer.head } }
        provider.peer.head(1, 103, [("link", "x")])
        provider.peer.head(1, 200, [("content-type", "text/plain"), ("content-length", "4")])
        provider.peer.data(1, "well")
        provider.peer.headers(1, [("x-trailer", "t"), ("server", "s")], isEnd: true)
        try provider.push()
        try scene.untilOver(hearer)
        #expect(hearer.events == ["interim 103", "head 200", "body", "finished"])
        #expect(head.isMultiplexed && head.status == 200 && head.contentLength == 4)
        #expect(head.first(.contentType) == "text/plain")
        var trailers: [UInt8] = []
        head.appendTrailers(to: &trailers)
        #expect(String(decoding: trailers, as: UTF8.self) == "x-trailer: t\r\n")
    }

    // MARK: Back-pressure

    @Test func `a receiver that takes nothing holds the provider back after its window, and nobody else`() throws {
        let scene = try Scene(http2: true)
        let slow = Hearer()
        slow.takesBody = false
        let transfer = try scene.ask(.post, "/v1/chat", .whole([1, 2, 3]), slow)
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams()
        let bytes = (0..<Self.window).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 7) }
        provider.peer.head(1)
        provider.peer.data(1, bytes)
        try provider.push()
        #expect(slow.events.count { $0.hasPrefix("refused") } == 1, "asked once, and then left alone")
        #expect(try !provider.look().contains { $0.kind == .windowUpdate && $0.stream == 1 })
        let other = try scene.ask()
        #expect(try provider.streams() == [3])
        try provider.answer(3)
        try scene.untilOver(other)
        scene.clock.turn(seconds: 3600)
        try scene.settle()
        #expect(slow.isOver == false, "the provider is not late")
        slow.takesBody = true
        transfer.resume()
        transfer.resume()
        let update = try scene.until("more room") {
            try provider.look().first { $0.kind == .windowUpdate && $0.stream == 1 }
        }
        #expect(update.number >= Self.window / 2)
        provider.peer.data(1, "end", isEnd: true)
        try provider.push()
        try scene.untilOver(slow)
        #expect(slow.body == bytes + Array("end".utf8) && slow.failure == nil)
    }

    @Test func `where memory is short, no more is handed on than there is room for`() throws {
        let scene = try Scene(http2: true)
        scene.engine.asksForRoom = true
        let hearer = Hearer()
        hearer.room = 100
        let transfer = try scene.ask(.post, "/v1/chat", .whole([1, 2, 3]), hearer)
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams()
        let text = String(repeating: "x", count: 2_000)
        provider.peer.head(1)
        provider.peer.data(1, text)
        try provider.push()
        #expect(hearer.text == text && hearer.events.count { $0 == "body" } == 20)
        hearer.room = 0
        provider.peer.data(1, text, isEnd: true)
        try provider.push()
        #expect(hearer.text == text)
        hearer.room = .max
        transfer.resume()
        try scene.untilOver(hearer)
        #expect(hearer.text == text + text && hearer.failure == nil)
    }

    @Test(arguments: ["interim 103", "head 200", "body"])
    func `a receiver may give up from any call, and its connection lives`(event: String) throws {
        let scene = try Scene(http2: true)
        let hearer = Hearer()
        let transfer = try scene.ask(.post, "/v1/chat", .whole([1, 2, 3]), hearer)
        hearer.onEvent = { if $0 == event { transfer.cancel() } }
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams()
        provider.peer.head(1, 103)
        provider.peer.head(1)
        provider.peer.data(1, "well")
        try provider.push()
        #expect(hearer.events.last == event)
        let frames = try provider.look()
        #expect(frames.contains { $0.kind == .reset && $0.number == 8 }, "CANCEL: \(frames)")
        let second = try scene.ask()
        #expect(second.transfer === transfer)
        #expect(try provider.streams() == [3])
        try provider.answer(3)
        try scene.untilOver(second)
        #expect(second.text == "well" && hearer.events.last == event)
    }

    @Test func `a request that is given up in its own turn is never made`() throws {
        let scene = try Scene(http2: true)
        let first = try scene.ask()
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams()
        try scene.ask().transfer?.cancel()
        #expect(try !provider.look().contains { $0.kind == .headers })
        try provider.answer(1)
        try scene.untilOver(first)
    }

    // MARK: Uploads

    @Test func `a provider that does not take an upload holds its caller back until it does`() throws {
        let scene = try Scene(http2: true)
        let hearer = Hearer()
        let transfer = try scene.ask(.post, "/", .streamed(length: nil), hearer)
        let provider = try HTTP2Provider(scene)
        let head = try #require(try provider.heads().first)
        #expect(try !provider.peer.fields(of: head).contains { $0.contains("content-length") })
        var bytes: [UInt8] = []
        func send() -> Bool {
            let piece = (0..<50_000).map { UInt8(truncatingIfNeeded: (bytes.count + $0) >> 9) }
            bytes += piece
            return piece.withUnsafeBytes { transfer.send($0) }
        }
        while send() {}
        try scene.settle()
        #expect(hearer.events == ["wants body"], "the provider has taken its window")
        while send() {}
        #expect(bytes.count < 300_000)
        var arrived = try provider.look().filter { $0.kind == .data }.flatMap(\.payload)
        #expect(arrived.count == 65_535 && hearer.events == ["wants body"])
        provider.peer.window(0, 1 << 20)
        provider.peer.window(1, 1 << 20)
        try provider.push()
        try scene.until("room") { hearer.events == ["wants body", "wants body"] ? true : nil }
        _ = send()
        transfer.endBody()
        var isWhole = false
        try scene.until("the upload's end") {
            let frames = try provider.look().filter { $0.kind == .data }
            arrived += frames.flatMap(\.payload)
            isWhole = isWhole || frames.contains(where: \.isEnd)
            return isWhole ? true : nil
        }
        #expect(arrived == bytes)
        try provider.answer(1)
        try scene.untilOver(hearer)
        #expect(hearer.failure == nil)
    }

    @Test func `what the socket does not take waits, and what comes behind it is in order`() throws {
        let scene = try Scene(http2: true)
        let body = (0..<900_000).map { UInt8(truncatingIfNeeded: $0 >> 8 ^ $0) }
        let first = try scene.ask()
        let provider = try HTTP2Provider(scene, settings: [(4, 1 << 20)])
        provider.peer.window(0, 1 << 20)
        try provider.answer(try provider.streams()[0])
        #expect(first.isOver)
        let large = try scene.ask("POST", .whole(body))
        try scene.settle()
        // The socket is full by now.
        let (small, gone) = (try scene.ask(), try scene.ask())
        try scene.settle()
        gone.transfer?.cancel()
        var arrived: [UInt8] = []
        var heads: [Int] = []
        try scene.until("all of it") {
            for frame in try provider.look() {
                if frame.kind == .headers { heads.append(frame.stream) }
                if frame.kind == .data, frame.stream == 3 { arrived += frame.payload }
            }
            return arrived.count == body.count && heads.count == 2 ? true : nil
        }
        #expect(arrived == body && heads == [3, 5])
        for stream in heads { try provider.answer(stream) }
        #expect(large.isOver && small.isOver && !gone.isOver && large.failure == nil && small.failure == nil)
    }

    @Test(arguments: [200, 413]) func `an answer before the upload's end is the answer`(status: Int) throws {
        let scene = try Scene(http2: true)
        let hearer = Hearer()
        let transfer = try scene.ask(.post, "/", .streamed(length: 1 << 20), hearer)
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams()
        _ = [UInt8](repeating: 7, count: 300_000).withUnsafeBytes { transfer.send($0) }
        try scene.settle()
        provider.peer.head(1, status)
        provider.peer.data(1, "well", isEnd: true)
        try provider.push()
        try scene.untilOver(hearer)
        #expect(hearer.text == "well" && hearer.failure == nil)
        #expect(hearer.events.contains("wants body") == (status == 413))
        let frames = try provider.look()
        #expect(frames.contains { $0.kind == .reset && $0.number == 0 }, "NO_ERROR: \(frames)")
        let second = try scene.ask()
        #expect(try provider.streams() == [3])
        try provider.answer(3)
        try scene.untilOver(second)
    }

    // MARK: Ends

    @Test(arguments: [
        (false, "reset"), (true, "truncated"),
    ])
    func `a reset is told by how far the answer was`(hasHead: Bool, reason: String) throws {
        let scene = try Scene(http2: true)
        let (hearer, other) = (try scene.ask(), try scene.ask())
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams(2)
        if hasHead { provider.peer.head(1) }
        provider.peer.reset(1, 2)
        try provider.push()
        #expect(hearer.events.last == "failed: \(reason)")
        #expect(hearer.failure?.detail == "the provider reset the stream: INTERNAL_ERROR")
        try provider.answer(3)
        try scene.untilOver(other)
        #expect(other.failure == nil)
    }

    @Test func `behind a head NO_ERROR ends the answer, whose own word decides`() throws {
        let scene = try Scene(http2: true)
        let hearer = try scene.ask()
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams()
        provider.peer.head(1)
        provider.peer.data(1, "well")
        provider.peer.reset(1, 0)
        try provider.push()
        #expect(hearer.events.last == "finished" && hearer.text == "well")
    }

    @Test func `a break while the receiver is slow is told behind what came before it`() throws {
        let scene = try Scene(http2: true)
        let hearer = Hearer()
        hearer.takesBody = false
        let transfer = try scene.ask(.post, "/v1/chat", .whole([1, 2, 3]), hearer)
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams()
        provider.peer.head(1)
        provider.peer.data(1, "half")
        provider.peer.reset(1, 2)
        try provider.push()
        #expect(!hearer.isOver)
        hearer.takesBody = true
        transfer.resume()
        try scene.untilOver(hearer)
        #expect(hearer.text == "half" && hearer.failure?.reason == .truncated)
    }

    @Test func `a head that cannot be relayed is malformed, and its connection lives`() throws {
        let scene = try Scene(http2: true)
        let hearers = try (0..<4).map { _ in try scene.ask() }
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams(4)
        provider.peer.head(1, 200, [("x", "a\r\nb: c")])
        provider.peer.head(3, 200, [("connection", "close")])
        for _ in 0..<2000 { provider.peer.head(5, 103) }
        try provider.push()
        try provider.answer(7)
        #expect(hearers.map(\.failure?.reason) == [.malformed, .malformed, .malformed, nil])
        #expect(hearers[0].failure?.detail == "the answer's head is not safe to relay: malformed")
        #expect(hearers[1].failure?.detail == "the answer is against HTTP/2")
        #expect(hearers[2].failure?.detail == "the answer's head is not safe to relay: tooLarge")
        #expect(hearers[3].events.last == "finished")
    }

    @Test func `what breaks the connection's protocol breaks all its answers`() throws {
        let scene = try Scene(http2: true)
        let (first, second) = (try scene.ask(), try scene.ask())
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams(2)
        provider.peer.head(1)
        provider.peer.window(0, 0)
        try provider.push()
        #expect(first.failure?.reason == .truncated && second.failure?.reason == .malformed)
        #expect(second.failure?.detail.hasPrefix("the provider breaks HTTP/2: ") == true)
        #expect(try provider.look().contains { $0.kind == .goAway } && provider.hasEnded)
        _ = try scene.ask()
        _ = try HTTP2Provider(scene)
    }

    // MARK: Time

    @Test(arguments: [("first_byte_timeout", 601.0), ("gap_timeout", 301.0), ("total_timeout", 41.0)])
    func `a provider that falls silent is late`(reason: String, seconds: Double) throws {
        let scene = try Scene(http2: true) { if reason == "total_timeout" { $0.totalTimeout = 40_000_000 } }
        let hearer = try scene.ask()
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams()
        if reason == "gap_timeout" {
            provider.peer.head(1)
            try provider.push()
        }
        scene.clock.turn(seconds: seconds - 2)
        try scene.settle()
        #expect(!hearer.isOver)
        scene.clock.turn(seconds: 3)
        try scene.settle()
        #expect(hearer.events.last == "failed: \(reason)")
        #expect(try provider.look().contains { $0.kind == .reset && $0.number == 8 })
    }
}
