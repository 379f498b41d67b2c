// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import Reactor
import TestSupport
import Testing

@testable import MenshenUpstream

/// How long a provider is waited for, by a clock that the test turns.
struct PatienceTests {
    private func isOver(_ hearer: Hearer, after seconds: Double, _ scene: Scene) throws -> Bool {
        scene.clock.turn(seconds: seconds)
        try scene.settle()
        return hearer.isOver
    }

    @Test func `the answer has to begin within first_byte_timeout of the request's last byte`() throws {
        let scene = try Scene()
        let hearer = Hearer()
        _ = try scene.ask(.post, "/", .whole([1, 2, 3]), hearer)
        let provider = try scene.accept()
        defer { provider.close() }
        #expect(try !isOver(hearer, after: 599.9, scene))
        #expect(try isOver(hearer, after: 0.2, scene))
        #expect(hearer.failure?.reason == .firstByteTimeout)
    }

    @Test func `an upload that its caller has not ended is not the provider's delay`() throws {
        let scene = try Scene()
        let hearer = Hearer()
        let transfer = try scene.ask(.post, "/", .streamed(length: 3), hearer)
        let provider = try scene.accept()
        defer { provider.close() }
        try scene.settle()
        #expect(try !isOver(hearer, after: 7200, scene))
        transfer.endBody()
        #expect(try !isOver(hearer, after: 599, scene))
        #expect(try isOver(hearer, after: 2, scene))
    }

    @Test func `each piece of an answer has gap_timeout anew`() throws {
        let scene = try Scene()
        let hearer = Hearer()
        _ = try scene.ask(.post, "/", .whole([1, 2, 3]), hearer)
        let provider = try scene.accept()
        try scene.settle()
        try provider.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        for _ in 0..<5 {
            try provider.write("x")
            try scene.settle()
            #expect(try !isOver(hearer, after: 299, scene))
        }
        #expect(try isOver(hearer, after: 2, scene))
        #expect(hearer.failure?.reason == .gapTimeout && hearer.text == "xxxxx")
    }

    @Test func `a slow caller does not make its provider late`() throws {
        let scene = try Scene()
        let hearer = Hearer()
        hearer.takesBody = false
        let transfer = try scene.ask(.post, "/", .whole([1, 2, 3]), hearer)
        let provider = try scene.accept()
        try scene.settle()
        try provider.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx")
        try scene.until { hearer.events.last == "refused 1" ? true : nil }
        #expect(try !isOver(hearer, after: 36_000, scene))
        hearer.takesBody = true
        transfer.resume()
        try scene.settle()
        #expect(hearer.text == "x")
        #expect(try !isOver(hearer, after: 299, scene))
        #expect(try isOver(hearer, after: 2, scene))
    }

    @Test func `total_timeout ends what goes on all the time`() throws {
        let scene = try Scene { $0.totalTimeout = 1_000_000_000 }
        let hearer = Hearer()
        _ = try scene.ask(.post, "/", .whole([1, 2, 3]), hearer)
        let provider = try scene.accept()
        try scene.settle()
        try provider.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        for second in stride(from: 0, to: 990, by: 110) {
            try provider.write("x")
            try scene.settle()
            #expect(try !isOver(hearer, after: 110, scene), "after \(second + 110) s")
        }
        #expect(try isOver(hearer, after: 11, scene))
        #expect(hearer.failure?.reason == .totalTimeout)
    }

    @Test func `what is over wakes the loop once at most, and for nothing`() throws {
        let scene = try Scene()
        let hearer = Hearer()
        _ = try scene.ask(.post, "/", .whole([1, 2, 3]), hearer)
        let provider = try scene.accept()
        try scene.settle()
        try provider.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        try scene.until { hearer.isOver ? true : nil }
        scene.clock.turn(seconds: 700)
        try scene.settle()
        #expect(hearer.events == ["head 200", "finished"])
        #expect(scene.reactor.timers.next == nil)
    }
}
