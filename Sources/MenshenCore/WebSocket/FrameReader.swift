// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Gets the text messages of one direction, piece by piece.
package protocol MessageConsumer {
    mutating func begin()
    /// A piece of the message's payload, cut anywhere.
    mutating func feed(_ piece: Span<UInt8>)
    mutating func end()
}

/// Takes no message.
package struct NoConsumer: MessageConsumer {
    package init() {}
    package mutating func begin() {}
    package mutating func feed(_ piece: Span<UInt8>) {}
    package mutating func end() {}
}

/// Follows the frames (RFC 6455 §5) of one direction of a relay without changing or keeping any of them. What breaks the
/// rules ends the reading, not the relay: that is between the two ends.
package struct FrameReader: Sendable {
    private enum Place {
        case start
        /// The first byte was read.
        case length
        /// Bytes of a long length, and then of the mask, that are still to come.
        case moreLength(Int)
        case mask(Int)
        case payload
        case lost
    }

    private enum Opcode {
        static let continuation: UInt8 = 0
        static let text: UInt8 = 1
        static let binary: UInt8 = 2
        static let close: UInt8 = 8
        static let pong: UInt8 = 10
    }

    /// Whole messages, control frames not counted.
    package private(set) var messages: Int64 = 0
    /// A whole close frame has passed.
    package private(set) var hasClosed = false

    private var place = Place.start
    private var opcode: UInt8 = 0
    private var isFinal = false
    private var isMasked = false
    private var remaining: UInt64 = 0
    /// A message has begun and not ended.
    private var isInMessage = false
    /// That message is text that can be read.
    private var isFed = false

    package init() {}

    /// A frame of one's own could go here.
    package var isBetweenFrames: Bool { if case .start = place { true } else { false } }

    /// The next bytes, cut anywhere. Messages that are masked or compressed are counted, but not fed.
    package mutating func push<Consumer: MessageConsumer>(
        _ bytes: Span<UInt8>, to consumer: inout Consumer
    ) {
        var index = 0
        while index < bytes.count {
            switch place {
            case .start:
                readFirst(bytes[index], &consumer)
                index += 1
            case .length:
                readLength(bytes[index], &consumer)
                index += 1
            case .moreLength(let count):
                remaining = remaining << 8 | UInt64(bytes[index])
                index += 1
                if count > 1 {
                    place = .moreLength(count - 1)
                } else if remaining >> 63 != 0 {
                    place = .lost
                } else {
                    lengthEnded(&consumer)
                }
            case .mask(let count):
                index += 1
                place = .mask(count - 1)
                if count == 1 { beginPayload(&consumer) }
            case .payload:
                let count = Int(min(UInt64(bytes.count - index), remaining))
                if isFed, opcode < Opcode.close, !isMasked { consumer.feed(bytes.extracting(index..<index + count)) }
                index += count
                remaining -= UInt64(count)
                if remaining == 0 { frameEnded(&consumer) }
            case .lost: return
            }
        }
    }

    private mutating func readFirst<Consumer: MessageConsumer>(_ byte: UInt8, _ consumer: inout Consumer) {
        isFinal = byte & 0x80 != 0
        opcode = byte & 0x0F
        let reserved = byte & 0x70
        place = .length
        switch opcode {
        case Opcode.continuation:
            if !isInMessage || reserved != 0 { place = .lost }
        case Opcode.text, Opcode.binary:
            if isInMessage { return place = .lost }
            isInMessage = true
            isFed = opcode == Opcode.text && reserved == 0
        case Opcode.close...Opcode.pong:
            if !isFinal || reserved != 0 { place = .lost }
        default: place = .lost
        }
    }

    private mutating func readLength<Consumer: MessageConsumer>(_ byte: UInt8, _ consumer: inout Consumer) {
        isMasked = byte & 0x80 != 0
        // All frames of a direction are masked, or none is.
        if isMasked { isFed = false }
        if isFed, opcode == Opcode.text { consumer.begin() }
        remaining = 0
        switch byte & 0x7F {
        case 126 where opcode < Opcode.close: place = .moreLength(2)
        case 127 where opcode < Opcode.close: place = .moreLength(8)
        case 126, 127: place = .lost
        case let short:
            remaining = UInt64(short)
            lengthEnded(&consumer)
        }
    }

    private mutating func lengthEnded<Consumer: MessageConsumer>(_ consumer: inout Consumer) {
        if isMasked { place = .mask(4) } else { beginPayload(&consumer) }
    }

    private mutating func beginPayload<Consumer: MessageConsumer>(_ consumer: inout Consumer) {
        place = .payload
        if remaining == 0 { frameEnded(&consumer) }
    }

    private mutating func frameEnded<Consumer: MessageConsumer>(_ consumer: inout Consumer) {
        place = .start
        if opcode == Opcode.close { hasClosed = true }
        guard opcode < Opcode.close, isFinal else { return }
        messages &+= 1
        isInMessage = false
        if isFed { consumer.end() }
        isFed = false
    }
}
