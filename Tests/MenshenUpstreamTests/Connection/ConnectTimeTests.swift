// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import TLS
import TestSupport
import Testing

@testable import MenshenUpstream

/// How long the making of a connection may take, by a clock that the test turns: libcurl's own timer would need ten seconds of
/// the real one. TLS's handshake is in `SecureLinkTests`.
struct ConnectTimeTests {
    enum Way: CaseIterable {
        case plain, secured, tunnelled, plainProxy, libcurl
    }

    /// Where nobody accepts.
    private let door: HeldPort
    /// Where nobody says anything.
    private let mute: HeldPort
    private let directory: TemporaryDirectory

    init() throws {
        door = try FreePort.silent()
        mute = try FreePort.listener()
        directory = try TemporaryDirectory()
        try TestAuthority().write(to: directory.path("ca.pem"))
    }

    private func scene(_ way: Way, http2: Bool = false, at door: HeldPort) throws -> Scene {
        try Scene(http2: http2) { settings in
            let address = "http://127.0.0.1:\(door.number)"
            settings.socketPath = nil
            switch way {
            case .plain, .libcurl: (settings.url, settings.plainURL) = (address, address)
            case .secured: settings.plainURL = address
            case .tunnelled, .plainProxy: settings.proxy = address
            }
            settings.usesLibcurl = way == .libcurl
            if way == .secured || way == .tunnelled {
                settings.tls = TLSClient(TLSFiles(authorities: directory.path("ca.pem")))
            }
        }
    }

    private func isGivenUpInTime(_ scene: Scene, _ body: TransferBody) throws {
        let hearer = Hearer()
        _ = try scene.ask(.post, "/v1/chat", body, hearer)
        try scene.passConnectTimeout(hearer)
        #expect(hearer.events == ["failed: connect_timeout"])
    }

    @Test(arguments: Way.allCases, [false, true])
    func `an address that never accepts is given up at connect_timeout`(way: Way, isStreamed: Bool) throws {
        try isGivenUpInTime(scene(way, at: door), isStreamed ? .streamed(length: nil) : .whole([1, 2, 3]))
    }

    @Test func `so is one over which HTTP/2 was to be spoken, and a proxy that says nothing to CONNECT`() throws {
        try isGivenUpInTime(scene(.secured, http2: true, at: door), .whole([1]))
        try isGivenUpInTime(scene(.tunnelled, at: mute), .whole([1]))
    }

    @Test(arguments: [false, true])
    func `a connection that is there is not measured by it any more`(usesLibcurl: Bool) throws {
        let scene = try Scene { $0.usesLibcurl = usesLibcurl }
        let hearer = Hearer()
        _ = try scene.ask(.post, "/v1/chat", .whole([1, 2, 3]), hearer)
        let provider = try scene.accept()
        try scene.settle()
        scene.clock.turn(seconds: 20)
        try scene.settle()
        #expect(!hearer.isOver)
        _ = try provider.request()
        try provider.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell")
        try scene.until("the answer") { hearer.isOver ? true : nil }
        #expect(hearer.text == "well" && hearer.failure == nil)
    }

    @Test(arguments: Way.allCases)
    func `a caller that leaves before there is a connection leaves nothing behind`(way: Way) throws {
        let scene = try scene(way, at: door)
        let hearer = Hearer()
        _ = try scene.ask(.post, "/v1/chat", .whole([1, 2, 3]), hearer)
        try scene.settle()
        hearer.transfer?.cancel()
        hearer.transfer = nil
        scene.clock.turn(seconds: 20)
        try scene.settle()
        #expect(hearer.events.isEmpty)
    }
}
