// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import MenshenCore
import TestSupport
import Testing

@testable import MenshenDaemon

/// Several workers of one process on the test's thread: what one of them learns or leaves is the others' too.
struct WorkersTogetherTests {
    private static let ask = "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n"

    private static func configuration(
        _ upstreams: [FakeUpstream], _ change: (inout Configuration) -> Void = { _ in }
    ) throws -> Configuration {
        var configuration = Configuration()
        configuration.providers = try upstreams.enumerated().map { index, upstream in
            let url = try #require(BaseURL(upstream.baseURL + "/v1"))
            return Provider(name: "p\(index)", kind: .openai, baseURL: url, key: .inline(Secret("sk-key-1")))
        }
        change(&configuration)
        return configuration
    }

    /// Turns all of them until that is so.
    private func turn(_ scenes: [WorkerScene], until isDone: () -> Bool) throws {
        let end = Clock.monotonic() + UInt64(Signal.patience) * 1000
        while !isDone() {
            for scene in scenes { try scene.turn() }
            if Clock.monotonic() > end { throw TestFailure("it did not happen") }
        }
    }

    private func answer(_ scenes: [WorkerScene], to caller: Caller) throws -> String {
        try turn(scenes) { !caller.hearsNothing }
        return String(decoding: try caller.wire.read(), as: UTF8.self)
    }

    private func ask(_ scene: WorkerScene, _ text: String = ask) throws -> Caller {
        let caller = try scene.call()
        try caller.wire.write(text)
        // Reads it, and goes as far as it can.
        for _ in 0..<5 { try scene.turn() }
        return caller
    }

    @Test func `a place that one worker's request leaves is the next one's, whose worker hears of it`() throws {
        let go = try Signal()
        let upstream = try FakeUpstream { call in
            try go.wait("the others wait")
            try call.reply(body: "well")
        }
        let scenes = try WorkerScene.several(
            3, try Self.configuration([upstream]) { $0.providers[0].maxConcurrent = 1 })
        let first = try ask(scenes[0])
        try turn(scenes) { upstream.requests.count == 1 }
        let others = try scenes.map { try ask($0) }
        try turn(scenes) { scenes[0].places.counts.queued == 3 }
        #expect(upstream.requests.count == 1)
        for caller in [first] + others {
            go.raise()
            #expect(try answer(scenes, to: caller).hasPrefix("HTTP/1.1 200 "))
        }
        try turn(scenes) { scenes[0].places.counts == (0, 0) }
        try upstream.stop()
    }

    @Test func `one that has left while its place was under way passes it on`() throws {
        let go = try Signal()
        let upstream = try FakeUpstream { call in
            try go.wait("the others wait")
            try call.reply(body: "well")
        }
        let scenes = try WorkerScene.several(
            3, try Self.configuration([upstream]) { $0.providers[0].maxConcurrent = 1 })
        let first = try ask(scenes[0])
        try turn(scenes) { upstream.requests.count == 1 }
        let (leaving, staying) = (try ask(scenes[1]), try ask(scenes[2]))
        go.raise()
        // Its worker does not turn meanwhile, and has not heard.
        #expect(try answer([scenes[0], scenes[2]], to: first).hasPrefix("HTTP/1.1 200 "))
        try turn([scenes[0], scenes[2]]) { scenes[0].places.counts == (1, 1) }
        leaving.wire.close()
        go.raise()
        #expect(try answer(scenes, to: staying).hasPrefix("HTTP/1.1 200 "))
        try turn(scenes) { scenes[0].places.counts == (0, 0) }
        try upstream.stop()
    }

    @Test func `the queue is one, and so is its limit`() throws {
        let upstream = try FakeUpstream { try $0.waitForEnd() }
        let scenes = try WorkerScene.several(
            3,
            try Self.configuration([upstream]) {
                $0.providers[0].maxConcurrent = 1
                $0.providers[0].maxQueued = 2
            })
        let waiting = try scenes.map { try ask($0) }
        let refused = try ask(scenes[1])
        let answer = try answer(scenes, to: refused)
        #expect(answer.hasPrefix("HTTP/1.1 429 ") && answer.contains("concurrency_limited"))
        #expect(waiting.allSatisfy { $0.hearsNothing })
        for caller in waiting { caller.wire.close() }
        try turn(scenes) { scenes[0].places.counts == (0, 0) }
        try upstream.stop()
    }

    @Test func `a provider that fails at one worker is left alone by all`() throws {
        let bad = try FakeUpstream { try $0.reply(500) }
        let good = try FakeUpstream { try $0.reply(body: "well") }
        let scenes = try WorkerScene.several(
            3,
            try Self.configuration([bad, good]) {
                $0.failover.breakerFailures = 1
                // Drawn first but for once in a million.
                $0.providers[0].turn.weight = 1_000_000
            })
        for scene in scenes + scenes {
            let caller = try ask(scene)
            #expect(try answer(scenes, to: caller).hasSuffix("well"))
        }
        #expect(bad.requests.count == 1)
        try bad.stop()
        try good.stop()
    }

    @Test func `a pause that a provider asks of one worker holds for all`() throws {
        let upstream = try FakeUpstream { try $0.reply(429, ["Retry-After: 60"]) }
        let scenes = try WorkerScene.several(3, try Self.configuration([upstream]))
        #expect(!(try answer(scenes, to: try ask(scenes[0]))).contains("provider_paused"))
        for scene in scenes {
            let answer = try answer(scenes, to: try ask(scene))
            #expect(answer.hasPrefix("HTTP/1.1 429 ") && answer.contains("provider_paused"))
        }
        #expect(upstream.requests.count == 1)
        try upstream.stop()
    }
}
