// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// Frames AWS's binary event stream (application/vnd.amazon.eventstream) as it comes, in pieces of any size. A message is a
/// prelude of two lengths with their checksum, headers, a payload, and a checksum of it all. Payloads are handed on piece by
/// piece, before their checksum is known; only headers are kept.
package struct EventFrames: Sendable {
    package enum Token: Sendable, Equatable {
        /// Bytes of the message's payload; its headers are known.
        case payload(Range<Int>)
        /// The message is whole, and its checksum is right.
        case message
        /// The piece is used up.
        case more
        /// Lengths or checksums are wrong. It stays so: nobody knows where the next message begins.
        case corrupt
    }

    /// What kind of message it is: `:message-type`.
    package enum Kind: Sendable { case event, exception, error }

    private enum State: Sendable { case prelude, headers, payload, checksum, corrupt }

    /// AWS's own limits.
    private static let headersLimit = 128 << 10
    private static let payloadLimit = 24 << 20
    private static let preludeLength = 12
    private static let checksumLength = 4

    private var state = State.prelude
    /// Of the part that is read whole before it is looked at: prelude, headers, or the last checksum.
    private var part: [UInt8] = []
    /// Bytes to come of the present part.
    private var rest = Self.preludeLength
    private var payload = 0
    private var checksum = CRC32()

    /// Of the present message, once its headers are read.
    package private(set) var kind = Kind.event
    /// What happened: `:event-type`, `:exception-type` or `:error-code`.
    package private(set) var name: String?

    package init() {}

    /// What came so far ends between two messages.
    package var isAtBoundary: Bool { state == .prelude && part.isEmpty }

    /// The next token from `index` on. Call until `.more` or `.corrupt`.
    package mutating func next(_ bytes: Span<UInt8>, _ index: inout Int) -> Token {
        while state != .corrupt {
            if state == .payload {
                if rest == 0 {
                    begin(.checksum, Self.checksumLength)
                    continue
                }
                guard index < bytes.count else { return .more }
                let range = index..<min(bytes.count, index + rest)
                checksum.add(bytes.extracting(range))
                rest -= range.count
                index = range.upperBound
                return .payload(range)
            }
            let range = index..<min(bytes.count, index + rest)
            part.append(bytes, range)
            rest -= range.count
            index = range.upperBound
            guard rest == 0 else { return .more }
            let isSound =
                switch state {
                case .prelude: readPrelude()
                case .headers: readHeaders()
                case .payload, .corrupt: false
                case .checksum: number(at: 0) == checksum.value
                }
            guard isSound else {
                state = .corrupt
                break
            }
            if state == .checksum {
                begin(.prelude, Self.preludeLength)
                checksum = CRC32()
                return .message
            }
            let whole = part
            checksum.add(whole.span)
            if state == .prelude {
                begin(.headers, headersLength)
            } else {
                begin(.payload, payload)
            }
        }
        part = []
        return .corrupt
    }

    private var headersLength: Int { Int(number(at: 4)) }

    private mutating func begin(_ next: State, _ length: Int) {
        state = next
        rest = length
        part.removeAll(keepingCapacity: true)
    }

    /// Big-endian.
    private func number(at place: Int) -> UInt32 {
        part[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    private mutating func readPrelude() -> Bool {
        var own = CRC32()
        own.add(part.span.extracting(0..<8))
        payload = Int(number(at: 0)) - headersLength - Self.preludeLength - Self.checksumLength
        kind = .event
        name = nil
        return number(at: 8) == own.value && headersLength <= Self.headersLimit
            && 0...Self.payloadLimit ~= payload
    }

    // MARK: Headers

    private mutating func readHeaders() -> Bool {
        var index = 0
        while index < part.count {
            let nameStart = index + 1
            let nameEnd = nameStart + Int(part[index])
            guard nameEnd < part.count, let value = valueRange(of: part[nameEnd], at: nameEnd + 1),
                value.upperBound <= part.count
            else { return false }
            if part[nameEnd] == Self.stringType { take(part[nameStart..<nameEnd], part[value]) }
            index = value.upperBound
        }
        return true
    }

    private static let stringType: UInt8 = 7

    /// Where a value of that type stands that begins at `start`, its length before it included there.
    private func valueRange(of type: UInt8, at start: Int) -> Range<Int>? {
        switch type {
        case 0, 1: return start..<start
        case 2: return start..<start + 1
        case 3: return start..<start + 2
        case 4: return start..<start + 4
        case 5, 8: return start..<start + 8
        case 6, Self.stringType:
            guard start + 2 <= part.count else { return nil }
            return start + 2..<start + 2 + Int(part[start]) << 8 + Int(part[start + 1])
        case 9: return start..<start + 16
        default: return nil
        }
    }

    private mutating func take(_ header: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) {
        if header.elementsEqual(":message-type".utf8) {
            if value.elementsEqual("exception".utf8) { kind = .exception }
            if value.elementsEqual("error".utf8) { kind = .error }
        } else if header.elementsEqual(":event-type".utf8) || header.elementsEqual(":exception-type".utf8)
            || header.elementsEqual(":error-code".utf8)
        {
            name = String(decoding: value.prefix(JSONScanner.textLimit), as: UTF8.self)
        }
    }
}
