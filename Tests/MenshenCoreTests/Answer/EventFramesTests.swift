// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import Testing

/// Bedrock's binary event streams. Whole answers of each kind stand in the corpus; here it is about the frames.
@Suite struct EventFramesTests {
    /// The reference: bit by bit.
    private static func checksum(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var register: UInt32 = .max
        for byte in bytes {
            register ^= UInt32(byte)
            for _ in 0..<8 { register = register & 1 == 0 ? register >> 1 : register >> 1 ^ 0xEDB8_8320 }
        }
        return number(~register)
    }

    private static func number(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
    }

    private static func text(_ name: String, _ value: String) -> [UInt8] {
        [UInt8(name.utf8.count)] + Array(name.utf8) + [7, 0, UInt8(value.utf8.count)] + Array(value.utf8)
    }

    private static func frame(_ headers: [UInt8], _ payload: [UInt8]) -> [UInt8] {
        let start = number(UInt32(16 + headers.count + payload.count)) + number(UInt32(headers.count))
        let message = start + checksum(start) + headers + payload
        return message + checksum(message)
    }

    private static func event(_ type: String, _ payload: String) -> [UInt8] {
        frame(text(":event-type", type) + text(":message-type", "event"), Array(payload.utf8))
    }

    private static let stream = CorpusCase.all.filter { $0.name == "bedrock-converse/stream" }.map(\.body).first ?? []

    /// What comes out: kind, name and payload of each message, and whether anything was wrong.
    private struct Reading: Equatable {
        var messages: [String] = []
        var isCorrupt = false
        var isAtBoundary = false

        init(_ bytes: [UInt8], cuts: [Int] = []) {
            var frames = EventFrames()
            var payload: [UInt8] = []
            var from = 0
            for cut in cuts + [bytes.count] {
                let piece = bytes.span.extracting(from..<cut)
                var index = 0
                reading: while true {
                    switch frames.next(piece, &index) {
                    case .payload(let range): for place in range { payload.append(piece[place]) }
                    case .message:
                        messages.append(
                            "\(frames.kind) \(frames.name ?? "-") \(String(decoding: payload, as: UTF8.self))")
                        payload = []
                    case .more: break reading
                    case .corrupt:
                        isCorrupt = true
                        break reading
                    }
                }
                from = cut
            }
            isAtBoundary = frames.isAtBoundary
        }
    }

