// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TLS
import TestSupport
import Testing

@testable import MenshenUpstream

/// A request that goes out while the end of its connection comes in. TLS's goodbye proves nothing: what the provider has by
/// then may be unacknowledged, and is read all the same.
struct GoodbyeTests {
    private let identity: TestAuthority.Identity
    private let scene: Scene
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        let authority = try TestAuthority()
        try authority.write(to: directory.path("ca.pem"))
        identity = try authority.sign("IP:127.0.0.1")
        scene = try Self.scene(http2: true, directory)
    }

    private static func scene(http2: Bool, _ directory: TemporaryDirectory) throws -> Scene {
        let path = directory.path("ca.pem")
        return try Scene(http2: http2, tcp: true) { settings in
            settings.tls = TLSClient(TLSFiles(authorities: path))
        }
    }

    /// A new connection over which the provider answers one request.
    private func answer() throws -> SecureWire {
        let (provider, frames) = try (SecureWire(scene, TLSPeer(identity, protocol: "h2")), FramePeer())
        try scene.until("a request") {
            try frames.read(provider.hearBytes()).contains { $0.kind == .headers } ? true : nil
        }
        frames.settings()
        frames.settingsAnswer()
        frames.head(1)
        frames.data(1, "well", isEnd: true)
        try provider.say(frames.take(), piece: 1 << 20)
        return provider
    }

    private func kept() throws -> SecureWire {
        let first = try scene.ask()
        let provider = try answer()
        #expect(first.events == ["head 200", "body", "finished"])
        // What it has to say of the settings.
        _ = try provider.hearBytes()
        return provider
    }

    @Test func `one that the provider's kernel has is not sent again`() throws {
        let provider = try kept()
        try provider.sayGoodbye()
        let second = try scene.ask()
        scene.engine.startWaiting()
        try scene.settle()
        #expect(second.events.isEmpty, "the FIN will tell")
        #expect(try !provider.lookQuietly().isEmpty, "the provider reads it")
        try provider.close(goodbye: false)
        #expect(second.events == ["failed: reset"])
        #expect(try scene.acceptsNothing())
    }

    @Test func `one that came too late goes out once more`() throws {
        let provider = try kept()
        provider.peer.sayGoodbye()
        try provider.leave()
        let second = try scene.ask()
        scene.engine.startWaiting()
        _ = try answer()
        #expect(second.events == ["repeats: stale_connection", "head 200", "body", "finished"])
    }

    @Test(arguments: [true, false]) func `a new connection that ends before it, too, has another made`(http2: Bool)
        throws
    {
        let scene = try Self.scene(http2: http2, directory)
        let hearer = try scene.ask()
        for _ in 0..<2 {
            let provider = try SecureWire(scene, TLSPeer(identity, protocol: http2 ? "h2" : nil))
            try scene.settle()
            #expect(try provider.lookQuietly().isEmpty)
            try provider.leave()
        }
        try scene.settle()
        #expect(hearer.events == ["repeats: stale_connection", "failed: reset"], "once more, and that is it")
        #expect(try scene.acceptsNothing())
    }

    @Test(arguments: [true, false]) func `an early connection that dies once a request has taken it has another made`(
        isLate: Bool
    ) throws {
        let scene = try Self.scene(http2: false, directory)
        scene.engine.connectEarly(to: scene.endpoint)
        let mute = try scene.accept()
        try scene.settle()
        if isLate { scene.clock.turn(seconds: 9.9) }
        let hearer = try scene.ask()
        try scene.settle()
        if isLate { scene.clock.turn(seconds: 0.2) } else { mute.close() }
        let provider = try SecureWire(scene, TLSPeer(identity, protocol: nil))
        #expect(try provider.shake().contains("HTTP/1.1") && hearer.events.isEmpty)
        try provider.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell")
        #expect(hearer.events == ["head 200", "body", "finished"])
    }

    @Test func `no FIN is waited for longer than a second, and meanwhile others go elsewhere`() throws {
        let provider = try kept()
        try provider.sayGoodbye()
        let second = try scene.ask()
        scene.engine.startWaiting()
        try scene.settle()
        let third = try scene.ask()
        _ = try answer()
        #expect(third.events == ["head 200", "body", "finished"])
        #expect(second.events.isEmpty)
        scene.clock.turn(seconds: 1)
        try scene.settle()
        #expect(second.events == ["failed: reset"])
    }
}
