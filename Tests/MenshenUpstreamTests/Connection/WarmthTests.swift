// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import TestSupport
import Testing

@testable import MenshenUpstream

/// Connections that are made before the next request needs one.
struct WarmthTests {
    private static let whole = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"

    private func scene(http2: Bool = false, idle: Int = 4) throws -> Scene {
        try Scene(http2: http2) {
            $0.keepsWarm = true
            $0.maxIdleConnections = idle
        }
    }

    /// A request and its answer over a connection of the provider's.
    private func serve(_ scene: Scene, _ provider: Wire) throws {
        let hearer = try scene.ask()
        try answer(hearer, scene, provider)
    }

    private func answer(_ hearer: Hearer, _ scene: Scene, _ provider: Wire) throws {
        try scene.settle()
        _ = try provider.request()
        try provider.write(Self.whole)
        try scene.until("the answer") { hearer.isOver ? true : nil }
        #expect(hearer.failure == nil && hearer.text == "well")
    }

    /// A connection that has carried a request and waits now.
    private func used(_ scene: Scene) throws -> Wire {
        let hearer = try scene.ask()
        let provider = try scene.accept()
        try answer(hearer, scene, provider)
        return provider
    }

    private func close(_ provider: Wire, _ scene: Scene, after seconds: Double = 0) throws {
        scene.clock.turn(seconds: seconds)
        provider.close()
        try scene.settle()
    }

    @Test func `the last that the provider closes is made anew, and takes the next request`() throws {
        let scene = try scene()
        try close(used(scene), scene, after: 60)
        let warm = try scene.accept()
        #expect(try warm.isSilent(milliseconds: 0), "nothing is asked over it")
        #expect(try scene.acceptsNothing(), "one is enough")
        try serve(scene, warm)
        #expect(try scene.acceptsNothing())
    }

    @Test func `one that still waits is enough`() throws {
        let scene = try scene()
        let hearers = try (0..<2).map { _ in try scene.ask() }
        let providers = try (0..<2).map { _ in try scene.accept() }
        for (hearer, provider) in zip(hearers, providers) { try answer(hearer, scene, provider) }
        try close(providers[0], scene)
        #expect(try scene.acceptsNothing())
        try close(providers[1], scene)
        _ = try scene.accept()
    }

    @Test(arguments: [(false, 4), (true, 0)])
    func `nothing is made without keep_warm, nor where nothing waits`(keepsWarm: Bool, idle: Int) throws {
        let scene = try Scene {
            $0.keepsWarm = keepsWarm
            $0.maxIdleConnections = idle
        }
        try close(used(scene), scene)
        #expect(try scene.acceptsNothing())
    }

    @Test(arguments: [(599.0, true), (600.0, false)])
    func `a provider that was not used lately is left alone`(seconds: Double, isMade: Bool) throws {
        let scene = try scene()
        let first = try used(scene)
        // By and by, as its age has each replaced.
        var last = first
        scene.clock.turn(seconds: 90)
        try scene.settle()
        last = try scene.accept()
        #expect(try first.read().isEmpty, "too old to be used")
        scene.clock.turn(seconds: seconds - 90 - 20)
        try scene.settle()
        last = try scene.accept()
        try close(last, scene, after: 20)
        #expect(try scene.acceptsNothing() != isMade)
    }

    @Test func `a provider that closes a fresh one soon is not dialled again until its next use`() throws {
        let scene = try scene()
        try close(used(scene), scene)
        try close(scene.accept(), scene, after: 9.9)
        #expect(try scene.acceptsNothing())
        scene.clock.turn(seconds: 300)
        #expect(try scene.acceptsNothing())
        try close(used(scene), scene)
        try close(scene.accept(), scene, after: 10)
        _ = try scene.accept()
    }

    @Test func `one that has served since may close it soon`() throws {
        let scene = try scene()
        try close(used(scene), scene)
        let warm = try scene.accept()
        try serve(scene, warm)
        try close(warm, scene, after: 1)
        _ = try scene.accept()
    }

    @Test func `failures to connect are tried again after a second, then two`() throws {
        let scene = try scene()
        let provider = try used(scene)
        let path = try #require(scene.endpoint.settings.socketPath)
        try #require(rename(path, path + "-away") == 0)
        try close(provider, scene)
        scene.clock.turn(seconds: 1)
        try scene.settle()
        try #require(rename(path + "-away", path) == 0)
        scene.clock.turn(seconds: 1.9)
        #expect(try scene.acceptsNothing())
        scene.clock.turn(seconds: 0.2)
        _ = try scene.accept()
    }

