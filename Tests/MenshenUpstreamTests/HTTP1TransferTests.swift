// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import TestSupport
import Testing

@testable import MenshenUpstream

/// Requests over plain HTTP/1.1, and the connections and transfers that serve one after the other.
struct HTTP1TransferTests {
    private static let whole = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"

    @Test func `the next request takes the same connection and the same transfer`() throws {
        let scene = try Scene()
        let first = Hearer()
        let transfer = try scene.ask(.post, "/v1/chat", .whole([1, 2, 3]), first)
        let provider = try scene.accept()
        try scene.settle()
        let head = try provider.request()
        #expect(
            head
                == "POST /v1/chat HTTP/1.1\r\nHost: provider\r\nAuthorization: Bearer key\r\nContent-Length: 3\r\n\r\n")
        try provider.write(Self.whole)
        try scene.until { first.isOver ? true : nil }
        #expect(first.events == ["head 200", "body", "finished"] && first.text == "well")
        let second = Hearer()
        #expect(try scene.ask(.get, "/v1/models", .none, second) === transfer)
        try scene.settle()
        #expect(try provider.request(body: 0).hasPrefix("GET /v1/models HTTP/1.1\r\n"))
        try provider.write(Self.whole)
        try scene.until { second.isOver ? true : nil }
        #expect(second.text == "well")
        #expect(try scene.acceptsNothing())
    }

    @Test(arguments: [
        ("Connection: close\r\nContent-Length: 4\r\n\r\nwell", "finished"),
        ("Content-Length: 4\r\n\r\nwellmore", "finished"), ("Content-Length: x\r\n\r\n", "failed: malformed"),
    ])
    func `a connection that cannot be trusted serves no second request`(answer: String, end: String) throws {
        let scene = try Scene()
        let first = Hearer()
        _ = try scene.ask(.post, "/", .whole([1, 2, 3]), first)
        let provider = try scene.accept()
        try scene.settle()
        try provider.write("HTTP/1.1 200 OK\r\n" + answer)
        try scene.until { first.isOver ? true : nil }
        #expect(first.events.last == end)
        let second = Hearer()
        _ = try scene.ask(.post, "/", .whole([1, 2, 3]), second)
        _ = try scene.accept()
    }

    @Test func `a kept connection is used again for 90 seconds`() throws {
        let scene = try Scene()
        var provider: Wire?
        for (pause, isNew) in [(0.0, true), (89.9, false), (90.1, true)] {
            scene.clock.turn(seconds: pause)
            let hearer = Hearer()
            _ = try scene.ask(.post, "/", .whole([1, 2, 3]), hearer)
            if isNew { provider = try scene.accept() }
            try scene.settle()
            _ = try provider?.request()
            try provider?.write(Self.whole)
            try scene.until("an answer after \(pause) s") { hearer.isOver ? true : nil }
            #expect(hearer.failure == nil)
        }
    }

    @Test func `a connection that ends while it is idle is let go of`() throws {
        let scene = try Scene()
        let first = Hearer()
        _ = try scene.ask(.post, "/", .whole([1, 2, 3]), first)
        let provider = try scene.accept()
        try scene.settle()
        try provider.write(Self.whole)
        try scene.until { first.isOver ? true : nil }
        provider.close()
        try scene.settle()
        let second = Hearer()
        _ = try scene.ask(.post, "/", .whole([1, 2, 3]), second)
        let next = try scene.accept()
        try scene.settle()
        _ = try next.request()
        #expect(second.events.isEmpty)
    }

    @Test func `a GET that meets the end of a kept connection goes out once more`() throws {
        let scene = try Scene()
        let first = Hearer()
        _ = try scene.ask(.get, "/", .none, first)
        let provider = try scene.accept()
        try scene.settle()
        _ = try provider.request(body: 0)
        try provider.write(Self.whole)
        try scene.until { first.isOver ? true : nil }
        let second = Hearer()
        _ = try scene.ask(.get, "/again", .none, second)
        scene.engine.startWaiting()
        // It has the request by now, and goes without a word.
        _ = try provider.request(body: 0)
        provider.close()
        let next = try scene.accept()
        try scene.settle()
        #expect(try next.request(body: 0).hasPrefix("GET /again "))
        try next.write(Self.whole)
        try scene.until { second.isOver ? true : nil }
        #expect(second.events == ["repeats: stale_connection", "head 200", "body", "finished"])
    }

    @Test func `what a pause holds back comes again, and then what follows`() throws {
        let scene = try Scene()
        let hearer = Hearer()
        hearer.takesBody = false
        let transfer = try scene.ask(.post, "/", .whole([1, 2, 3]), hearer)
        let provider = try scene.accept()
        try scene.settle()
        try provider.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nwe\r\n2\r\nll\r\n")
        try scene.until { hearer.events.last == "refused 2" ? true : nil }
        try provider.write("0\r\n\r\n")
        try scene.settle()
        hearer.takesBody = true
        transfer.resume()
        transfer.resume()
        try scene.until { hearer.isOver ? true : nil }
        #expect(hearer.text == "well" && hearer.failure == nil)
    }

    @Test func `where memory is short, no more is read than there is room for`() throws {
        let scene = try Scene()
        scene.engine.asksForRoom = true
        let hearer = Hearer()
        hearer.room = 100
        _ = try scene.ask(.get, "/", .none, hearer)
        let provider = try scene.accept()
        try scene.settle()
        let text = String(repeating: "x", count: 2_000)
        try provider.write("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + text)
        try scene.until { hearer.isOver ? true : nil }
        #expect(hearer.text == text && hearer.failure == nil)
        #expect(hearer.events.count { $0 == "body" } >= 20)
    }

    @Test(arguments: [true, false])
    func `without room nothing is read, and the provider is not late`(hasHead: Bool) throws {
        let scene = try Scene()
        scene.engine.asksForRoom = true
        let hearer = Hearer()
        hearer.room = hasHead ? .max : 0
        let transfer = try scene.ask(.get, "/", .none, hearer)
        let provider = try scene.accept()
        try scene.settle()
        if hasHead {
            try provider.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
            try scene.until { hearer.events.isEmpty ? nil : true }
            hearer.room = 0
            try provider.write("well")
        } else {
            try provider.write(Self.whole)
        }
        try scene.settle()
        scene.clock.turn(seconds: 3600)
        try scene.settle()
        #expect(hearer.events == (hasHead ? ["head 200"] : []))
        hearer.room = .max
        transfer.resume()
        try scene.until { hearer.isOver ? true : nil }
        #expect(hearer.text == "well" && hearer.failure == nil)
    }

    @Test(arguments: ["head 200", "body", "interim 103"])
    func `a receiver may give up from any call, and hears no more`(event: String) throws {
        let scene = try Scene()
        let hearer = Hearer()
        let transfer = try scene.ask(.post, "/", .whole([1, 2, 3]), hearer)
        hearer.onEvent = { if $0 == event { transfer.cancel() } }
        let provider = try scene.accept()
        try scene.settle()
        _ = try provider.request()
        try provider.write("HTTP/1.1 103 Early Hints\r\n\r\n" + Self.whole)
        try scene.until { hearer.events.last == event ? true : nil }
        try scene.settle()
        #expect(hearer.events.last == event)
        #expect(try provider.read().isEmpty, "its connection is closed")
        #expect(try scene.engine.transfer(to: scene.endpoint) === transfer, "and it is there for the next request")
    }

    @Test func `a request that is given up in its own turn reaches nobody`() throws {
        let scene = try Scene()
        let hearer = Hearer()
        try scene.ask(.post, "/", .whole([1, 2, 3]), hearer).cancel()
        #expect(try scene.acceptsNothing())
        #expect(hearer.events.isEmpty)
    }

    @Test func `a provider that does not take an upload holds its caller back until it does`() throws {
        let scene = try Scene()
        let hearer = Hearer()
        let transfer = try scene.ask(.post, "/", .streamed(length: nil), hearer)
        let provider = try scene.accept()
        try scene.settle()
        let piece = [UInt8](repeating: 7, count: 64 << 10)
        var pieces = 0
        while piece.withUnsafeBytes({ transfer.send($0) }) { pieces += 1 }
        #expect(pieces < 64)
        var head = try #require(try provider.read(through: "\r\n\r\n"))
        try scene.until("room") {
            head = try provider.read()
            return hearer.events.last == "wants body" && !head.isEmpty ? true : nil
        }
        transfer.endBody()
        try provider.write(Self.whole)
        try scene.until { hearer.isOver ? true : nil }
        #expect(hearer.failure == nil)
    }
}
