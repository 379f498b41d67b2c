// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

@Suite struct FrameReaderTests {
    /// Keeps whole messages.
    private struct Keeper: MessageConsumer {
        var messages: [[UInt8]] = []
        var open: [UInt8]?

        mutating func begin() { open = [] }
        mutating func feed(_ piece: Span<UInt8>) {
            for index in 0..<piece.count { open?.append(piece[index]) }
        }
        mutating func end() {
            if let open { messages.append(open) }
            open = nil
        }
    }

    private static func frame(
        _ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true, masked: Bool = false, length: Int? = nil
    ) -> [UInt8] {
        var bytes = [(isFinal ? 0x80 : 0) | opcode]
        let bit: UInt8 = masked ? 0x80 : 0
        switch length ?? (payload.count < 126 ? 0 : payload.count < 65536 ? 2 : 8) {
        case 0: bytes.append(bit | UInt8(payload.count))
        case 2: bytes += [bit | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        default: bytes += [bit | 127] + (0..<8).map { UInt8(payload.count >> (56 - 8 * $0) & 255) }
        }
        if !masked { return bytes + payload }
        let mask: [UInt8] = [1, 2, 3, 4]
        return bytes + mask + payload.enumerated().map { $0.element ^ mask[$0.offset & 3] }
    }

    private static func read(_ bytes: [UInt8], in pieces: [Int]) -> (FrameReader, Keeper) {
        var reader = FrameReader()
        var keeper = Keeper()
        var start = 0
        for end in pieces + [bytes.count] {
            let piece = Array(bytes[start..<end])
            reader.push(piece.span, to: &keeper)
            start = end
        }
        return (reader, keeper)
    }

    @Test(arguments: 0..<200)
    func `however a conversation is cut, the same messages are read`(seed: UInt64) {
        var random = SeededGenerator(state: seed)
        var bytes: [UInt8] = []
        var texts: [[UInt8]] = []
        var count: Int64 = 0
        for _ in 0..<random.number(0...11) {
            let isText = random.number(0...2) > 0
            let parts = 1 + random.number(0...3)
            var message: [UInt8] = []
            for part in 0..<parts {
                let size = [0, 1, 5, 125, 126, 127, 300, 65535, 65536][random.number(0...8)]
                let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
                message += payload
                bytes += Self.frame(part == 0 ? (isText ? 1 : 2) : 0, payload, isFinal: part == parts - 1)
                // Control frames may stand between the parts of a message.
                if random.number(0...2) == 0 {
                    bytes += Self.frame([9, 10][random.number(0...1)], Array(0..<UInt8(random.number(0...125))))
                }
            }
            count += 1
            if isText { texts.append(message) }
        }
        var cuts = (0..<random.number(0...39)).map { _ in random.number(0...bytes.count) }
        if random.number(0...3) == 0 { cuts += 0..<min(bytes.count, 2000) }
        let (reader, keeper) = Self.read(bytes, in: cuts.sorted())
        #expect(reader.messages == count)
        #expect(keeper.messages == texts)
        #expect(keeper.open == nil && reader.isBetweenFrames && !reader.hasClosed)
    }

    @Test(arguments: 0..<500)
    func `any bytes at all are read without a fault, and alike however they are cut`(seed: UInt64) {
        var random = SeededGenerator(state: seed)
        // Few opcodes, and small lengths more often than others, so that frames happen.
        let bytes = (0..<random.number(0...399)).map { _ in
            let small = [0x81, 0x01, 0x80, 0x00, 0x82, 0x02, 0x88, 0x89, 126, 127, 254, 255, 3, 0xC1][
                random.number(0...13)]
            return random.number(0...3) == 0 ? UInt8(random.number(0...255)) : UInt8(small)
        }
        let whole = Self.read(bytes, in: [])
        let cut = Self.read(bytes, in: Array(0..<bytes.count))
        #expect(whole.0.messages == cut.0.messages && whole.0.hasClosed == cut.0.hasClosed)
        #expect(whole.1.messages == cut.1.messages && whole.1.open == cut.1.open)
    }

    @Test func `masked messages are counted, and not fed`() {
        let (reader, keeper) = Self.read(
            Self.frame(1, [1, 2, 3], masked: true) + Self.frame(2, Array(repeating: 0x81, count: 70_000), masked: true)
                + Self.frame(1, [], masked: true) + Self.frame(8, [3, 232], masked: true), in: [3, 5])
        #expect(reader.messages == 3 && reader.hasClosed && reader.isBetweenFrames)
        #expect(keeper.messages.isEmpty && keeper.open == nil)
    }

    @Test func `compressed text is counted, and not fed`() {
        var bytes = Self.frame(1, [1, 2, 3])
        bytes[0] |= 0x40
        let (reader, keeper) = Self.read(bytes + Self.frame(1, [7]), in: [])
        #expect(reader.messages == 2)
        #expect(keeper.messages == [[7]])
    }

    @Test func `an empty message is a message`() {
        let (reader, keeper) = Self.read(Self.frame(1, []) + Self.frame(1, [], length: 8), in: [])
        #expect(reader.messages == 2)
        #expect(keeper.messages == [[], []])
    }

    @Test func `a close frame counts when it is whole`() {
        let bytes = Self.frame(8, [3, 232])
        #expect(!Self.read(Array(bytes.dropLast()), in: []).0.hasClosed)
        #expect(Self.read(bytes, in: []).0.hasClosed)
    }

    @Test(arguments: [
        // A continuation of nothing; a message within a message; reserved opcodes.
        frame(0, []), frame(1, [], isFinal: false) + frame(1, []), frame(3, []), frame(11, []),
        // Control frames in parts, too long, or with a reserved bit.
        frame(9, [], isFinal: false), frame(9, Array(repeating: 0, count: 126)), [0xC9, 0],
        // A length that needs its sign bit.
        [0x81, 127, 128, 0, 0, 0, 0, 0, 0, 0],
    ])
    func `what breaks the rules ends the reading`(start: [UInt8]) {
        let (reader, keeper) = Self.read(start + Self.frame(0, [1]) + Self.frame(1, [2]) + Self.frame(8, []), in: [])
        #expect(reader.messages == 0 && !reader.hasClosed && !reader.isBetweenFrames)
        #expect(keeper.messages.isEmpty)
    }
}
