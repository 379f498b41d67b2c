// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import TLS
import TestSupport
import Testing

@testable import MenshenUpstream

/// The provider's end of a connection that is secured. Each step lets the engine do what it can.
final class SecureWire {
    let peer: TLSPeer
    private let wire: Wire
    private let scene: Scene

    init(_ scene: Scene, _ peer: TLSPeer) throws {
        self.scene = scene
        self.peer = peer
        wire = try scene.accept()
    }

    /// What has come since.
    @discardableResult
    func hear() throws -> String { String(decoding: try hearBytes(), as: UTF8.self) }

    func hearBytes() throws -> [UInt8] {
        try scene.settle()
        let heard = peer.take(try wire.read())
        try answer()
        return heard
    }

    private func answer() throws {
        try wire.write(peer.records())
        try scene.settle()
    }

    /// The handshake with what comes right behind it.
    func shake() throws -> String {
        try hear()
        return try hear()
    }

    func say(_ text: String) throws {
        peer.say(Array(text.utf8))
        try answer()
    }

    /// Records that are cut in pieces.
    func say(_ bytes: [UInt8], piece: Int) throws {
        peer.say(bytes)
        var records = peer.records()[...]
        while !records.isEmpty {
            try wire.write(Array(records.prefix(piece)))
            records = records.dropFirst(piece)
            try scene.settle()
        }
    }

    /// Reaches the other side's kernel, and nobody looks yet.
    func sayGoodbye() throws {
        peer.sayGoodbye()
        try wire.write(peer.records())
    }

    /// With what there is to say, and without a look at what has come.
    func leave() throws {
        try wire.write(peer.records())
        wire.close()
    }

    /// What has reached the kernel here, while the other side does nothing.
    func lookQuietly() throws -> [UInt8] { peer.take(try wire.read()) }

    func close(goodbye: Bool) throws {
        if goodbye { peer.sayGoodbye() }
        try answer()
        wire.close()
        try scene.settle()
    }
}

/// Transfers over TLS: what is different from a plain connection.
struct SecureLinkTests {
    private let authority: TestAuthority
    private let identity: TestAuthority.Identity
    private let scene: Scene
    private let directory: TemporaryDirectory
    private static let whole = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"

    init() throws {
        let directory = try TemporaryDirectory()
        let authority = try TestAuthority()
        try authority.write(to: directory.path("ca.pem"))
        identity = try authority.sign("DNS:provider")
        self.directory = directory
        self.authority = authority
        scene = try Scene { settings in
            settings.url = "https://provider"
            settings.tls = TLSClient(TLSFiles(authorities: directory.path("ca.pem")))
        }
    }

    private func ask(_ body: TransferBody = .whole([1, 2, 3])) throws -> Hearer {
        let hearer = Hearer()
        _ = try scene.ask(.post, "/v1/chat", body, hearer)
        return hearer
    }

    @Test func `a request goes out behind the handshake, and the connection serves the next`() throws {
        let first = try ask()
        let provider = try SecureWire(scene, TLSPeer(identity))
        #expect(try provider.shake().hasPrefix("POST /v1/chat HTTP/1.1\r\nHost: provider\r\n"))
        #expect(provider.peer.askedName == "provider")
        try provider.say(Self.whole)
        #expect(first.events == ["head 200", "body", "finished"] && first.text == "well")
        // Tickets and new keys between requests are nobody's business.
        provider.peer.changeKeys()
        try provider.say("")
        let second = try ask()
        #expect(try provider.hear().hasPrefix("POST /v1/chat"))
        try provider.say(Self.whole)
        #expect(second.isOver && second.text == "well")
        #expect(try scene.acceptsNothing())
    }

