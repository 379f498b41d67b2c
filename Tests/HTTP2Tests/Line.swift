// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP2
import TestSupport
import Testing

/// A session and the other end of its connection, without a socket between them.
final class Line: SessionOutput {
    let session: Session
    let peer = FramePeer()
    private var sent: [UInt8] = []
    /// All that the client has ever said.
    private(set) var log: [FramePeer.Frame] = []

    var count: Int { sent.count }
    func append(_ bytes: UnsafeRawBufferPointer) { sent += bytes }

    /// Both sides' SETTINGS have passed.
    init(streams: Int? = nil) throws {
        session = try Session()
        peer.settings(streams.map { [(3, $0)] } ?? [])
        peer.settingsAnswer()
        try pass()
        _ = try frames()
    }

    deinit { session.end() }

    /// What the client has to say.
    func frames() throws -> [FramePeer.Frame] {
        var frames: [FramePeer.Frame] = []
        repeat {
            sent = []
            try session.drain(to: self)
            frames += try peer.read(sent)
        } while !sent.isEmpty
        log += frames
        return frames
    }

    /// Brings what the peer has written to the session.
    func pass() throws(HTTP2Error) { try receive(peer.take()) }

    func receive(_ bytes: [UInt8]) throws(HTTP2Error) {
        try bytes.withUnsafeBufferPointer { bytes throws(HTTP2Error) in
            try session.receive(UnsafeRawBufferPointer(bytes))
        }
    }

    /// A request that has been sent; its frames are lost.
    func ask(_ method: StaticString = "POST", body: [UInt8]? = nil, isOpen: Bool = false) throws -> Hearing {
        let hearing = Hearing(body ?? [], isOpen: isOpen)
        for (name, value) in [(":method", method), (":scheme", "http"), (":authority", "llm"), (":path", "/v1/x")]
            as [(StaticString, StaticString)]
        {
            session.add(Self.bytes(name), Self.bytes(value), isIndexed: true)
        }
        hearing.stream = try #require(session.submit(hearing, hasBody: body != nil || isOpen))
        _ = try frames()
        #expect(session.wasSent(try #require(hearing.stream)))
        return hearing
    }

    static func bytes(_ text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}

/// Writes down what happens to a stream.
final class Hearing: StreamDelegate {
    var stream: HTTP2.Stream?
    private(set) var events: [String] = []
    private(set) var received = 0
    private var body: [UInt8]
    private let isOpen: Bool
    /// Takes no field of this name.
    var refusedName: String?

    init(_ body: [UInt8], isOpen: Bool) {
        self.body = body
        self.isOpen = isOpen
    }

    func streamReceived(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        let name = String(decoding: name, as: UTF8.self)
        if value.count < 40 { events.append("\(name): \(String(decoding: value, as: UTF8.self))") }
        return name != refusedName
    }

    func streamReceivedFields() -> Bool {
        events.append("fields")
        return true
    }

    func streamReceived(_ bytes: UnsafeRawBufferPointer) {
        received += bytes.count
        if events.last != "data" { events.append("data") }
    }

    func streamEnded() { events.append("ended") }
    func streamBroke(_ end: HTTP2.Stream.End) { events.append("broke: \(end)") }

    func streamBody(atMost limit: Int) -> HTTP2.Stream.Body {
        let count = min(limit, body.count)
        if isOpen, count == 0 { return .later }
        return .bytes(count, isLast: !isOpen && count == body.count)
    }

    func streamBody(move count: Int, to output: any SessionOutput) {
        body.withUnsafeBytes { output.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        body.removeFirst(count)
    }
}
