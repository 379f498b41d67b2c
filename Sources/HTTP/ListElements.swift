// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The elements of a value that is a list (RFC 9110 §5.6.1), without the spaces around them; empty ones do not count.
struct ListElements {
    /// Of all fields of one head that are read as lists. A program sends a dozen; each may cost a comparison with every
    /// field.
    static let limit = 64

    private var index: Int
    private let end: Int

    init(_ value: Range<Int>) {
        index = value.lowerBound
        end = value.upperBound
    }

    mutating func next(_ bytes: borrowing Span<UInt8>) -> Range<Int>? {
        while index < end {
            while index < end, ByteClass.isSpace(bytes[index]) || bytes[index] == UInt8(ascii: ",") { index += 1 }
            let start = index
            while index < end, bytes[index] != UInt8(ascii: ",") { index += 1 }
            var last = index
            while last > start, ByteClass.isSpace(bytes[last - 1]) { last -= 1 }
            if last > start { return start..<last }
        }
        return nil
    }

    /// How many there are; stops behind the limit.
    static func count(_ bytes: borrowing Span<UInt8>, _ value: Range<Int>) -> Int {
        var elements = ListElements(value)
        var count = 0
        while count <= limit, elements.next(bytes) != nil { count += 1 }
        return count
    }
}

/// What all Connection fields of a head together say.
struct ConnectionOptions {
    private(set) var saysClose = false
    private(set) var saysKeepAlive = false

    private static let close = Array("close".utf8)
    private static let keepAlive = Array("keep-alive".utf8)

    mutating func read(_ bytes: borrowing Span<UInt8>, _ value: Range<Int>) {
        var elements = ListElements(value)
        while let option = elements.next(bytes) {
            if bytes.equals(Self.close, in: option) { saysClose = true }
            if bytes.equals(Self.keepAlive, in: option) { saysKeepAlive = true }
        }
    }
}
