// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Finds a body's bytes in the input: a counted body, or chunks, whose extensions are checked and dropped, and so are the
/// trailers of a request; those of an answer are left to the caller. Holds no bytes.
///
/// In an answer the line of a chunk's size may have the blanks that RFC 9112 §7.1 wants to be read, and a bare ";": servers
/// pad it. A request with them is refused, as by llhttp: what stands before menshen may take them for something else.
package struct BodyDecoder {
    /// Bytes of one chunk-size line with its extensions, or of all trailers.
    package static let maxLineBytes = 4096

    package enum Step: Equatable {
        /// These input bytes are body.
        case data(Range<Int>)
        /// All input up to `consumed` is used; more is needed.
        case needMore(consumed: Int)
        /// The body is over; the next message begins at `consumed`.
        case end(consumed: Int)
    }

    private enum State {
        case fixed(remaining: Int)
        case size(value: Int, seen: Int)
        /// Blanks behind the digits.
        case sizeBlank(value: Int, seen: Int)
        case extensions(value: Int, seen: Int, ChunkExtension)
        case sizeLineFeed(value: Int)
        case chunk(remaining: Int)
        case chunkReturn
        case chunkLineFeed
        /// At the start of a trailer line.
        case trailer(seen: Int)
        case trailerName(seen: Int, ForbiddenTrailer)
        case trailerValue(seen: Int)
        case trailerLineFeed(seen: Int)
        case lastLineFeed
        case done
    }

    private var state: State
    private var total = 0
    private let limit: Int
    package let isOfAnswer: Bool

    /// `limit` bounds the decoded body. `ofAnswer`: a chunked body ends before its trailers, which with the blank line
    /// behind them are the caller's to read.
    package init(_ framing: RequestHead.Framing, limit: Int, ofAnswer: Bool = false) throws(HTTPError) {
        self.limit = limit
        isOfAnswer = ofAnswer
        switch framing {
        case .none: state = .done
        case .fixed(let length):
            if length > limit { throw .bodyTooLarge }
            state = length == 0 ? .done : .fixed(remaining: length)
        case .chunked: state = .size(value: 0, seen: 0)
        }
    }

    package var isDone: Bool { if case .done = state { true } else { false } }

    /// The next piece of `input`, read from `start`.
    package mutating func next(_ input: borrowing Span<UInt8>, from start: Int) throws(HTTPError) -> Step {
        var index = start
        while true {
            switch state {
            case .done: return .end(consumed: index)
            case .fixed(let remaining), .chunk(let remaining):
                let count = min(remaining, input.count - index)
                if count == 0 { return .needMore(consumed: index) }
                try advance(by: count, of: remaining)
                return .data(index..<index + count)
            default:
                guard index < input.count else { return .needMore(consumed: index) }
                try step(input[index])
                index += 1
            }
        }
    }

    private mutating func advance(by count: Int, of remaining: Int) throws(HTTPError) {
        let left = remaining - count
        switch state {
        case .fixed: state = left == 0 ? .done : .fixed(remaining: left)
        default: state = left == 0 ? .chunkReturn : .chunk(remaining: left)
        }
    }

    private mutating func step(_ byte: UInt8) throws(HTTPError) {
        switch state {
        case .size(let value, let seen): state = try sizeByte(byte, value, seen)
        case .sizeBlank(let value, let seen): state = try sizeEnd(byte, value, seen)
        case .extensions(let value, let seen, var part):
            if byte == 13, part.mayEnd(isTolerant: isOfAnswer) {
                state = .sizeLineFeed(value: value)
            } else {
                guard part.accept(byte, isTolerant: isOfAnswer), seen < Self.maxLineBytes else { throw .badChunk }
                state = .extensions(value: value, seen: seen + 1, part)
            }
        case .sizeLineFeed(let value):
            guard byte == 10 else { throw .badChunk }
            state = value > 0 ? .chunk(remaining: value) : isOfAnswer ? .done : .trailer(seen: 0)
        case .chunkReturn:
            guard byte == 13 else { throw .badChunk }
            state = .chunkLineFeed
        case .chunkLineFeed:
            guard byte == 10 else { throw .badChunk }
            state = .size(value: 0, seen: 0)
        case .lastLineFeed:
            guard byte == 10 else { throw .badChunk }
            state = .done
        default: state = try trailerByte(byte)
        }
    }

    private mutating func sizeByte(_ byte: UInt8, _ value: Int, _ seen: Int) throws(HTTPError) -> State {
        let digit: Int
        switch byte {
        case 48...57: digit = Int(byte) - 48
        case 65...70: digit = Int(byte) - 55
        case 97...102: digit = Int(byte) - 87
        default:
            if seen == 0 { throw .badChunk }
            try admit(value)
            return try sizeEnd(byte, value, seen)
        }
        // Zeros before the size are a part of it; the size itself stays below 2^60.
        if value >= 1 << 56 || seen == Self.maxLineBytes { throw .badChunk }
        return .size(value: value << 4 | digit, seen: seen + 1)
    }

    /// What follows the digits.
    private func sizeEnd(_ byte: UInt8, _ value: Int, _ seen: Int) throws(HTTPError) -> State {
        switch byte {
        case 13: return .sizeLineFeed(value: value)
        case UInt8(ascii: ";"): return .extensions(value: value, seen: seen + 1, .nameStart)
        case 0x20 where isOfAnswer && seen < Self.maxLineBytes, 0x09 where isOfAnswer && seen < Self.maxLineBytes:
            return .sizeBlank(value: value, seen: seen + 1)
        default: throw .badChunk
        }
    }

    private mutating func admit(_ chunk: Int) throws(HTTPError) {
        total += chunk
        if total > limit { throw .bodyTooLarge }
    }

    private func trailerByte(_ byte: UInt8) throws(HTTPError) -> State {
        switch state {
        case .trailer(let seen):
            if byte == 13 { return .lastLineFeed }
            guard ByteClass.isToken(byte), seen < Self.maxLineBytes else { throw .badChunk }
            return .trailerName(seen: seen + 1, ForbiddenTrailer(byte))
        case .trailerName(let seen, var name):
            if byte == UInt8(ascii: ":") {
                if name.isMatch { throw .badChunk }
                return .trailerValue(seen: seen + 1)
            }
            guard ByteClass.isToken(byte), seen < Self.maxLineBytes else { throw .badChunk }
            name.add(byte)
            return .trailerName(seen: seen + 1, name)
        case .trailerValue(let seen):
            if byte == 13 { return .trailerLineFeed(seen: seen + 1) }
            guard ByteClass.isValue(byte), seen < Self.maxLineBytes else { throw .badChunk }
            return .trailerValue(seen: seen + 1)
        case .trailerLineFeed(let seen):
            guard byte == 10 else { throw .badChunk }
            return .trailer(seen: seen + 1)
        default: throw .badChunk
        }
    }
}
