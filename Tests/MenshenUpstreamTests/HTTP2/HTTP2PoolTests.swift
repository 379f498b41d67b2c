// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import TestSupport
import Testing

@testable import MenshenUpstream

/// Which connection a request goes by, and what is sent again over which.
struct HTTP2PoolTests {
    @Test func `a burst waits for one connection and shares it`() throws {
        let scene = try Scene(http2: true)
        let hearers = try (0..<60).map { _ in try scene.ask() }
        let provider = try HTTP2Provider(scene)
        let streams = try provider.streams(60)
        #expect(streams == (0..<60).map { 2 * $0 + 1 })
        for stream in streams { try provider.answer(stream) }
        #expect(hearers.allSatisfy { $0.isOver && $0.failure == nil })
        #expect(try scene.acceptsNothing())
    }

    @Test func `what is above the provider's limit goes by further connections, once it has been refused`() throws {
        let scene = try Scene(http2: true)
        let hearers = try (0..<5).map { _ in try scene.ask() }
        let first = try HTTP2Provider(scene, settings: nil)
        #expect(try first.streams(5) == [1, 3, 5, 7, 9], "it has not said anything yet")
        first.peer.settings(streams: 2)
        for stream in [5, 7, 9] { first.peer.reset(stream, 7) }
        try first.push()
        let second = try HTTP2Provider(scene, settings: [(3, 2)])
        let third = try HTTP2Provider(scene, settings: [(3, 2)])
        #expect(try second.streams(2) == [1, 3])
        #expect(try third.streams() == [1])
        for (provider, streams) in [(first, [1, 3]), (second, [1, 3]), (third, [1])] {
            for stream in streams { try provider.answer(stream) }
        }
        #expect(hearers.allSatisfy { $0.isOver && $0.failure == nil })
        #expect(hearers.map { $0.events.count { $0 == "repeats: refused_stream" } } == [0, 0, 1, 1, 1])
        // It is known by now.
        _ = try (0..<6).map { _ in try scene.ask() }
        #expect(try first.streams(2) == [11, 13])
        #expect(try scene.acceptsNothing())
    }

    @Test func `a provider that wants no requests now gets them when it does`() throws {
        let scene = try Scene(http2: true)
        let first = try scene.ask()
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams()
        provider.peer.settings(streams: 0)
        try provider.push()
        let second = try scene.ask()
        #expect(try scene.acceptsNothing())
        try provider.answer(1)
        #expect(first.isOver)
        provider.peer.settings(streams: 10)
        try provider.push()
        #expect(try provider.streams() == [3])
        try provider.answer(3)
        #expect(second.isOver && second.failure == nil)
    }

    @Test func `what waits for a provider that wants no requests goes elsewhere when that is gone`() throws {
        let scene = try Scene(http2: true)
        _ = try scene.ask()
        let old = try HTTP2Provider(scene)
        _ = try old.streams()
        old.peer.settings(streams: 0)
        try old.push()
        let hearer = try scene.ask()
        #expect(try scene.acceptsNothing())
        try old.close()
        let new = try HTTP2Provider(scene)
        #expect(try new.streams() == [1])
        try new.answer(1)
        #expect(hearer.events == ["head 200", "body", "finished"])
    }

    /// A provider that has stopped reading, with a large request on its way: the socket to it is full.
    private func blocked(_ scene: Scene) throws -> (provider: HTTP2Provider, large: Hearer) {
        let first = try scene.ask()
        let provider = try HTTP2Provider(scene, settings: [(4, 1 << 20)])
        provider.peer.window(0, 1 << 20)
        try provider.answer(try provider.streams()[0])
        #expect(first.isOver)
        let large = try scene.ask("POST", .whole([UInt8](repeating: 7, count: 900_000)))
        try scene.settle()
        return (provider, large)
    }