    @Test(arguments: [true, false])
    func `a warm one has its handshake behind it, or a request that comes meanwhile takes it`(isUp: Bool) throws {
        let scene = try Scene { settings in
            settings.url = "https://provider"
            settings.tls = TLSClient(TLSFiles(authorities: directory.path("ca.pem")))
            settings.keepsWarm = true
        }
        let first = Hearer()
        _ = try scene.ask(.post, "/v1/chat", .whole([1]), first)
        let old = try SecureWire(scene, TLSPeer(identity))
        _ = try old.shake()
        try old.say(Self.whole)
        try old.close(goodbye: true)
        let warm = try SecureWire(scene, TLSPeer(identity))
        if isUp {
            #expect(try warm.shake().isEmpty, "no request")
            // Tickets come unasked.
            warm.peer.changeKeys()
            try warm.say("")
        }
        let second = Hearer()
        _ = try scene.ask(.post, "/v1/chat", .whole([1]), second)
        #expect(try (isUp ? warm.hear() : warm.shake()).hasPrefix("POST /v1/chat"))
        try warm.say(Self.whole)
        #expect(second.isOver && second.text == "well")
        #expect(try scene.acceptsNothing())
    }

    @Test func `what is said unasked ends a connection that waits`() throws {
        let first = try ask()
        let provider = try SecureWire(scene, TLSPeer(identity))
        _ = try provider.shake()
        try provider.say(Self.whole)
        #expect(first.isOver)
        try provider.say("HTTP/1.1 200 OK\r\n")
        _ = try ask()
        _ = try SecureWire(scene, TLSPeer(identity)).shake()
    }

    @Test(arguments: [(true, "finished"), (false, "failed: truncated")])
    func `an answer that the connection's end delimits needs a goodbye`(goodbye: Bool, end: String) throws {
        let hearer = try ask()
        let provider = try SecureWire(scene, TLSPeer(identity))
        _ = try provider.shake()
        try provider.say("HTTP/1.1 200 OK\r\n\r\nall of it")
        try provider.close(goodbye: goodbye)
        #expect(hearer.text == "all of it" && hearer.events.last == end)
    }

    @Test(arguments: [true, false])
    func `one with a length needs none`(goodbye: Bool) throws {
        let hearer = try ask()
        let provider = try SecureWire(scene, TLSPeer(identity))
        _ = try provider.shake()
        try provider.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall of ")
        try provider.say("it")
        try provider.close(goodbye: goodbye)
        #expect(hearer.text == "all of it" && hearer.failure == nil && hearer.isOver)
    }

    @Test(arguments: [1, 3, 1000, 20_000])
    func `a receiver that takes no more gets the rest when it does, in order`(piece: Int) throws {
        let hearer = try ask()
        let provider = try SecureWire(scene, TLSPeer(identity))
        _ = try provider.shake()
        let text = (0..<60_000).map { UInt8(truncatingIfNeeded: $0 / 251) }
        try provider.say("HTTP/1.1 200 OK\r\nContent-Length: \(text.count)\r\n\r\n")
        hearer.takesBody = false
        try provider.say(Array(text.prefix(2000)), piece: piece)
        #expect(hearer.body.isEmpty)
        hearer.takesBody = true
        hearer.transfer?.resume()
        try provider.say(Array(text.dropFirst(2000)), piece: max(piece, 500))
        #expect(hearer.body == text && hearer.events.last == "finished")
    }

    @Test func `what has been decrypted waits for room`() throws {
        let hearer = try ask()
        let provider = try SecureWire(scene, TLSPeer(identity))
        _ = try provider.shake()
        scene.engine.asksForRoom = true
        hearer.room = 10
        let text = (0..<40_000).map { UInt8(truncatingIfNeeded: $0) }
        try provider.say("HTTP/1.1 200 OK\r\nContent-Length: \(text.count)\r\n\r\n")
        hearer.onEvent = { [unowned hearer] _ in hearer.room = hearer.body.count < 5000 ? 10 : 0 }
        try provider.say(text, piece: 17_000)
        try scene.until("5,000 bytes") { hearer.body.count >= 5000 ? true : nil }
        try scene.settle()
        #expect(hearer.body.count < 5010 && !hearer.isOver)
        hearer.onEvent = nil
        hearer.room = 1000
        hearer.transfer?.resume()
        try scene.until("the rest") { hearer.isOver ? true : nil }
        #expect(hearer.body == text && hearer.failure == nil)
    }

