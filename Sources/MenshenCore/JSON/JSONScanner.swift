// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// Reads a JSON text as it comes, in pieces of any size, for the values at some paths. Nothing else is decoded or kept:
/// memory is the wanted values', cut at a limit, and nesting costs none. Of duplicate keys each is reported; the last
/// counts, as it does for the providers. What is skipped is not checked beyond strings and the number of brackets.
package struct JSONScanner: Sendable {
    /// Longest string and number that is kept, in bytes.
    package static let textLimit = 256
    /// Longest object or array that is kept, in bytes. A usage object has about 500.
    package static let rawLimit = 16 << 10

    enum State: Sendable {
        case start, value, valueOrEnd, keyOrEnd, key, inKey, skippedKey, colon, afterValue
        case string, skippedString, literal, skipped, done, failed
    }

    struct Frame: Sendable {
        var node: Int32
        var isObject: Bool
        var start: Int
    }

    let nodes: [JSONPaths.Node]
    private let anyCase: JSONPaths.Child?
    private let textLimit: Int
    private let takesSequence: Bool
    var state = State.start
    /// Open objects and arrays that hold wanted values.
    var stack: [Frame] = []
    /// What the next or present value is to us; -1: nothing.
    var node: Int32 = 0
    /// Brackets open in a skipped value.
    var depth = 0
    var isInString = false
    var isEscaped = false
    var text = JSONText()
    var keepsRaw = false
    /// Of the present value.
    var start = 0
    /// Bytes before this piece.
    var offset = 0

    /// Values since `found` was last cleared, by whoever reads it.
    package var found: [JSONFinding] = []
    /// Offset after the root object's opening brace.
    package private(set) var rootStart: Int?
    /// Offset of the root's closing bracket.
    package private(set) var rootEnd: Int?
    package private(set) var rootIsEmpty = true

    /// `takesSequence`: any number of values may follow one another, as in lines of JSON.
    package init(_ paths: JSONPaths, textLimit: Int = JSONScanner.textLimit, takesSequence: Bool = false) {
        nodes = paths.nodes
        anyCase = paths.anyCase
        self.textLimit = textLimit
        self.takesSequence = takesSequence
    }

    /// The root value has ended.
    package var isComplete: Bool { state == .done }
    /// What came may be all: it ends where a value does. A number or a word has no end of its own.
    package var isWhole: Bool { state == .done || state == .literal && stack.isEmpty }
    /// No value has begun.
    package var isBlank: Bool { state == .start || state == .value && stack.isEmpty }
    /// This is no JSON; nothing more is reported.
    package var isFailed: Bool { state == .failed }

    /// Ready for another text. Keeps its memory.
    package mutating func reset() {
        state = .start
        if !stack.isEmpty { stack.removeAll(keepingCapacity: true) }
        node = 0
        depth = 0
        isInString = false
        isEscaped = false
        text.clear()
        keepsRaw = false
        offset = 0
        if !found.isEmpty { found.removeAll(keepingCapacity: true) }
        rootStart = nil
        rootEnd = nil
        rootIsEmpty = true
    }

    package mutating func feed(_ bytes: Span<UInt8>) {
        let count = bytes.count
        var index = 0
        while index < count {
            switch state {
            case .start: takeMark(bytes[index], &index)
            case .value, .valueOrEnd:
                let byte = bytes[index]
                if Self.isSpace(byte) {
                    index &+= 1
                } else if byte == UInt8(ascii: "]"), state == .valueOrEnd {
                    close(byte, at: offset &+ index)
                    index &+= 1
                } else {
                    begin(byte, at: offset &+ index)
                    index &+= 1
                }
            case .keyOrEnd, .key:
                let byte = bytes[index]
                index &+= 1
                if byte == 0x22 {
                    beginKey(bytes, &index)
                } else if byte == UInt8(ascii: "}"), state == .keyOrEnd {
                    close(byte, at: offset &+ index &- 1)
                } else if !Self.isSpace(byte) {
                    state = .failed
                }
            case .inKey: takeKey(bytes, &index)
            case .skippedKey: if skipString(bytes, &index) { state = .colon }
            case .colon:
                let byte = bytes[index]
                index &+= 1
                if byte == UInt8(ascii: ":") { state = .value } else if !Self.isSpace(byte) { state = .failed }
            case .afterValue:
                afterValue(bytes[index], at: offset &+ index)
                index &+= 1
            case .string: takeString(bytes, &index)
            case .skippedString: if skipString(bytes, &index) { valueEnded() }
            case .literal: takeLiteral(bytes, &index)
            case .skipped: skip(bytes, &index)
            case .done:
                if Self.isSpace(bytes[index]) {
                    index &+= 1
                } else {
                    state = takesSequence ? .value : .failed
                    node = 0
                }
            case .failed: index = count
            }
        }
        offset &+= count
    }

    static func isSpace(_ byte: UInt8) -> Bool {
        byte <= 0x20 && (byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09)
    }

    // MARK: Structure

    /// A byte order mark may stand at the start. `depth` counts its bytes.
    private mutating func takeMark(_ byte: UInt8, _ index: inout Int) {
        switch (depth, byte) {
        case (0, 0xEF), (1, 0xBB): depth &+= 1
        case (2, 0xBF):
            depth = 0
            state = .value
        case (0, _):
            state = .value
            return
        default: state = .failed
        }
        index &+= 1
    }

    private mutating func begin(_ byte: UInt8, at place: Int) {
        start = place
        let isWanted = node >= 0 && nodes[Int(node)].path >= 0
        switch byte {
        case 0x22:
            state = isWanted ? .string : .skippedString
            isEscaped = false
            if isWanted { text.begin(limit: textLimit) }
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            let isObject = byte == UInt8(ascii: "{")
            if stack.isEmpty, isObject { rootStart = place &+ 1 }
            if node >= 0, isObject ? !nodes[Int(node)].children.isEmpty : nodes[Int(node)].element >= 0 {
                stack.append(Frame(node: node, isObject: isObject, start: place))
                if !isObject { node = nodes[Int(node)].element }
                state = isObject ? .keyOrEnd : .valueOrEnd
            } else {
                state = .skipped
                depth = 1
                isInString = false
                isEscaped = false
                keepsRaw = isWanted
                if isWanted {
                    text.begin(limit: Self.rawLimit)
                    text.append(byte)
                }
            }
        case UInt8(ascii: "-"), 48...57, UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"):
            state = .literal
            text.begin(limit: isWanted ? textLimit : 0)
            text.append(byte)
        default: state = .failed
        }
    }

    private mutating func afterValue(_ byte: UInt8, at place: Int) {
        switch byte {
        case UInt8(ascii: ","):
            guard let frame = stack.last else { return state = .failed }
            if frame.isObject {
                state = .key
            } else {
                node = nodes[Int(frame.node)].element
                state = .value
            }
        case UInt8(ascii: "}"), UInt8(ascii: "]"): close(byte, at: place)
        default: if !Self.isSpace(byte) { state = .failed }
        }
    }

    private mutating func close(_ byte: UInt8, at place: Int) {
        guard let frame = stack.popLast(), frame.isObject == (byte == UInt8(ascii: "}")) else { return state = .failed }
        let path = nodes[Int(frame.node)].path
        if path >= 0 {
            found.append(
                JSONFinding(
                    path: Int(path), kind: frame.isObject ? .object : .array, text: [], isWhole: true,
                    isEmpty: state == .keyOrEnd || state == .valueOrEnd, range: frame.start..<place &+ 1))
        }
        if stack.isEmpty { rootEnd = place }
        valueEnded()
    }

    private mutating func valueEnded() { state = stack.isEmpty ? .done : .afterValue }

    // MARK: Keys

    private mutating func beginKey(_ bytes: Span<UInt8>, _ index: inout Int) {
        guard let frame = stack.last else { return state = .failed }
        if stack.count == 1 { rootIsEmpty = false }
        // Usual: a short key, whole in this piece and without escapes.
        let longest = nodes[Int(frame.node)].longestKey
        let limit = min(bytes.count, index &+ longest &+ 1)
        let end = ByteSearch.endOfPlain(bytes, from: index, limit: limit)
        if end < limit, bytes[end] == 0x22 {
            node = child(of: frame.node, bytes.extracting(index..<end))
            index = end &+ 1
            state = .colon
            if index < bytes.count, bytes[index] == UInt8(ascii: ":") {
                index &+= 1
                state = .value
            }
        } else if end == limit, end == index &+ longest &+ 1 {
            // Longer than any that is wanted; an escape would only have made it longer still.
            node = -1
            index = end
            isEscaped = false
            state = .skippedKey
        } else {
            text.begin(limit: longest)
            state = .inKey
        }
    }

    private mutating func takeKey(_ bytes: Span<UInt8>, _ index: inout Int) {
        while index < bytes.count {
            // Byte by byte, so that a key that gets too long is given up at the same place however it is cut.
            var place = 0
            switch text.take(bytes.extracting(index..<index &+ 1), &place) {
            case .more: break
            case .bad:
                state = .failed
                return
            case .end:
                index &+= 1
                let key = text.bytes
                node = text.isTooLong ? -1 : child(of: stack.last?.node ?? 0, key.span)
                state = .colon
                return
            }
            index &+= 1
            if text.isTooLong {
                node = -1
                isEscaped = false
                state = .skippedKey
                return
            }
        }
    }

    /// Changes nothing; as `mutating` it is read in place, and not copied for each key.
    private mutating func child(of parent: Int32, _ key: Span<UInt8>) -> Int32 {
        let head = ByteSearch.head(key)
        for child in nodes[Int(parent)].children where child.head == head && child.key.count == key.count {
            var index = 8
            while index < key.count, child.key[index] == key[index] { index &+= 1 }
            if index >= key.count { return child.node }
        }
        if let anyCase, parent == 0, anyCase.matches(head, key.count) { return anyCase.node }
        return -1
    }

    // MARK: Values

    private mutating func report(_ kind: JSONFinding.Kind, end: Int) {
        guard node >= 0 else { return }
        if found.capacity == 0 { found.reserveCapacity(8) }
        found.append(
            JSONFinding(
                path: Int(nodes[Int(node)].path), kind: kind, text: text.copy(),
                isWhole: !text.isTooLong, range: start..<end))
    }

    private mutating func takeString(_ bytes: Span<UInt8>, _ index: inout Int) {
        switch text.take(bytes, &index) {
        case .more: break
        case .bad: state = .failed
        case .end:
            report(.string, end: offset &+ index)
            valueEnded()
        }
    }

    private mutating func takeLiteral(_ bytes: Span<UInt8>, _ index: inout Int) {
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"), 0x20, 0x09, 0x0A, 0x0D:
                return literalEnded(at: offset &+ index)
            default:
                text.append(bytes[index])
                index &+= 1
            }
        }
    }

    private mutating func literalEnded(at end: Int) {
        defer { if state != .failed { valueEnded() } }
        guard node >= 0, nodes[Int(node)].path >= 0 else { return }
        switch text.bytes.first {
        case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"):
            let kind: JSONFinding.Kind
            switch (text.bytes.count, ByteSearch.head(text.bytes.span)) {
            case (4, 0x6575_7274): kind = .true
            case (5, 0x65_736C_6166): kind = .false
            case (4, 0x6C6C_756E): kind = .null
            default: return state = .failed
            }
            text.clear()
            report(kind, end: end)
        default: report(.number, end: end)
        }
    }

    private mutating func skip(_ bytes: Span<UInt8>, _ index: inout Int) {
        let begin = index
        while index < bytes.count, depth > 0 {
            if isInString {
                if !skipString(bytes, &index) { break }
                isInString = false
                continue
            }
            switch bytes[index] {
            case 0x22:
                isInString = true
                isEscaped = false
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth &+= 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth &-= 1
            default: break
            }
            index &+= 1
        }
        if keepsRaw { text.append(bytes.extracting(begin..<index)) }
        guard depth == 0 else { return }
        if stack.isEmpty { rootEnd = offset &+ index &- 1 }
        if keepsRaw { report(text.bytes.first == UInt8(ascii: "[") ? .array : .object, end: offset &+ index) }
        valueEnded()
    }

    /// True when the string has ended; `index` is after its quote then.
    private mutating func skipString(_ bytes: Span<UInt8>, _ index: inout Int) -> Bool {
        if isEscaped {
            isEscaped = false
            index &+= 1
        }
        let count = bytes.count
        while index < count {
            index = ByteSearch.quoteOrBackslash(bytes, from: index)
            if index >= count { return false }
            let byte = bytes[index]
            index &+= 1
            if byte == 0x22 { return true }
            if byte == 0x5C {
                if index == count {
                    isEscaped = true
                    return false
                }
                index &+= 1
            }
        }
        return false
    }
}
