// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

@testable import MenshenDaemon

/// A connection is made while the caller's body still comes.
struct EarlyConnectionTests {
    private static let body = #"{"model":"m","messages":[]}"#

    /// A caller that has sent a head and holds back the body.
    private func begin(_ scene: WorkerScene, _ target: String = "/v1/chat/completions") throws -> Caller {
        try scene.ask("POST", target, ["Content-Length: \(Self.body.utf8.count)"])
    }

    @Test func `the provider is dialled before the body is there, and asked over that connection`() throws {
        let scene = try WorkerScene(providers: ["a"])
        let caller = try begin(scene)
        let provider = try scene.accept()
        #expect(provider.hearsNothing)
        try caller.wire.write(Self.body)
        try scene.hear(provider, until: Self.body)
        try provider.reply(200, "{}")
        #expect(try scene.answer(to: caller).hasPrefix("HTTP/1.1 200"))
        #expect(try scene.isUnasked(0))
    }

    @Test func `a connection that waits is enough`() throws {
        let scene = try WorkerScene(providers: ["a"])
        let first = try scene.ask(body: Self.body)
        let provider = try scene.accept()
        try scene.hear(provider, until: Self.body)
        try provider.reply(200, "{}")
        _ = try scene.answer(to: first)
        let second = try begin(scene)
        #expect(try scene.isUnasked(0))
        try second.wire.write(Self.body)
        try scene.hear(provider, until: Self.body)
    }

    @Test func `a caller that leaves instead has cost a connection, which the next one takes`() throws {
        let scene = try WorkerScene(providers: ["a"])
        let caller = try begin(scene)
        let provider = try scene.accept()
        caller.wire.close()
        try scene.pass(0)
        #expect(provider.hearsNothing)
        _ = try scene.ask(body: Self.body)
        try scene.hear(provider, until: Self.body)
        #expect(try scene.isUnasked(0))
    }

    @Test func `nobody is dialled while it is open who will be asked`() throws {
        let several = try WorkerScene(providers: ["a", "b"])
        _ = try begin(several)
        #expect(try several.isUnasked(0) && several.isUnasked(1))
        let cached = try WorkerScene(providers: ["a"]) { $0.cache.maxAge = .seconds(60) }
        _ = try begin(cached)
        #expect(try cached.isUnasked(0))
    }

    @Test func `nor one without a place, or that is left alone after failures`() throws {
        let full = try WorkerScene(providers: ["a"]) { $0.providers[0].maxConcurrent = 1 }
        let asked = try full.ask(body: Self.body)
        let busy = try full.accept()
        _ = try begin(full)
        #expect(try full.isUnasked(0) && asked.hearsNothing && busy.hearsNothing == false)
        let broken = try WorkerScene(providers: ["a"]) { $0.failover.breakerFailures = 1 }
        let caller = try broken.ask(body: Self.body)
        let provider = try broken.accept()
        try broken.hear(provider, until: Self.body)
        try provider.wire.write("HTTP/1.1 500 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        _ = try broken.answer(to: caller)
        _ = try begin(broken)
        #expect(try broken.isUnasked(0))
    }
}
