// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Frames a stream of server-sent events as it comes, in pieces of any size. No line is kept: the data of an event is
/// handed on piece by piece. Event names and ids are passed over; the APIs repeat the name inside the data.
package struct EventStream: Sendable {
    package enum Token: Sendable, Equatable {
        /// Bytes of the event's data. A line break between two lines of data is not handed on.
        case data(Range<Int>)
        /// A second or later line of data begins.
        case nextLine
        /// A blank line ended an event that has data.
        case dispatch
        /// Up to here the stream holds no part of an event: a comment, a blank line, the mark.
        case passed
        /// The piece is used up.
        case more
    }

    private enum State: Sendable {
        case mark, lineStart, name, afterColon, data, skipped
    }

    private var state = State.mark
    /// Bytes of the mark, or of the field's name, taken so far.
    private var taken = 0
    private var isData = false
    /// The event has a line of data.
    private var hasData = false
    /// The event has a field of any kind.
    private var hasField = false
    private var endedWithCR = false

    package init() {}

    /// What came so far ends between two events: another may be written behind it.
    package var isAtBoundary: Bool { (state == .lineStart || state == .mark && taken == 0) && !hasField }

    /// The byte order mark, first byte lowest.
    private static let mark: UInt64 = 0xBF_BBEF
    /// "data", first byte lowest.
    private static let dataName: UInt64 = 0x6174_6164

    /// The next token from `index` on. Call until `.more`.
    package mutating func next(_ bytes: Span<UInt8>, _ index: inout Int) -> Token {
        let count = bytes.count
        while index < count {
            let byte = bytes[index]
            switch state {
            case .mark:
                if readMark(byte, &index) { return .passed }
            case .lineStart:
                if byte == 10, endedWithCR {
                    endedWithCR = false
                    index &+= 1
                    if hasField { continue }
                    return .passed
                }
                endedWithCR = false
                if byte == 10 || byte == 13 {
                    endedWithCR = byte == 13
                    index &+= 1
                    hasField = false
                    if hasData {
                        hasData = false
                        return .dispatch
                    }
                    return .passed
                }
                state = .name
                taken = 0
                isData = true
            case .name:
                if byte == UInt8(ascii: ":") {
                    index &+= 1
                    // A line that begins with a colon is a comment.
                    if taken > 0 { hasField = true }
                    isData = isData && taken == 4
                    state = isData ? .afterColon : .skipped
                    if isData {
                        defer { hasData = true }
                        if hasData { return .nextLine }
                    }
                } else if byte == 10 || byte == 13 {
                    hasField = true
                    if isData && taken == 4 { hasData = true }
                    endLine(byte, &index)
                } else {
                    isData = isData && taken < 4 && byte == ByteSearch.byte(Self.dataName, taken)
                    taken &+= 1
                    index &+= 1
                }
            case .afterColon:
                if byte == 0x20 { index &+= 1 }
                state = .data
            case .data, .skipped:
                let start = index
                index = Self.endOfLine(bytes, from: index)
                let isPiece = state == .data && index > start
                if index < count { endLine(bytes[index], &index) }
                if isPiece { return .data(start..<(state == .lineStart ? index &- 1 : index)) }
                if state == .lineStart, !hasField { return .passed }
            }
        }
        return .more
    }

    /// True once the mark is whole. One that is not begins a field that is passed over.
    private mutating func readMark(_ byte: UInt8, _ index: inout Int) -> Bool {
        guard byte == ByteSearch.byte(Self.mark, taken) else {
            state = taken == 0 ? .lineStart : .skipped
            hasField = taken > 0
            return false
        }
        index &+= 1
        taken &+= 1
        if taken == 3 { state = .lineStart }
        return taken == 3
    }

    private mutating func endLine(_ byte: UInt8, _ index: inout Int) {
        endedWithCR = byte == 13
        index &+= 1
        state = .lineStart
    }

    private static func endOfLine(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        let count = bytes.count
        let raw = unsafe bytes.bytes
        while index &+ 8 <= count {
            // SAFETY: every bit pattern is a UInt64, and the load checks its bounds.
            let word = unsafe raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            let marks = ByteSearch.marks(word, below: 14)
            index &+= marks != 0 ? marks.trailingZeroBitCount >> 3 : 8
            if marks == 0 { continue }
            if bytes[index] == 10 || bytes[index] == 13 { return index }
            index &+= 1
        }
        while index < count, bytes[index] != 10, bytes[index] != 13 { index &+= 1 }
        return index
    }
}