    @Test(arguments: [false, true])
    func `one that another takes the place of makes none`(http2: Bool) throws {
        let scene = try scene(http2: http2)
        if http2 {
            let provider = try usedHTTP2(scene)
            scene.endpoint.retire()
            try provider.close()
        } else {
            let provider = try used(scene)
            scene.endpoint.retire()
            try close(provider, scene)
        }
        scene.clock.turn(seconds: 100)
        #expect(try scene.acceptsNothing())
    }

    // MARK: Early

    private func early(http2: Bool = false, idle: Int = 4) throws -> Scene {
        let scene = try Scene(http2: http2) { $0.maxIdleConnections = idle }
        scene.engine.connectEarly(to: scene.endpoint)
        return scene
    }

    @Test func `one that is made early takes the request, and nothing is kept warm for that`() throws {
        let scene = try early()
        let provider = try scene.accept()
        scene.engine.connectEarly(to: scene.endpoint)
        #expect(try scene.acceptsNothing(), "one is enough")
        try serve(scene, provider)
        try close(provider, scene)
        scene.clock.turn(seconds: 100)
        #expect(try scene.acceptsNothing())
    }

    @Test func `a request that comes before it is made takes it as it is`() throws {
        let scene = try early()
        let hearer = try scene.ask()
        try answer(hearer, scene, scene.accept())
        #expect(try scene.acceptsNothing())
    }

    @Test func `one that cannot be made is forgotten`() throws {
        let scene = try Scene()
        let path = try #require(scene.endpoint.settings.socketPath)
        try #require(rename(path, path + "-away") == 0)
        scene.engine.connectEarly(to: scene.endpoint)
        try scene.settle()
        try #require(rename(path + "-away", path) == 0)
        scene.clock.turn(seconds: 100)
        #expect(try scene.acceptsNothing())
        _ = try used(scene)
    }

    @Test func `none is made early where none is kept, nor for an endpoint that another replaces`() throws {
        #expect(try early(idle: 0).acceptsNothing())
        let scene = try Scene()
        scene.endpoint.retire()
        scene.engine.connectEarly(to: scene.endpoint)
        #expect(try scene.acceptsNothing())
    }

    // MARK: HTTP/2

    /// A connection over which nothing goes but the preface, until the next request does.
    private func servesNext(_ scene: Scene) throws -> HTTP2Provider {
        let provider = try HTTP2Provider(scene)
        #expect(try provider.look().allSatisfy { $0.kind == .settings || $0.kind == .windowUpdate })
        let hearer = try scene.ask()
        #expect(try provider.streams() == [1])
        try provider.answer(1)
        #expect(hearer.isOver && hearer.failure == nil)
        #expect(try scene.acceptsNothing())
        return provider
    }

    @Test func `over HTTP 2 one that is made early takes the request`() throws {
        let scene = try early(http2: true)
        let provider = try servesNext(scene)
        try provider.close()
        scene.clock.turn(seconds: 100)
        #expect(try scene.acceptsNothing())
    }

    private func usedHTTP2(_ scene: Scene) throws -> HTTP2Provider {
        let hearer = try scene.ask()
        let provider = try HTTP2Provider(scene)
        for stream in try provider.streams() { try provider.answer(stream) }
        #expect(hearer.isOver && hearer.failure == nil)
        return provider
    }

    @Test(arguments: [false, true])
    func `over HTTP 2 nothing but its preface goes out, and the next request`(saysGoodbye: Bool) throws {
        let scene = try scene(http2: true)
        let old = try usedHTTP2(scene)
        scene.clock.turn(seconds: 60)
        if saysGoodbye {
            old.peer.goAway(last: 1)
            try old.push()
        }
        try old.close()
        _ = try servesNext(scene)
    }

    @Test func `a goodbye with the last answer has the next one made`() throws {
        let scene = try scene(http2: true)
        let hearer = try scene.ask()
        let old = try HTTP2Provider(scene)
        _ = try old.streams()
        old.peer.goAway(last: 1)
        try old.answer(1)
        #expect(hearer.isOver)
        _ = try HTTP2Provider(scene)
        #expect(try scene.acceptsNothing())
    }

    @Test func `over HTTP 2 a fresh one that is closed soon is not made again, and an old one is replaced`() throws {
        let scene = try scene(http2: true)
        let old = try usedHTTP2(scene)
        scene.clock.turn(seconds: 90)
        try scene.settle()
        let fresh = try HTTP2Provider(scene)
        _ = try old.look()
        #expect(old.hasEnded)
        scene.clock.turn(seconds: 9)
        try fresh.close()
        #expect(try scene.acceptsNothing())
    }
}
