// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

@testable import MenshenUpstream

struct SendBufferTests {
    private func text(_ buffer: SendBuffer) -> String? { buffer.next.map { String(decoding: $0, as: UTF8.self) } }

    private func append(_ text: String, to buffer: SendBuffer) {
        Array(text.utf8).withUnsafeBytes { buffer.append($0) }
    }

    @Test func `what is put before stands before`() {
        let buffer = SendBuffer(capacity: 8)
        append("Host: a\r\n", to: buffer)
        "GET / ".utf8.withContiguousStorageIfAvailable { start in
            "HTTP/1.1\r\n".utf8.withContiguousStorageIfAvailable {
                buffer.prepend(UnsafeRawBufferPointer(start), UnsafeRawBufferPointer($0))
            }
        }
        buffer.append(decimal: 42)
        buffer.append(hexadecimal: 255)
        #expect(text(buffer) == "GET / HTTP/1.1\r\nHost: a\r\n42ff")
    }

    @Test func `what was sent can be sent again until something else comes`() {
        let buffer = SendBuffer(capacity: 8)
        append("abcdef", to: buffer)
        buffer.sent(4)
        #expect(text(buffer) == "ef")
        buffer.sent(2)
        #expect(buffer.isEmpty && buffer.next == nil)
        buffer.rewind()
        #expect(text(buffer) == "abcdef")
        buffer.sent(6)
        append("next", to: buffer)
        #expect(text(buffer) == "next" && buffer.count == 4)
    }

    @Test func `a write that would have blocked is tried again with the same bytes`() {
        let buffer = SendBuffer(capacity: 8)
        #expect(Array("abcd".utf8).withUnsafeBytes { buffer.take($0) } == 4)
        buffer.wouldBlock()
        #expect(Array("efghij".utf8).withUnsafeBytes { buffer.take($0) } == 4, "as much as there is room for")
        #expect(text(buffer) == "abcd")
        buffer.sent(4)
        #expect(text(buffer) == "efgh")
        #expect(Array("ijkl".utf8).withUnsafeBytes { buffer.take($0) } == 4, "what was sent makes room")
        #expect(text(buffer) == "efghijkl")
    }

    @Test func `pieces of any length come out as they went in`() {
        let seed = UInt64.random(in: 1 ... .max)
        print("pieces through a buffer: seed \(seed)")
        var state = seed
        func random(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        let buffer = SendBuffer(capacity: 64)
        var waiting: [UInt8] = []
        for step in 0..<20_000 {
            if random(2) == 0 {
                let piece = (0..<random(200)).map { UInt8(truncatingIfNeeded: step &+ $0) }
                piece.withUnsafeBytes { buffer.append($0) }
                waiting += piece
            } else {
                let count = random(buffer.count + 1)
                guard Array(buffer.next ?? UnsafeRawBufferPointer(start: nil, count: 0)) == waiting else {
                    Issue.record("seed \(seed), step \(step)")
                    return
                }
                buffer.sent(count)
                waiting.removeFirst(count)
            }
        }
    }

    @Test func `what holds no memory takes as much as before`() {
        let buffer = SendBuffer(capacity: 8)
        append("a key", to: buffer)
        buffer.release()
        #expect(buffer.isEmpty && buffer.next == nil)
        buffer.release()
        append("body", to: buffer)
        Array("head: ".utf8).withUnsafeBytes { buffer.prepend($0) }
        #expect(text(buffer) == "head: body")
        buffer.wipe()
        #expect(buffer.isEmpty)
    }

    @Test func `wiped, it holds nothing`() {
        let buffer = SendBuffer(capacity: 8)
        append("a key that must not stay", to: buffer)
        buffer.wipe()
        #expect(buffer.isEmpty && buffer.next == nil)
        #expect(Array("12345678901".utf8).withUnsafeBytes { buffer.take($0) } <= 16)
    }
}