    @Test func `a body that the provider reads slowly waits as records, and arrives`() throws {
        let body = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let hearer = try ask(.whole(body))
        let provider = try SecureWire(scene, TLSPeer(identity))
        try provider.hear()
        var heard: [UInt8] = []
        while !heard.suffix(body.count).elementsEqual(body) { heard += try provider.hearBytes() }
        try provider.say(Self.whole)
        #expect(hearer.isOver && hearer.failure == nil)
    }

    @Test func `what came before a connection broke is told, with records still waiting to go out`() throws {
        let body = [UInt8](repeating: 7, count: 3_000_000)
        let hearer = try ask(.whole(body))
        let provider = try SecureWire(scene, TLSPeer(identity))
        _ = try provider.shake()
        try provider.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall ")
        hearer.takesBody = false
        try provider.say("of ")
        try provider.close(goodbye: false)
        try scene.settle()
        hearer.takesBody = true
        hearer.transfer?.resume()
        try scene.until("its end") { hearer.isOver ? true : nil }
        #expect(hearer.failure?.reason == .truncated)
    }

    @Test func `authorities that cannot be read are told as TLS's fault, over HTTP 2 too`() throws {
        for http2 in [false, true] {
            let scene = try Scene(http2: http2) { settings in
                settings.url = "https://provider"
                settings.tls = TLSClient(TLSFiles(authorities: "/nowhere/ca.pem"))
            }
            let hearer = Hearer()
            _ = try scene.ask(.post, "/", .whole([1]), hearer)
            try scene.until("its end") { hearer.isOver ? true : nil }
            #expect(hearer.failure?.reason == .tls && hearer.failure?.detail.contains("/nowhere/ca.pem") == true)
        }
    }

    private func heads(_ wire: SecureWire, _ peer: FramePeer) throws -> Int {
        try peer.read(wire.hearBytes()).count { $0.kind == .headers }
    }

    @Test func `one of several connections that cannot be made costs nobody who may go by another`() throws {
        let scene = try Scene(http2: true) { settings in
            settings.url = "https://provider"
            settings.tls = TLSClient(TLSFiles(authorities: directory.path("ca.pem")))
        }
        let first = try scene.ask()
        let (busy, frames) = try (SecureWire(scene, TLSPeer(identity, protocol: "h2")), FramePeer())
        try busy.hear()
        #expect(try heads(busy, frames) == 1)
        frames.settings(streams: 1)
        try busy.say(frames.take(), piece: 1000)
        let others = [try scene.ask(), try scene.ask()]
        let broken = try scene.accept()
        let (good, more) = try (SecureWire(scene, TLSPeer(identity, protocol: "h2")), FramePeer())
        broken.close()
        try scene.settle()
        #expect(others.map { $0.isOver } == [false, false], "another is on its way")
        try good.hear()
        #expect(try heads(good, more) == 1)
        // That leaves one, for whom the last attempt is made.
        try scene.accept().close()
        try scene.settle()
        #expect(others.map(\.failure?.reason) == [nil, .tls] && !first.isOver)
    }

    @Test func `a handshake that does not end is a connection that was not made in time`() throws {
        let hearer = try ask()
        let provider = try scene.accept()
        try scene.settle()
        _ = try provider.read()
        try scene.passConnectTimeout(hearer)
    }

    @Test func `a certificate for somebody else, and a connection that ends, are faults of TLS`() throws {
        let first = try ask()
        let provider = try SecureWire(scene, TLSPeer(authority.sign("DNS:other")))
        try provider.hear()
        #expect(first.failure?.reason == .tls)
        #expect(first.failure?.detail.contains("other, not for provider") == true)
        let second = try ask()
        let wire = try scene.accept()
        try scene.settle()
        wire.close()
        try scene.settle()
        #expect(second.failure?.reason == .tls && second.failure?.detail.contains("handshake") == true)
    }

    @Test func `a caller that leaves in the middle of a handshake leaves nothing behind`() throws {
        let hearer = try ask()
        let wire = try scene.accept()
        try scene.settle()
        hearer.transfer?.cancel()
        hearer.transfer = nil
        try wire.waitForEnd()
        scene.clock.turn(seconds: 20)
        try scene.settle()
        #expect(hearer.events.isEmpty)
    }
}
