// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import Testing

@testable import MenshenDaemon

/// The small values that a connection and its worker are made of.
struct ConnectionPartsTests {
    private func append(_ text: String, _ input: inout ConnectionInput) {
        Array(text.utf8).withUnsafeBytes { input.append($0) }
    }

    private func unread(_ input: ConnectionInput) -> String {
        input.withUnread { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `input is taken from its front, and is there until then`() {
        var input = ConnectionInput()
        #expect(input.isEmpty && input.unread == 0)
        append("abcdef", &input)
        input.take(2)
        #expect(unread(input) == "cdef" && input.unread == 4 && !input.isEmpty)
        append("gh", &input)
        input.take(3)
        #expect(unread(input) == "fgh")
        input.take(3)
        #expect(input.isEmpty)
        append("ij", &input)
        input.drop()
        input.take(2)
        #expect(input.isEmpty && input.unread == 0, "what was dropped meanwhile is not taken twice")
    }

    @Test func `a connection begins 16 requests a turn`() {
        var place = TurnPlace()
        for turn in [7, 8] as [UInt64] {
            for _ in 0..<16 { #expect(place.mayBegin(in: turn) == true) }
            #expect(place.mayBegin(in: turn) == false)
        }
    }

    @Test func `a pause of ours is not the caller's delay`() {
        var times = ConnectionTimes(waitingSince: 0)
        times.bodyBegins(until: 1000)
        #expect(times.bodyWait(at: 100, 300) == 300 && times.bodyWait(at: 900, 300) == 100)
        times.pause(at: 900)
        times.resume(at: 1900)
        #expect(!times.isBodyLate(at: 1900) && times.bodyWait(at: 1900, 300) == 100)
        #expect(times.isBodyLate(at: 2000) && times.bodyWait(at: 2100, 300) == 0)
    }

    @Test func `memory of output goes round, and large output is let go`() {
        let buffers = Buffers()
        var output: [UInt8] = []
        buffers.prepare(&output)
        #expect(output.capacity == 0)
        output.reserveCapacity(1 << 10)
        output.append(1)
        buffers.recycle(&output)
        #expect(output.capacity == 0)
        buffers.prepare(&output)
        #expect(output.isEmpty && output.capacity >= 1 << 10)
        output.reserveCapacity(1 << 20)
        buffers.recycle(&output)
        buffers.prepare(&output)
        #expect(output.capacity == 0)
    }

    @Test func `one caller has half of the bodies' memory, the next half of the rest`() {
        var budget = BodyBudget()
        budget.limit = 1000
        #expect(budget.take(500, for: "a") && !budget.take(1, for: "a"))
        #expect(budget.take(250, for: "b") && !budget.take(1, for: "b"))
        #expect(budget.take(125, for: "c") == true)
        budget.give(500, of: "a")
        #expect(budget.take(300, for: "a") && !budget.take(300, for: "a"))
        budget.give(300, of: "a")
        budget.give(250, of: "b")
        budget.give(125, of: "c")
        #expect(budget.take(500, for: "d") == true)
    }

    @Test func `a target is taken apart once, and one with a query is not kept`() throws {
        func head(_ target: String) throws -> RequestHead {
            var parser = RequestParser()
            let bytes = Array("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
            guard case .head(let head, _) = try parser.parse(bytes.span, limit: 1 << 20) else { throw Incomplete() }
            return head
        }
        var cache = TargetCache()
        let routes = RouteTable(providers: [])
        let first = try #require(cache.resolve(try head("/v1/chat/completions"), routes))
        #expect(cache.resolve(try head("/v1/chat/completions"), routes) === first)
        #expect(first.operation == .chat && first.dialect == .openai)
        #expect(cache.resolve(try head("/v1/messages"), routes)?.dialect == .anthropic)
        let asked = try #require(cache.resolve(try head("/v1/models?key=secret"), routes))
        #expect(cache.resolve(try head("/v1/models?key=secret"), routes) !== asked)
        #expect(cache.resolve(try head("/v1/../admin"), routes) == nil)
        for number in 0..<300 { _ = cache.resolve(try head("/v1/files/\(number)"), routes) }
        #expect(cache.resolve(try head("/v1/chat/completions"), routes) !== first, "it does not grow without bound")
    }

    private struct Incomplete: Error {}
}
