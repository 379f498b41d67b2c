// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import TestSupport
import Testing

@testable import MenshenUpstream

/// Providers that do not want HTTP/2: all of them, or for a request.
struct HTTP2FallbackTests {
    private static let whole = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"

    @Test func `a head that nghttp2 does not send fails, and goes round in no circle`() throws {
        let scene = try Scene(http2: true)
        let hearer = Hearer()
        let transfer = try scene.engine.transfer(to: scene.endpoint)
        let large = [UInt8](repeating: 97, count: 70_000)
        large.withUnsafeBytes { transfer.headers.addHeader(name: "x-large", $0) }
        try transfer.start(method: .get, target: Array("/".utf8) + [0], body: .none, receiver: hearer)
        hearer.transfer = transfer
        _ = try HTTP2Provider(scene)
        _ = try HTTP2Provider(scene)
        try scene.untilOver(hearer)
        #expect(hearer.events.count { $0.hasPrefix("repeats") } == 1 && hearer.failure != nil)
    }

    @Test func `a refused request goes out again over HTTP 1 as that has it`() throws {
        let scene = try Scene(http2: true)
        let hearer = try scene.ask()
        let provider = try HTTP2Provider(scene)
        let stream = try #require(try provider.streams().first)
        scene.endpoint.http2?.isAgreed = { _ in false }
        provider.peer.reset(stream, 7)
        try provider.push()
        let wire = try scene.accept()
        try scene.settle()
        let head = try wire.request()
        #expect(head.hasPrefix("POST /v1/chat HTTP/1.1\r\nHost: provider\r\n"), "\(head)")
        #expect(!head.contains("\n:") && head.lowercased().split(separator: "content-length:").count == 2, "\(head)")
        try wire.write(Self.whole)
        try scene.untilOver(hearer)
        #expect(hearer.failure == nil && hearer.text == "well")
    }

    @Test(arguments: [false, true])
    func `a provider that wants HTTP 1 for one request gets it for all that follow`(isGoAway: Bool) throws {
        let scene = try Scene(http2: true)
        let (first, second) = (try scene.ask(), try scene.ask())
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams(2)
        if isGoAway { provider.peer.goAway(last: 1, 13) } else { provider.peer.reset(3, 13) }
        try provider.push()
        let wire = try scene.accept()
        try scene.settle()
        let head = try wire.request()
        #expect(
            head.hasPrefix("POST /v1/chat HTTP/1.1\r\nHost: provider\r\n") && head.contains("Bearer key"), "\(head)")
        try wire.write(Self.whole)
        try scene.untilOver(second)
        #expect(second.events == ["repeats: http_1_1_required", "head 200", "body", "finished"])
        try provider.answer(1)
        #expect(first.events == ["head 200", "body", "finished"], "it ends where it is")
        _ = try provider.look()
        #expect(provider.hasEnded, "nobody will use it")
        scene.clock.turn(seconds: 36_000)
        try scene.settle()
        let third = try scene.ask()
        let other = try scene.accept()
        try scene.settle()
        #expect(try other.request().hasPrefix("POST /v1/chat HTTP/1.1\r\n"))
        try other.write(Self.whole)
        try scene.untilOver(third)
        #expect(third.failure == nil)
    }

    @Test func `what cannot be sent again over HTTP 1 fails by its own name, and the next goes there`() throws {
        let scene = try Scene(http2: true)
        let upload = try scene.ask("POST", .streamed(length: nil))
        _ = [UInt8](repeating: 7, count: 100).withUnsafeBytes { upload.transfer?.send($0) }
        let begun = try scene.ask()
        let provider = try HTTP2Provider(scene)
        _ = try provider.streams(2)
        provider.peer.head(3)
        provider.peer.reset(1, 13)
        provider.peer.reset(3, 13)
        try provider.push()
        #expect(upload.events == ["failed: http_1_1_required"])
        #expect(begun.events == ["head 200", "failed: truncated"])
        let next = try scene.ask()
        let wire = try scene.accept()
        try scene.settle()
        #expect(try wire.request().hasPrefix("POST /v1/chat HTTP/1.1\r\n"))
        try wire.write(Self.whole)
        try scene.untilOver(next)
    }

    @Test func `where the provider speaks HTTP 1 alone, all that wait go on with that`() throws {
        let scene = try Scene(http2: true)
        scene.endpoint.http2?.isAgreed = { _ in false }
        let (first, second) = (try scene.ask(), try scene.ask("POST", .streamed(length: nil)))
        let outer = try #require(first.transfer)
        _ = [UInt8](repeating: 7, count: 3).withUnsafeBytes { second.transfer?.send($0) }
        let made = try scene.accept()
        try scene.settle()
        #expect(
            try made.request()
                == "POST /v1/chat HTTP/1.1\r\nHost: provider\r\nAuthorization: Bearer key\r\nContent-Length: 3\r\n\r\n")
        let other = try scene.accept()
        try scene.settle()
        _ = [UInt8](repeating: 8, count: 2).withUnsafeBytes { second.transfer?.send($0) }
        second.transfer?.endBody()
        try scene.settle()
        let head = try other.request(body: 0)
        #expect(head.hasSuffix("Transfer-Encoding: chunked\r\n\r\n") && head.contains("Authorization: Bearer key\r\n"))
        #expect(try other.read(exactly: 20) == Array("3\r\n\u{7}\u{7}\u{7}\r\n2\r\n\u{8}\u{8}\r\n0\r\n\r\n".utf8))
        first.onEvent = { if $0 == "head 200" { #expect(outer.head.status == 200) } }
        try made.write(Self.whole)
        try other.write(Self.whole)
        try scene.until("their ends") { first.isOver && second.isOver ? true : nil }
        #expect(first.events == ["head 200", "body", "finished"] && second.events == first.events)
        // For ten minutes that is known.
        #expect(try scene.engine.transfer(to: scene.endpoint) is HTTP1Transfer)
        scene.clock.turn(seconds: 601)
        try scene.settle()
        #expect(try scene.engine.transfer(to: scene.endpoint) is HTTP2Transfer)
    }

    @Test func `a pause and an end pass through to HTTP 1`() throws {
        let scene = try Scene(http2: true)
        scene.endpoint.http2?.isAgreed = { _ in false }
        let (first, second) = (try scene.ask(), try scene.ask())
        first.takesBody = false
        let made = try scene.accept()
        try scene.settle()
        _ = try made.request()
        try made.write(Self.whole)
        try scene.until("a refusal") { first.events.last == "refused 4" ? true : nil }
        first.takesBody = true
        first.transfer?.resume()
        try scene.untilOver(first)
        #expect(first.text == "well")
        let other = try scene.accept()
        try scene.settle()
        _ = try other.request()
        second.transfer?.cancel()
        try scene.settle()
        #expect(try other.read().isEmpty, "its connection is closed")
        #expect(second.events == [])
    }

    @Test func `an endpoint that goes takes its connections along`() throws {
        var scene: Scene? = try Scene(http2: true)
        let first = try scene?.ask()
        let provider = try HTTP2Provider(try #require(scene))
        _ = try provider.streams()
        try provider.answer(1)
        #expect(first?.isOver == true)
        weak let pool = scene?.endpoint.http2
        #expect(pool != nil)
        scene = nil
        _ = first
    }
}