    @Test func `a provider that has stopped reading gets no more requests over that connection`() throws {
        let scene = try Scene(http2: true)
        let (old, large) = try blocked(scene)
        let second = try scene.ask()
        #expect(try scene.acceptsNothing(), "it may go on reading")
        scene.clock.turn(seconds: 6)
        let third = try scene.ask()
        let new = try HTTP2Provider(scene)
        #expect(try new.streams() == [1])
        try new.answer(1)
        #expect(third.isOver && third.failure == nil && second.events == [])
        old.peer.goAway(last: 3)
        try old.push()
        #expect(try new.streams() == [3], "it need not wait for what cannot be sent")
        try new.answer(3)
        #expect(second.events == ["head 200", "body", "finished"])
        large.transfer?.cancel()
        _ = try old.look()
        #expect(old.hasEnded, "nobody waits for it any more")
    }

    @Test func `what waits for a full provider and is given up is not made`() throws {
        let scene = try Scene(http2: true)
        let first = try scene.ask()
        let provider = try HTTP2Provider(scene, settings: [(3, 1)])
        _ = try provider.streams()
        let (second, third) = (try scene.ask(), try scene.ask())
        second.transfer?.cancel()
        let other = try HTTP2Provider(scene, settings: [(3, 1)])
        #expect(try other.streams() == [1])
        try provider.answer(1)
        try other.answer(1)
        #expect(first.isOver && third.isOver && !second.isOver)
        #expect(try !provider.look().contains { $0.kind == .headers })
    }

    // MARK: Sending again

