// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The head of an upstream's answer, built line by line, from libcurl or `ResponseReader`, and written again for the caller with
/// framing of our own. An answer whose framing could be read in two ways is refused: relaying it would split it.
package struct ResponseHead: Sendable {
    package enum LineVerdict: Equatable {
        case more
        /// A 1xx head is complete; another head follows.
        case interim
        /// The head is complete.
        case final
        /// The line belongs to the trailers of an answer whose head is complete.
        case trailer
        /// The blank line behind them.
        case trailersEnded
    }

    package enum Fault: Error, Equatable {
        case malformed
        /// Two different Content-Length values.
        case conflictingLength
        /// A transfer coding that nobody asked for, so that the body would be relayed without what it is coded with.
        case unknownCoding
        case tooLarge
    }

    /// Where the answer's body ends on the caller's side.
    package enum Framing: Equatable, Sendable {
        case none
        case fixed(Int)
        case chunked
        case untilClose
    }

    /// Of all heads of an answer and its trailers. Larger than any provider sends; nginx stops at 32 KiB in its default
    /// build-up.
    package static let maxBytes = 128 << 10
    /// Of the same, 1xx heads above all: each costs work and memory, however short it is.
    package static let maxLines = 1024

    /// What is added to every final head.
    package struct Additions {
        /// The request's name in its records.
        package var requestID: [UInt8]
        /// What a browser wants to hear.
        package var allowedOrigin: String?
        /// What the cache had to do with it.
        package var xCache: StaticString?
        /// Lines about how the answer came about; where there are some, the upstream's Server-Timing would be taken for ours.
        package var debugLines: [UInt8]
        /// The body that goes down may be shorter than the upstream's.
        package var hidesLength = false

        package init(
            requestID: [UInt8], allowedOrigin: String?, xCache: StaticString?, debugLines: [UInt8] = []
        ) {
            self.requestID = requestID
            self.allowedOrigin = allowedOrigin
            self.xCache = xCache
            self.debugLines = debugLines
        }
    }

    private static let protocolName = Array("http/".utf8)
    private static let version = Array("1.1".utf8)
    private static let versions = [version, Array("2".utf8), Array("3".utf8), Array("1.0".utf8)]
    private static let chunked = Array("chunked".utf8)
    private static let webSocket = Array("websocket".utf8)
    private static let upgrade = Array("upgrade".utf8)
    private static let keepAlive = Array("keep-alive".utf8)
    private static let close = Array("close".utf8)

    package private(set) var status = 0
    package private(set) var contentLength: Int?
    package private(set) var isComplete = false
    package private(set) var bytes: [UInt8] = []
    private var reason = 0..<0
    package private(set) var fields: [RequestHead.Field] = []
    /// The body came in chunks.
    package private(set) var isChunked = false
    private var isHTTP11 = false
    /// HTTP/2 or later: where a stream of many ends is said by its frames.
    package private(set) var isMultiplexed = false
    /// Bytes and lines of this answer so far.
    private var takenBytes = 0
    private var takenLines = 0
    private var listElements = 0
    /// Its heads say more than one thing of where it ends.
    private var isDoubtful = false
    private var trailers: [Range<Int>] = []
    /// Whether the request asked for another protocol, which 101 then grants.
    private let mayUpgrade: Bool

    package init(mayUpgrade: Bool = false) { self.mayUpgrade = mayUpgrade }

    /// Forgets everything but the memory.
    package mutating func reset() {
        beginHead()
        takenBytes = 0
        takenLines = 0
        listElements = 0
        isDoubtful = false
    }

    private mutating func beginHead() {
        bytes.removeAll(keepingCapacity: true)
        fields.removeAll(keepingCapacity: true)
        trailers.removeAll(keepingCapacity: true)
        status = 0
        contentLength = nil
        isComplete = false
        isChunked = false
    }

    /// Takes one line with its line end.
    package mutating func add(_ line: borrowing Span<UInt8>) throws(Fault) -> LineVerdict {
        takenBytes += line.count
        takenLines += 1
        if takenBytes > Self.maxBytes || takenLines > Self.maxLines { throw .tooLarge }
        // At the start, and behind a 1xx; a second one within a head is no field, nor anything else.
        if isComplete ? isInterim : status == 0 {
            beginHead()
            try readStatusLine(line)
            return .more
        }
        let isBlank =
            line.count <= 2 && (line.isEmpty || line[line.count - 1] == 10 && (line.count == 1 || line[0] == 13))
        if isComplete {
            if isBlank { return .trailersEnded }
            try readTrailer(line)
            return .trailer
        }
        if isBlank {
            isComplete = true
            // RFC 9112 §6: neither belongs into a 1xx, nor both into one head, nor a coding into HTTP/1.0.
            if isInterim ? isChunked || contentLength != nil : isChunked && (contentLength != nil || !isHTTP11) {
                isDoubtful = true
            }
            if isChunked { contentLength = nil }
            return isInterim ? .interim : .final
        }
        try readField(line)
        return .more
    }

    private var isInterim: Bool { (100...199).contains(status) && status != 101 }

    private mutating func readStatusLine(_ line: borrowing Span<UInt8>) throws(Fault) {
        guard line.count > 5, line.equals(Self.protocolName, in: 0..<5) else { throw .malformed }
        guard let space = line.firstIndex(of: 0x20), space + 4 <= line.count else { throw .malformed }
        // HTTP/0.9 is no head, and nobody knows what 1.2 would mean.
        guard Self.versions.contains(where: { line.equals($0, in: 5..<space) }) else { throw .malformed }
        var code = 0
        for index in space + 1..<space + 4 {
            guard (48...57).contains(line[index]) else { throw .malformed }
            code = code * 10 + Int(line[index] - 48)
        }
        // 101 would hand over a connection that was never asked to change its protocol.
        guard code >= 100, code != 101 || mayUpgrade else { throw .malformed }
        status = code
        isHTTP11 = line.equals(Self.version, in: 5..<space)
        isMultiplexed = line[5] != UInt8(ascii: "1")
        var start = space + 4
        // "2000" is no status, and neither is "200OK".
        if start < line.count {
            guard line[start] == 0x20 || line[start] == 13 || line[start] == 10 else { throw .malformed }
        }
        while start < line.count, line[start] == 0x20 { start += 1 }
        var end = start
        while end < line.count, ByteClass.isValue(line[end]) { end += 1 }
        // Nothing but the line's end follows: a bare CR would be one to some.
        let rest = line.count - end
        guard rest <= 1 && (rest == 0 || line[end] == 10) || rest == 2 && line[end] == 13 && line[end + 1] == 10 else {
            throw .malformed
        }
        bytes.append(line, start..<end)
        reason = 0..<bytes.count
    }

    private mutating func readField(_ line: borrowing Span<UInt8>) throws(Fault) {
        let offset = bytes.count
        let field: RequestHead.Field
        do { (field, _) = try FieldLine.read(line, from: 0) } catch { throw .malformed }
        bytes.append(line, 0..<line.count)
        let name = field.name.lowerBound + offset..<field.name.upperBound + offset
        let value = field.value.lowerBound + offset..<field.value.upperBound + offset
        switch field.known {
        case .contentLength:
            guard let length = RequestFraming.decimal(bytes, value) else { throw .malformed }
            if let contentLength, contentLength != length { throw .conflictingLength }
            // Said twice with one meaning: once is enough.
            if contentLength != nil { return }
            contentLength = length
        case .transferEncoding:
            guard !isChunked, bytes.span.equals(Self.chunked, in: value) else { throw .unknownCoding }
            isChunked = true
        case let known? where known.isList:
            listElements += ListElements.count(bytes.span, value)
            if listElements > ListElements.limit { throw .tooLarge }
        default: break
        }
        fields.append(RequestHead.Field(name: name, value: value, known: field.known))
    }

    private mutating func readTrailer(_ line: borrowing Span<UInt8>) throws(Fault) {
        let field: RequestHead.Field
        do { (field, _) = try FieldLine.read(line, from: 0) } catch { throw .malformed }
        // RFC 9110 §6.5.1: framing, routing and authentication fields are no trailers.
        if field.known != nil { return }
        let offset = bytes.count
        bytes.append(line, field.name.lowerBound..<field.value.upperBound)
        trailers.append(offset..<bytes.count)
    }

    /// Whether the connection may have another request; `isHead`: the answer is one to a HEAD. Behind those that have no
    /// body providers send one all the same, some of them late, which the next caller would get for its answer.
    package func keepsConnection(isHead: Bool) -> Bool {
        if isHead || isDoubtful || status == 204 || status == 304 { return false }
        var connection = ConnectionOptions()
        for field in fields where field.known == .connection { connection.read(bytes.span, field.value) }
        return !connection.saysClose && (isHTTP11 || connection.saysKeepAlive)
    }

    /// Whether another answer on its connection could be told from what may still come of this one. In HTTP/2 it always is.
    package func leavesConnection(isHead: Bool) -> Bool { isMultiplexed || keepsConnection(isHead: isHead) }

    /// The first value of that name.
    package func first(_ name: FieldName) -> String? {
        fields.first { $0.known == name }.map { bytes.text($0.value) }
    }

    // MARK: Writing

    /// Appends a 1xx head for an HTTP/1.1 caller.
    package func appendInterim(to output: inout [UInt8]) {
        appendStatusAndFields(to: &output, in: nil)
        output += [13, 10]
    }

    /// Appends the final head and says how the body that follows is to be framed. `keepAlive` becomes false when only
    /// the end of the connection can mark the end of the body.
    package func append(
        to output: inout [UInt8], method: RequestHead.Method, isHTTP11: Bool, keepAlive: inout Bool,
        _ additions: Additions
    ) -> Framing {
        appendStatusAndFields(to: &output, in: additions)
        let framing: Framing
        if status == 204 || status == 304 || method == .head {
            framing = .none
            // A length in these is a statement about the representation, not about bytes that follow.
            if let contentLength, status != 204 { Self.append(length: contentLength, to: &output) }
        } else if let contentLength, !additions.hidesLength {
            framing = .fixed(contentLength)
            Self.append(length: contentLength, to: &output)
        } else if isHTTP11 {
            framing = .chunked
            output.append(ascii: "Transfer-Encoding: chunked\r\n")
        } else {
            framing = .untilClose
            keepAlive = false
        }
        Self.append(additions, to: &output)
        Self.append(connection: keepAlive, isHTTP11: isHTTP11, to: &output)
        output += [13, 10]
        return framing
    }

    /// Whether a 101 hands the connection over to WebSocket as it was asked for: without extensions, and with a proof
    /// that the caller will check.
    package var opensWebSocket: Bool {
        guard status == 101, let upgrade = fields.first(where: { $0.known == .upgrade }) else { return false }
        return bytes.span.equals(Self.webSocket, in: upgrade.value) && isConnectionOption(Self.upgrade)
            && fields.contains { $0.known == .webSocketAccept && !$0.value.isEmpty }
            && !fields.contains { $0.known == .webSocketExtensions }
    }

    /// Appends the head of a 101 that `opensWebSocket`.
    package func appendWebSocket(to output: inout [UInt8], _ additions: Additions) {
        appendStatusAndFields(to: &output, in: additions)
        output.append(ascii: "Connection: Upgrade\r\nUpgrade: websocket\r\n")
        Self.append(additions, to: &output)
        output += [13, 10]
    }

    /// Appends the trailer lines, without the blank line after them.
    package func appendTrailers(to output: inout [UInt8]) {
        for trailer in trailers {
            output += bytes[trailer]
            output += [13, 10]
        }
    }

    /// The status line of an answer of our own.
    package static func append(status: Int, to output: inout [UInt8]) {
        output.append(ascii: "HTTP/1.1 ")
        output.append(decimal: status)
        output.append(0x20)
        output.append(contentsOf: StatusText.of(status).utf8)
        output.append(ascii: "\r\n")
    }

    /// "Connection: close", or what an HTTP/1.0 caller needs to hear to go on.
    package static func append(connection keepAlive: Bool, isHTTP11: Bool, to output: inout [UInt8]) {
        if !keepAlive {
            output.append(ascii: "Connection: close\r\n")
        } else if !isHTTP11 {
            output.append(ascii: "Connection: keep-alive\r\n")
        }
    }

    package static func append(_ additions: Additions, to output: inout [UInt8]) {
        output.append(ascii: "x-menshen-request-id: ")
        output += additions.requestID
        output.append(ascii: "\r\n")
        if let xCache = additions.xCache {
            output.append(ascii: "X-Cache: ")
            output.append(ascii: xCache)
            output.append(ascii: "\r\n")
        }
        output += additions.debugLines
        if let allowedOrigin = additions.allowedOrigin {
            output.append(ascii: "Access-Control-Allow-Origin: ")
            output.append(contentsOf: allowedOrigin.utf8)
            output.append(ascii: "\r\nAccess-Control-Expose-Headers: *\r\nVary: Origin\r\n")
        }
    }

    package static func append(length: Int, to output: inout [UInt8]) {
        output.append(ascii: "Content-Length: ")
        output.append(decimal: length)
        output.append(ascii: "\r\n")
    }

    /// What menshen says itself is not said twice.
    private func appendStatusAndFields(to output: inout [UInt8], in additions: Additions?) {
        output.append(ascii: "HTTP/1.1 ")
        output.append(decimal: status)
        output.append(0x20)
        if reason.isEmpty { output.append(contentsOf: StatusText.of(status).utf8) } else { output += bytes[reason] }
        output += [13, 10]
        let options = connectionOptions
        for field in fields {
            if Self.isHopByHop(field.known) || field.known == .contentLength || isOurs(field) { continue }
            if additions?.allowedOrigin != nil, field.known == .accessControlAllowOrigin { continue }
            if additions?.xCache != nil, field.known == .xCache { continue }
            if field.known == .serverTiming, additions?.debugLines.isEmpty == false { continue }
            if !options.isEmpty {
                let name = bytes[field.name].map(\.lowercased)
                if options.contains(where: { bytes.span.equals(name, in: $0) }) { continue }
            }
            // The line as it came, name to value, in one move.
            output += bytes[field.name.lowerBound..<field.value.upperBound]
            output += [13, 10]
        }
    }

    /// What a menshen says of itself; from a provider it would be taken for our word.
    private func isOurs(_ field: RequestHead.Field) -> Bool {
        let prefix = Self.ourPrefix
        return field.name.count > prefix.count
            && bytes.span.equals(prefix, in: field.name.lowerBound..<field.name.lowerBound + prefix.count)
    }

    private static let ourPrefix = Array("x-menshen-".utf8)

    private static func isHopByHop(_ name: FieldName?) -> Bool {
        switch name {
        case .connection, .keepAlive, .proxyConnection, .transferEncoding, .te, .trailer, .upgrade, .proxyAuthenticate:
            true
        default: false
        }
    }

    /// Names that the upstream's Connection header declares to be for this hop only.
    private var connectionOptions: [Range<Int>] {
        var options: [Range<Int>] = []
        for field in fields where field.known == .connection {
            var elements = ListElements(field.value)
            while let option = elements.next(bytes.span) {
                if !bytes.span.equals(Self.close, in: option), !bytes.span.equals(Self.keepAlive, in: option) {
                    options.append(option)
                }
            }
        }
        return options
    }

    private func isConnectionOption(_ name: [UInt8]) -> Bool {
        connectionOptions.contains { bytes.span.equals(name, in: $0) }
    }
}
