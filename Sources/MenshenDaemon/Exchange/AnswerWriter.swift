// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore

/// Writes one answer as the caller gets it, wherever it comes from: a provider, the cache, menshen itself. It writes into the
/// connection's output and sends nothing.
struct AnswerWriter {
    private let method: RequestHead.Method
    private let isHTTP11: Bool
    /// nil until a head was written.
    private(set) var framing: ResponseHead.Framing?
    /// Whether the connection takes another request behind this answer.
    private(set) var keepAlive: Bool
    private(set) var status: Int?
    /// Body bytes that were written.
    private(set) var bytesOut: Int64 = 0
    /// Monotonic microseconds of the head.
    private(set) var firstByteAt: UInt64?
    private var capture: BodyCapture?

    init(_ head: RequestHead) {
        method = head.method
        isHTTP11 = head.isHTTP11
        keepAlive = head.keepAlive
    }

    var hasBegun: Bool { framing != nil }
    var hasNoBody: Bool { framing == ResponseHead.Framing.none }
    /// Everything that the head has announced was written.
    var isFull: Bool { if case .fixed(let length) = framing { Int(bytesOut) == length } else { false } }
    /// Only the connection's end tells where the answer ends.
    var needsReset: Bool { framing == .untilClose }

    /// Keeps a copy of the body for its record.
    mutating func keepBody(limit: Int) { capture = BodyCapture(limit: limit) }
    /// The connection closes behind this answer.
    mutating func closeAfter() { keepAlive = false }

    // MARK: Heads

    private mutating func begin(_ status: Int, _ now: UInt64) {
        self.status = status
        firstByteAt = now
    }

    /// A provider's.
    mutating func begin(
        _ head: ResponseHead, _ additions: ResponseHead.Additions, at now: UInt64, to output: inout [UInt8]
    ) {
        begin(head.status, now)
        framing = head.append(
            to: &output, method: method, isHTTP11: isHTTP11, keepAlive: &keepAlive, additions)
    }

    /// A provider's 101.
    mutating func beginTunnel(
        _ head: ResponseHead, _ additions: ResponseHead.Additions, at now: UInt64, to output: inout [UInt8]
    ) {
        begin(head.status, now)
        framing = .untilClose
        head.appendWebSocket(to: &output, additions)
    }

    /// A stored one. `wall`: the time, in microseconds.
    mutating func begin(
        _ answer: CachedAnswer, _ additions: ResponseHead.Additions, at now: UInt64, wall: UInt64,
        to output: inout [UInt8]
    ) {
        begin(answer.status, now)
        ResponseHead.append(status: answer.status, to: &output)
        output += answer.fieldLines
        if answer.isStream {
            frameStream(&output)
        } else {
            framing = .fixed(answer.body.count)
            ResponseHead.append(length: answer.body.count, to: &output)
        }
        var date = HTTPDate()
        output += date.line(at: answer.storedAt / 1_000_000)
        output.append(ascii: "Age: ")
        output.append(decimal: Int(clamping: answer.age(now: wall)))
        output.append(ascii: "\r\n")
        endHead(additions, to: &output)
    }

    /// The whole of one of menshen's own.
    mutating func write(
        _ answer: LocalAnswer, _ additions: ResponseHead.Additions, date: [UInt8], at now: UInt64,
        to output: inout [UInt8]
    ) {
        head(of: answer, date, at: now, to: &output)
        if answer.status != 204 { ResponseHead.append(length: answer.body.count, to: &output) }
        endHead(additions, to: &output)
        if method == .head { return }
        output += answer.body
        bytesOut = Int64(answer.body.count)
    }

    /// One of menshen's own that comes in pieces.
    mutating func begin(
        _ answer: LocalAnswer, _ additions: ResponseHead.Additions, date: [UInt8], at now: UInt64,
        to output: inout [UInt8]
    ) {
        head(of: answer, date, at: now, to: &output)
        frameStream(&output)
        endHead(additions, to: &output)
    }

    private mutating func head(of answer: LocalAnswer, _ date: [UInt8], at now: UInt64, to output: inout [UInt8]) {
        begin(answer.status, now)
        ResponseHead.append(status: answer.status, to: &output)
        for field in answer.fields {
            output.append(contentsOf: field.name.utf8)
            output.append(ascii: ": ")
            output.append(contentsOf: field.value.utf8)
            output.append(ascii: "\r\n")
        }
        output += date
    }

    private mutating func frameStream(_ output: inout [UInt8]) {
        if isHTTP11 {
            framing = .chunked
            output.append(ascii: "Transfer-Encoding: chunked\r\n")
        } else {
            framing = .untilClose
            keepAlive = false
        }
    }

    private func endHead(_ additions: ResponseHead.Additions, to output: inout [UInt8]) {
        ResponseHead.append(additions, to: &output)
        ResponseHead.append(connection: keepAlive, isHTTP11: isHTTP11, to: &output)
        output.append(ascii: "\r\n")
    }

    // MARK: Bodies

    /// A piece of the body. Returns what of it went down: more than was announced would be read as the next answer.
    @discardableResult
    mutating func write(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) -> UnsafeRawBufferPointer {
        if bytes.isEmpty { return bytes }
        switch framing {
        case .fixed(let length):
            let rest = UnsafeRawBufferPointer(rebasing: bytes.prefix(max(0, length - Int(bytesOut))))
            append(rest, to: &output)
            return rest
        case .chunked:
            output.append(hexadecimal: bytes.count)
            output.append(ascii: "\r\n")
            append(bytes, to: &output)
            output.append(ascii: "\r\n")
            return bytes
        case .untilClose:
            append(bytes, to: &output)
            return bytes
        case nil, .some(.none): return UnsafeRawBufferPointer(start: nil, count: 0)
        }
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        output.append(contentsOf: bytes)
        bytesOut += Int64(bytes.count)
        capture?.append(bytes)
    }

    /// Bytes of a WebSocket, of which no copy is kept.
    mutating func writeFrames(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        output.append(contentsOf: bytes)
        bytesOut += Int64(bytes.count)
    }

    /// The body is whole. `trailers`: of the provider's answer.
    func end(_ trailers: ResponseHead?, to output: inout [UInt8]) {
        guard framing == .chunked else { return }
        output.append(ascii: "0\r\n")
        trailers?.appendTrailers(to: &output)
        output.append(ascii: "\r\n")
    }

    /// The body that was kept, with each of `keys` masked.
    func captured(_ keys: SecretSet) -> [UInt8]? { capture?.masked(keys) }
}