    @Test func `a request that is refused goes out once more, and no third time`() throws {
        let scene = try Scene(http2: true)
        let hearer = try scene.ask()
        let first = try HTTP2Provider(scene)
        _ = try first.streams()
        first.peer.reset(1, 7)
        try first.push()
        let second = try HTTP2Provider(scene)
        let head = try #require(try second.heads().first)
        #expect(
            try second.peer.fields(of: head) == [
                ":method: POST", ":scheme: http", ":authority: provider", "!:path: /v1/chat",
                "!authorization: Bearer key", "!content-length: 3",
            ])
        #expect(try second.look().last { $0.kind == .data }?.payload == [1, 2, 3])
        second.peer.reset(1, 7)
        try second.push()
        #expect(hearer.events == ["repeats: refused_stream", "failed: refused_stream"])
        #expect(hearer.failure?.detail == "the provider refused the request")
        #expect(try scene.acceptsNothing())
    }

    @Test func `an upload of which something is gone is not sent again`() throws {
        let scene = try Scene(http2: true)
        let hearer = try scene.ask("POST", .streamed(length: nil))
        _ = [UInt8](repeating: 7, count: 100).withUnsafeBytes { hearer.transfer?.send($0) }
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams()
        provider.peer.reset(1, 7)
        try provider.push()
        #expect(hearer.events == ["failed: refused_stream"])
        #expect(try scene.acceptsNothing())
    }

    @Test func `GOAWAY sends what it does not cover elsewhere, and what it covers ends where it is`() throws {
        let scene = try Scene(http2: true)
        let (first, second) = (try scene.ask(), try scene.ask())
        let old = try HTTP2Provider(scene)
        _ = try old.streams(2)
        old.peer.goAway(last: 1)
        try old.push()
        let new = try HTTP2Provider(scene)
        #expect(try new.streams() == [1])
        let third = try scene.ask()
        #expect(try new.streams() == [3])
        try old.answer(1)
        try new.answer(1)
        try new.answer(3)
        #expect([first, second, third].allSatisfy { $0.isOver && $0.failure == nil })
        #expect(second.events.first == "repeats: refused_stream" && first.events == ["head 200", "body", "finished"])
        _ = try old.look()
        #expect(old.hasEnded, "nothing more can come by it")
    }

    @Test func `GOAWAY before a request of its turn is sent costs it nothing`() throws {
        let scene = try Scene(http2: true)
        let first = try scene.ask()
        let old = try HTTP2Provider(scene)
        _ = try old.streams()
        try old.answer(1)
        old.peer.goAway(last: 0x7fff_ffff)
        try old.push()
        let second = try scene.ask()
        let new = try HTTP2Provider(scene)
        #expect(try new.streams() == [1])
        try new.answer(1)
        #expect(first.isOver && second.events == ["head 200", "body", "finished"])
    }

    @Test(arguments: ["GET", "POST"])
    func `a kept connection that ends in silence costs what may have been worked on`(method: String) throws {
        let scene = try Scene(http2: true)
        let first = try scene.ask()
        let old = try HTTP2Provider(scene)
        _ = try old.streams()
        try old.answer(1)
        #expect(first.isOver)
        let second = try scene.ask(method)
        _ = try old.streams()
        try old.close()
        if method == "POST" {
            #expect(second.events == ["failed: reset"])
            #expect(second.failure?.detail == "the provider closed the connection")
            return
        }
        let new = try HTTP2Provider(scene)
        #expect(try new.streams() == [1])
        try new.answer(1)
        #expect(second.events == ["repeats: stale_connection", "head 200", "body", "finished"])
    }

    @Test func `a new connection that ends in silence costs its requests`() throws {
        let scene = try Scene(http2: true)
        let hearer = try scene.ask("GET")
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams()
        try provider.close()
        #expect(hearer.events == ["failed: reset"])
    }

    @Test func `what was not sent on a connection that ends goes by another, and is no repetition`() throws {
        let scene = try Scene(http2: true)
        let (old, large) = try blocked(scene)
        let waiting = try (0..<3).map { _ in try scene.ask() }
        #expect(try scene.acceptsNothing())
        try old.close()
        #expect(large.failure?.reason == .reset)
        let new = try HTTP2Provider(scene)
        for stream in try new.streams(3) { try new.answer(stream) }
        #expect(waiting.allSatisfy { $0.events == ["head 200", "body", "finished"] })
        #expect(try scene.acceptsNothing())
    }

    @Test func `a provider that is not there fails all that wait for it`() throws {
        let scene = try Scene(http2: true) { $0.socketPath? += ".gone" }
        let hearers = try (0..<3).map { _ in try scene.ask() }
        try scene.until("their ends") { hearers.allSatisfy(\.isOver) ? true : nil }
        #expect(hearers.allSatisfy { $0.failure?.reason == .connect })
    }

    // MARK: Rest

    @Test(arguments: [true, false]) func `after a rest a PING goes with the request`(isAnswered: Bool) throws {
        let scene = try Scene(http2: true)
        let first = try scene.ask()
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams()
        try provider.answer(1)
        #expect(first.isOver)
        #expect(try !provider.look().contains { $0.kind == .ping })
        scene.clock.turn(seconds: 6)
        let second = try scene.ask()
        _ = try provider.streams()
        #expect(try provider.look().contains { $0.kind == .ping && !$0.isAnswer })
        if isAnswered {
            provider.peer.ping(isAnswer: true)
            try provider.push()
        }
        scene.clock.turn(seconds: 11)
        try scene.settle()
        if isAnswered {
            try provider.answer(3)
            #expect(second.isOver && second.failure == nil)
        } else {
            #expect(second.failure?.reason == .reset && second.failure?.detail.contains("PING") == true)
            _ = try scene.ask()
            _ = try HTTP2Provider(scene)
        }
    }

    @Test func `an idle connection is used again for 90 seconds`() throws {
        let scene = try Scene(http2: true)
        var provider: HTTP2Provider?
        for (pause, isNew, stream) in [(0.0, true, 1), (89.9, false, 3), (90.1, true, 1)] {
            scene.clock.turn(seconds: pause)
            let hearer = try scene.ask()
            let old = provider
            if isNew { provider = try HTTP2Provider(scene) }
            #expect(try provider?.streams() == [stream])
            try provider?.answer(stream)
            #expect(hearer.isOver && hearer.failure == nil)
            if isNew, let old {
                #expect(try old.look().contains { $0.kind == .goAway && $0.number == 0 } && old.hasEnded)
            }
        }
    }

    @Test func `no more connections are kept idle than are wanted`() throws {
        let scene = try Scene(http2: true) { $0.maxIdleConnections = 1 }
        _ = try scene.ask()
        let first = try HTTP2Provider(scene, settings: [(3, 1)])
        _ = try first.streams()
        _ = try scene.ask()
        let second = try HTTP2Provider(scene, settings: [(3, 1)])
        _ = try second.streams()
        try first.answer(1)
        try second.answer(1)
        _ = try (first.look(), second.look())
        #expect(!first.hasEnded && second.hasEnded)
    }
}
