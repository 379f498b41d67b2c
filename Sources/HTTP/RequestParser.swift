// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Reads request heads, strictly: what two parsers could read in two ways is refused. Holds only how far it has looked,
/// so a head that arrives byte by byte costs one look per byte.
package struct RequestParser {
    /// SDKs send about 20 fields; 128 leaves room for tracing and platform headers.
    package static let maxFields = 128
    /// RFC 9110 §4.1 asks for 8,000 octets at least. Paths and queries are taken apart before the caller is known.
    package static let maxTargetBytes = 8 << 10
    /// Of '/' and '&' in a target: each begins a part that is looked at by itself. APIs have a dozen.
    package static let maxTargetParts = 256

    package enum Outcome {
        case needMore
        /// `consumed` bytes of the input belong to the head, the blank line included.
        case head(RequestHead, consumed: Int)
    }

    /// Bytes of the current head that hold no end of it.
    private var scanned = 0

    package init() {}

    /// Reads a head from the start of `input`; `limit` bounds its bytes.
    package mutating func parse(_ input: borrowing Span<UInt8>, limit: Int) throws(HTTPError) -> Outcome {
        var start = 0
        // RFC 9112 §2.2: a server ignores an empty line before the request line.
        while start + 1 < input.count, input[start] == 13, input[start + 1] == 10 {
            start += 2
            if start > 8 { throw .badRequestLine }
        }
        try refuseEarly(input, from: start)
        guard let end = findEnd(input, from: max(start, scanned)) else {
            if input.count - start > limit { throw .headTooLarge }
            scanned = max(start, input.count - 3)
            return .needMore
        }
        if end - start > limit { throw .headTooLarge }
        scanned = 0
        var head = RequestHead()
        head.bytes = input.copy(start..<end)
        try Self.read(&head)
        return .head(head, consumed: end)
    }

    /// Index after the blank line.
    private func findEnd(_ input: borrowing Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index + 3 < input.count {
            switch input[index + 3] {
            case 10:
                if input[index + 2] == 13, input[index + 1] == 10, input[index] == 13 { return index + 4 }
                index += 2
            case 13: index += 1
            default: index += 4
            }
        }
        return nil
    }

    /// Garbage (a TLS hello, a binary protocol) is refused at its first byte, not when the header timer runs out; and
    /// for the same reason however its bytes arrive.
    private func refuseEarly(_ input: borrowing Span<UInt8>, from start: Int) throws(HTTPError) {
        guard start < input.count, input[start] != 13 else { return }
        if !(65...90).contains(input[start]) { throw .badRequestLine }
    }

    private static func read(_ head: inout RequestHead) throws(HTTPError) {
        var cursor = try readRequestLine(&head)
        head.fields.reserveCapacity(16)
        let storage = head.bytes
        let bytes = storage.span
        while !(bytes[cursor] == 13 && bytes[cursor + 1] == 10) {
            if head.fields.count == maxFields { throw .tooManyFields }
            let field: RequestHead.Field
            (field, cursor) = try FieldLine.read(bytes, from: cursor)
            head.fields.append(field)
        }
        try RequestFraming.apply(to: &head)
    }

    /// Returns the index of the first field line.
    private static func readRequestLine(_ head: inout RequestHead) throws(HTTPError) -> Int {
        let storage = head.bytes
        let bytes = storage.span
        var index = 0
        while index < bytes.count, bytes[index] != 0x20 {
            guard ByteClass.isToken(bytes[index]) else { throw .badRequestLine }
            index += 1
        }
        let method = RequestHead.Method(bytes, in: 0..<index)
        let target = index + 1
        index = target
        while index < bytes.count, ByteClass.isTarget(bytes[index]) { index += 1 }
        guard index > target, index < bytes.count, bytes[index] == 0x20 else { throw .badTarget }
        head.target = target..<index
        let version = index + 1
        head.isHTTP11 = try readVersion(bytes, version)
        // What is wrong with the line as such comes first.
        guard let method else { throw .badMethod }
        head.method = method
        try checkSize(bytes, head.target)
        try readTargetForm(&head)
        return version + 10
    }

    private static let protocolName = Array("HTTP/".utf8)

    /// "HTTP/1.x" CR LF; false for HTTP/1.0.
    private static func readVersion(_ bytes: borrowing Span<UInt8>, _ start: Int) throws(HTTPError) -> Bool {
        guard start + 10 <= bytes.count, bytes.holds(protocolName, in: start..<start + 5), 48...57 ~= bytes[start + 5],
            bytes[start + 6] == UInt8(ascii: "."), 48...57 ~= bytes[start + 7]
        else { throw .badRequestLine }
        if bytes[start + 8] == 10 { throw .bareLineEnd }
        guard bytes[start + 8] == 13, bytes[start + 9] == 10 else { throw .badRequestLine }
        switch (bytes[start + 5], bytes[start + 7]) {
        case (UInt8(ascii: "1"), UInt8(ascii: "1")): return true
        case (UInt8(ascii: "1"), UInt8(ascii: "0")): return false
        default: throw .badVersion
        }
    }

    private static func checkSize(_ bytes: borrowing Span<UInt8>, _ target: Range<Int>) throws(HTTPError) {
        if target.count > maxTargetBytes { throw .targetTooLong }
        var parts = 0
        for index in target where bytes[index] == UInt8(ascii: "/") || bytes[index] == UInt8(ascii: "&") { parts += 1 }
        if parts > maxTargetParts { throw .targetTooLong }
    }

    private static func readTargetForm(_ head: inout RequestHead) throws(HTTPError) {
        let storage = head.bytes
        let bytes = storage.span
        let first = bytes[head.target.lowerBound]
        if first == UInt8(ascii: "/") { return }
        if first == UInt8(ascii: "*"), head.target.count == 1, head.method == .options { return }
        // absolute-form: http://authority/path
        let scheme = Array("http://".utf8)
        guard head.target.count > scheme.count,
            bytes.equals(scheme, in: head.target.lowerBound..<head.target.lowerBound + scheme.count)
        else { throw .badTarget }
        let authority = head.target.lowerBound + scheme.count
        guard let slash = head.bytes[authority..<head.target.upperBound].firstIndex(of: UInt8(ascii: "/")),
            slash > authority, head.bytes[authority..<slash].allSatisfy(isAuthority)
        else { throw .badTarget }
        head.host = authority..<slash
        head.target = slash..<head.target.upperBound
    }

    /// A name, an address and a port; what else RFC 3986 §3.2 allows there (users, escapes) no client of ours sends.
    private static func isAuthority(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "["),
            UInt8(ascii: "]"):
            true
        default: false
        }
    }
}