    @Test func `headers of every type are passed over, in any order`() {
        var headers = Self.text(":content-type", "application/json") + Self.text(":exception-type", "aException")
        let values: [(UInt8, [UInt8])] = [
            (0, []), (1, []), (2, [1]), (3, [1, 2]), (4, [1, 2, 3, 4]), (5, Array(1...8)), (6, [0, 2, 7, 7]),
            (8, Array(1...8)), (9, Array(1...16)),
        ]
        for (type, value) in values { headers += [2, 104, 48 + type, type] + value }
        headers += Self.text(":message-type", "exception")
        let bytes = Self.frame(headers, Array("{}".utf8)) + Self.frame([], []) + Self.event("a", "")
        let whole = Reading(bytes)
        #expect(whole.messages == ["exception aException {}", "event - ", "event a "])
        #expect(whole.isAtBoundary && !whole.isCorrupt)
        for cut in bytes.indices { #expect(Reading(bytes, cuts: [cut]) == whole) }
        #expect(Reading(bytes, cuts: Array(bytes.indices)) == whole)
    }

    @Test func `no byte can change without it showing`() {
        let count = Reading(Self.stream).messages.count
        #expect(count == 5)
        for place in Self.stream.indices {
            var bytes = Self.stream
            bytes[place] ^= 0x10
            let reading = Reading(bytes)
            #expect(reading.messages.count < count && !reading.isAtBoundary, "\(place)")
        }
    }

    @Test(arguments: [
        // Shorter than itself, headers longer than it, more than AWS allows.
        number(15) + number(0), number(20) + number(16), number(1 << 25) + number(0),
        number(200_000) + number(150_000), number(.max) + number(.max),
    ])
    func `lengths that cannot be are refused before anything is kept`(start: [UInt8]) {
        let reading = Reading(start + Self.checksum(start) + [UInt8](repeating: 0, count: 64))
        #expect(reading.isCorrupt && reading.messages.isEmpty && !reading.isAtBoundary)
    }

    @Test(
        arguments: [
            [5, 97], [1, 97, 10], [1, 97, 7, 0], [1, 97, 7, 0, 9, 97], [1, 97, 5, 1, 2], [0], [1, 97, 9, 1],
        ] as [[UInt8]])
    func `headers that end too early are refused`(headers: [UInt8]) {
        #expect(Reading(Self.frame(headers, [])).isCorrupt)
    }

    private func observe(_ operation: MenshenCore.Operation, _ body: [UInt8], cuts: [Int] = []) -> AnswerObserver? {
        var observer = AnswerObserver.reading(operation, contentType: "application/vnd.amazon.eventstream")
        var from = 0
        for cut in cuts + [body.count] {
            observer?.observe(body.span.extracting(from..<cut))
            from = cut
        }
        return observer
    }

    @Test func `a stream in frames is whole with messageStop and over with its usage, wherever it is cut`() throws {
        let ends = try #require(
            Self.stream.indices.first {
                String(decoding: Self.stream[$0...], as: UTF8.self).hasPrefix(":event-type\u{7}\0\u{8}metadata")
            })
        for cut in Self.stream.indices {
            var observer = try #require(observe(.converseStream, Array(Self.stream[..<cut])))
            // The frame's prelude and the length of the header's name come before it.
            #expect((observer.ending == .complete) == (cut >= ends - 13), "\(cut)")
            #expect(!observer.isOver && observer.usage == nil)
            observer.end()
            #expect((observer.ending == .complete) == (cut >= ends - 13), "\(cut)")
        }
        var observer = try #require(observe(.converseStream, Self.stream))
        #expect(observer.isOver && observer.usage?.outputTotal == 6)
    }

    @Test func `damage behind the end takes back that it was whole`() throws {
        var observer = try #require(observe(.converseStream, Self.stream + [UInt8](repeating: 1, count: 16)))
        observer.end()
        #expect(observer.ending == .open && observer.needsMarker && !observer.isOver)
    }

    @Test func `an exception says how the stream failed, and what another provider could do`() throws {
        for (name, remedy) in [
            ("throttlingException", AttemptOutcome.Remedy.otherKeyOrProvider), ("accessDeniedException", .otherKey),
            ("validationException", .none), ("modelStreamErrorException", .otherProvider),
        ] {
            let bytes = Self.frame(
                Self.text(":exception-type", name) + Self.text(":message-type", "exception"), Array("{}".utf8))
            let begin = Self.event("messageStart", "{}")
            let observer = try #require(observe(.converseStream, begin + bytes, cuts: Array(0..<begin.count)))
            #expect(observer.ending == .failed(name) && observer.isOver && !observer.hasContent)
            #expect(AttemptOutcome.errorEvent(name).remedy == remedy)
        }
    }

    @Test func `frames of an API that is not known are followed too: how they end, and that one is cut`() throws {
        let bytes = Self.event("chunk", #"{"bytes":"YQ=="}"#) + Self.event("trace", "{}")
        for cut in bytes.indices {
            var observer = try #require(observe(.other, Array(bytes[..<cut])))
            observer.end()
            let isBetween = cut == 0 || cut == Self.event("chunk", #"{"bytes":"YQ=="}"#).count
            #expect(observer.isCut == !isBetween && !observer.needsMarker && observer.ending == .open, "\(cut)")
        }
        let exception = Self.frame(
            Self.text(":message-type", "exception") + Self.text(":exception-type", "conflictException"), [])
        #expect(try #require(observe(.other, bytes + exception)).ending == .failed("conflictException"))
    }

    @Test func `an event that is too long to be read is passed over, and the next is read`() throws {
        let long = #"{"bytes":"\#(String(repeating: "QUJD", count: 300_000))"}"#
        // {"type":"message_stop"}
        let stop = #"{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0="}"#
        let observer = try #require(
            observe(.invokeStream, Self.event("chunk", long) + Self.event("chunk", stop), cuts: [100_000, 200_000]))
        #expect(observer.ending == .complete && observer.hasContent)
    }
}
