// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import HTTP2

/// A request as HTTP/2 sends it: its fields as lines, kept as long as they may have to be sent again, and the body, whole or
/// what is queued of it.
struct HTTP2Request {
    /// Holds the key, so it is overwritten.
    let lines = SendBuffer(capacity: 4 << 10)
    private(set) var method = RequestHead.Method.get
    private(set) var target: [UInt8] = []
    /// nil: none is announced.
    private var length: Int?
    private var whole: [UInt8] = []
    /// Of a streamed body.
    private var queue: SendBuffer?
    /// Bytes of the body that have been moved, and what is promised to be moved next.
    private var moved = 0
    private var offered = 0
    private(set) var hasBody = false
    /// The lines are those of HTTP/2.
    private var isPrepared = false
    /// Nothing is added any more.
    private(set) var isComplete = true
    /// No more of it goes out; what the provider has to say is relayed.
    private(set) var isBroken = false
    /// `hasRoom` has said no.
    private var isFull = false

    var isStreamed: Bool { queue != nil }
    /// Bytes wait that the provider may still take.
    var hasMore: Bool { !isBroken && (queue.map { !$0.isEmpty } ?? (moved < whole.count)) }
    /// Everything is here from its first byte.
    var isRepeatable: Bool { !isStreamed || moved == 0 && offered == 0 }

    mutating func begin(_ method: RequestHead.Method, _ target: [UInt8], _ body: TransferBody) {
        self.method = method
        self.target = target
        switch body {
        case .none: length = nil
        case .whole(let bytes):
            whole = bytes
            length = bytes.count
            hasBody = !bytes.isEmpty
        case .streamed(let length):
            queue = SendBuffer(capacity: 16 << 10)
            self.length = length
            hasBody = true
            isComplete = false
        }
    }

    // MARK: Fields

    private static func bytes(_ text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    /// Gives a session all fields. They stay where they are until it has sent them.
    mutating func addFields(to session: Session, authority: [UInt8], isTLS: Bool) {
        if !isPrepared { prepare(authority, isTLS) }
        HTTP2Fields.add(lines.rest, to: session)
    }

    private mutating func prepare(_ authority: [UInt8], _ isTLS: Bool) {
        isPrepared = true
        var name = method.rawValue
        name.withUTF8 { name in
            target.withUnsafeBytes { target in
                authority.withUnsafeBytes { authority in
                    lines.prepend(
                        Self.bytes(":method: "), UnsafeRawBufferPointer(name), Self.bytes("\r\n:scheme: "),
                        Self.bytes(isTLS ? "https" : "http"), Self.bytes("\r\n:authority: "), authority,
                        Self.bytes("\r\n:path: "), UnsafeRawBufferPointer(rebasing: target.dropLast()),
                        Self.bytes("\r\n"))
                }
            }
        }
        guard let length else { return }
        lines.append("content-length: ")
        lines.append(decimal: length)
        lines.append("\r\n")
    }

    // MARK: Body

    /// Queues a piece of a streamed body.
    func add(_ bytes: UnsafeRawBufferPointer) { queue?.append(bytes) }

    mutating func complete() { isComplete = true }

    /// The provider has refused before the body was whole.
    mutating func giveUp() {
        isComplete = true
        isBroken = true
        if offered == 0 { queue?.wipe() }
    }

    mutating func offer(atMost limit: Int) -> Stream.Body {
        if isBroken { return .later }
        let left = queue?.count ?? (whole.count - moved)
        offered = min(limit, left)
        if left == 0, !isComplete { return .later }
        return .bytes(offered, isLast: isComplete && offered == left)
    }

    mutating func move(_ count: Int, to output: any SessionOutput) {
        if let queue {
            if let bytes = queue.next { output.append(UnsafeRawBufferPointer(rebasing: bytes[..<count])) }
            queue.sent(count)
        } else {
            whole.withUnsafeBytes { output.append(UnsafeRawBufferPointer(rebasing: $0[moved..<moved + count])) }
        }
        moved += count
        offered = 0
    }

    /// Whether more may be queued now; if not, `regainsRoom` says when.
    mutating func hasRoom(_ limit: Int) -> Bool {
        isFull = (queue?.count ?? 0) >= limit
        return !isFull
    }

    /// True once there is room again after there was none.
    mutating func regainsRoom(_ limit: Int) -> Bool {
        guard isFull, (queue?.count ?? 0) < limit || isBroken else { return false }
        isFull = false
        return true
    }

    // MARK: The end

    /// An answer has begun, so it is not sent again: what has gone out is let go of, and the key overwritten.
    mutating func forgetSent() {
        lines.release()
        guard moved == whole.count else { return }
        whole = []
        moved = 0
    }

    /// To be sent from its first byte.
    mutating func rewind() {
        moved = 0
        offered = 0
    }

    /// Moves it, as far as it has come, to a transfer of another protocol, which says by itself what was prepared for this one.
    func move(to other: any Transfer, receiver: any TransferReceiver) throws {
        let text = UnsafeRawBufferPointer(lines.rest)
        var fields: [Range<Int>] = []
        HTTP2Fields.forEachLine(text) { if text[$0].first != UInt8(ascii: ":") { fields.append($0) } }
        if isPrepared, length != nil { fields.removeLast() }
        for field in fields { other.headers.addHeader(line: UnsafeRawBufferPointer(rebasing: text[field])) }
        let body: TransferBody = isStreamed ? .streamed(length: length) : length == nil ? .none : .whole(whole)
        try other.start(method: method, target: target, body: body, receiver: receiver)
        if let queue {
            if let bytes = queue.next { _ = other.send(bytes) }
            if isComplete { other.endBody() }
        }
    }

    /// Forgets it, the key above all.
    mutating func reset() {
        lines.wipe()
        target = []
        whole = []
        queue = nil
        length = nil
        moved = 0
        offered = 0
        hasBody = false
        isPrepared = false
        isComplete = true
        isBroken = false
        isFull = false
    }
}
