// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux

/// A request as HTTP/1.1 sends it: the head, and the body, whole or piece by piece. Its buffer holds everything from the
/// first byte, as long as that may have to be sent again, or what is queued of a streamed body; and the key, so it is
/// overwritten.
struct HTTP1Request {
    private enum Body {
        case whole
        case streamed
        case chunked
    }

    enum Outcome {
        /// Nothing is left to be written now. `hasMoved`: something was.
        case written(hasMoved: Bool)
        case wouldBlock(hasMoved: Bool)
    }

    let buffer = SendBuffer(capacity: 4 << 10)
    private var body = Body.whole
    /// Nothing is added any more.
    private(set) var isComplete = true
    /// The provider reads no more; what it has still to say is relayed.
    private(set) var isBroken = false
    /// `add` has asked for no more.
    private var isFull = false

    private static var space: UnsafeRawBufferPointer { bytes(" ") }
    private static var host: UnsafeRawBufferPointer { bytes(" HTTP/1.1\r\nHost: ") }
    private static var lineEnd: UnsafeRawBufferPointer { bytes("\r\n") }
    private static func bytes(_ text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    var isStreamed: Bool { if case .whole = body { false } else { true } }
    /// Bytes wait that the provider may still take.
    var hasMore: Bool { !isBroken && !buffer.isEmpty }
    /// All of it has gone out.
    var isSent: Bool { isComplete && buffer.isEmpty }

    /// Puts the request line and Host before the header lines that the buffer holds, and the body behind them.
    mutating func begin(
        _ method: RequestHead.Method, _ target: [UInt8], authority: [UInt8], _ body: TransferBody
    ) {
        var name = method.rawValue
        name.withUTF8 { name in
            target.withUnsafeBytes { target in
                authority.withUnsafeBytes { authority in
                    buffer.prepend(
                        UnsafeRawBufferPointer(name), Self.space, UnsafeRawBufferPointer(rebasing: target.dropLast()),
                        Self.host, authority, Self.lineEnd)
                }
            }
        }
        switch body {
        case .none: buffer.append("\r\n")
        case .whole(let bytes):
            endHead(length: bytes.count)
            bytes.withUnsafeBytes { buffer.append($0) }
        case .streamed(let length):
            self.body = length == nil ? .chunked : .streamed
            isComplete = false
            endHead(length: length)
        }
    }

    /// nil: chunks follow.
    private func endHead(length: Int?) {
        if let length {
            buffer.append("Content-Length: ")
            buffer.append(decimal: length)
        } else {
            buffer.append("Transfer-Encoding: chunked")
        }
        buffer.append("\r\n\r\n")
    }

    /// Queues a piece of a streamed body.
    func add(_ bytes: UnsafeRawBufferPointer) {
        if case .chunked = body {
            buffer.append(hexadecimal: bytes.count)
            buffer.append("\r\n")
        }
        buffer.append(bytes)
        if case .chunked = body { buffer.append("\r\n") }
    }

    mutating func complete() {
        isComplete = true
        if case .chunked = body { buffer.append("0\r\n\r\n") }
    }

    /// The provider has refused before the body was whole.
    mutating func giveUp() {
        isComplete = true
        isBroken = true
        buffer.wipe()
    }

    /// Writes what there is to write.
    mutating func write(to link: Link) -> Outcome {
        var hasMoved = false
        while !isBroken, let bytes = buffer.next {
            switch link.write(bytes) {
            case .bytes(let count):
                buffer.sent(count)
                hasMoved = true
            case .wouldBlock: return .wouldBlock(hasMoved: hasMoved)
            // Its answer may be on its way; else reading says what there is to say.
            case .ended: isBroken = true
            }
        }
        return .written(hasMoved: hasMoved)
    }

    /// Whether more may be queued now; if not, `regainsRoom` says when.
    mutating func hasRoom(_ limit: Int) -> Bool {
        isFull = buffer.count >= limit
        return !isFull
    }

    /// True once there is room again after there was none.
    mutating func regainsRoom(_ limit: Int) -> Bool {
        guard isFull, buffer.count < limit || isBroken else { return false }
        isFull = false
        return true
    }

    /// To be sent from its first byte, over another connection.
    mutating func rewind() {
        isBroken = false
        buffer.rewind()
    }

    /// Forgets it, the key above all.
    mutating func reset() {
        buffer.wipe()
        body = .whole
        isComplete = true
        isBroken = false
        isFull = false
    }
}
