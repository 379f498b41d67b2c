// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Reads one answer from bytes as they come: 1xx heads, the head, the body by its framing, trailers. Holds no bytes but those
/// of a line that was cut.
package struct ResponseReader {
    package enum Step: Equatable {
        /// All input is used; more is needed.
        case needMore
        /// A 1xx head is complete; another head follows.
        case interim(consumed: Int)
        /// The final head is complete.
        case head(consumed: Int)
        /// These input bytes are body; after a 101, the other protocol's.
        case data(Range<Int>)
        /// The answer is over; whatever follows is not its own.
        case end(consumed: Int)
    }

    private enum State {
        case head
        case body(BodyDecoder)
        case untilClose
        case trailers
        case done
    }

    /// The answer has no body, whatever its head says.
    package let isHead: Bool
    private var state = State.head
    private var line: [UInt8] = []

    /// `isHead`: the request was a HEAD, whose answer has no body whatever its head says.
    package init(isHead: Bool = false) { self.isHead = isHead }

    /// The end of the connection is the end of the answer, and not an answer cut off.
    package var endsWithConnection: Bool { if case .untilClose = state { true } else { false } }

    /// The next step in `input`, read from `start`, with `head` to be filled.
    package mutating func next(
        _ input: borrowing Span<UInt8>, from start: Int, into head: inout ResponseHead
    ) throws -> Step {
        var index = start
        while true {
            switch state {
            case .done: return .end(consumed: index)
            case .untilClose: return index < input.count ? .data(index..<input.count) : .needMore
            case .body(var decoder):
                let step = try decoder.next(input, from: index)
                state = .body(decoder)
                switch step {
                case .needMore: return .needMore
                case .data(let range): return .data(range)
                // Chunks leave trailers, if only the blank line.
                case .end(let consumed):
                    index = consumed
                    state = decoder.isOfAnswer ? .trailers : .done
                }
            case .head, .trailers:
                guard let verdict = try readLine(input, &index, &head) else { return .needMore }
                switch verdict {
                case .more, .trailer: break
                case .trailersEnded: state = .done
                case .interim: return .interim(consumed: index)
                case .final:
                    state = try framing(head)
                    return .head(consumed: index)
                }
            }
        }
    }

    private mutating func readLine(
        _ input: borrowing Span<UInt8>, _ index: inout Int, _ head: inout ResponseHead
    ) throws -> ResponseHead.LineVerdict? {
        let start = index
        while index < input.count, input[index] != 10 { index += 1 }
        let isWhole = index < input.count
        if isWhole { index += 1 }
        if line.isEmpty, isWhole { return try head.add(input.extracting(start..<index)) }
        line.append(input, start..<index)
        // Its end will not make it shorter.
        guard isWhole || line.count > ResponseHead.maxBytes else { return nil }
        defer { line = [] }
        return try head.add(line.span)
    }

    private func framing(_ head: ResponseHead) throws -> State {
        if head.status == 101 { return .untilClose }
        if isHead || head.status == 204 || head.status == 304 { return .done }
        if head.isChunked { return .body(try BodyDecoder(.chunked, limit: 1 << 60, ofAnswer: true)) }
        if let length = head.contentLength { return .body(try BodyDecoder(.fixed(length), limit: 1 << 60)) }
        return .untilClose
    }
}
