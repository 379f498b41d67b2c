// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Decides where a request's body ends and whether the connection lives on (RFC 9112 §6, §9.3). Anything that another
/// parser might read differently is refused.
enum RequestFraming {
    static func apply(to head: inout RequestHead) throws(HTTPError) {
        var length: Int?
        var coding: Range<Int>?
        var host: Range<Int>?
        var connection = Connection()
        for field in head.fields {
            switch field.known {
            case .contentLength:
                if length != nil { throw .repeatedContentLength }
                guard let value = decimal(head.bytes, field.value), endsLine(head, field.value) else {
                    throw .badContentLength
                }
                length = value
            case .transferEncoding:
                if coding != nil { throw .badTransferEncoding }
                coding = field.value
            case .host:
                if host != nil { throw .repeatedHost }
                host = field.value
            case .connection:
                connection.read(head.bytes[field.value])
            case .expect:
                guard head.bytes.span.equals(Array("100-continue".utf8), in: field.value) else { throw .badExpectation }
                // RFC 9110 §10.1.1: a server ignores it in an HTTP/1.0 request.
                head.expectsContinue = head.isHTTP11
            default: break
            }
        }
        // "close" wins over "keep-alive", wherever it stands.
        head.keepAlive = !connection.saysClose && (head.isHTTP11 || connection.saysKeepAlive)
        if host == nil, head.isHTTP11 { throw .missingHost }
        if head.host == nil { head.host = host }
        if let coding {
            if length != nil { throw .conflictingFraming }
            if !head.isHTTP11 { throw .badTransferEncoding }
            guard head.bytes.span.equals(Array("chunked".utf8), in: coding), endsLine(head, coding) else {
                throw .unsupportedTransferEncoding
            }
            head.framing = .chunked
        } else if let length {
            head.framing = length > 0 ? .fixed(length) : .none
        }
    }

    /// No spaces follow. They are no part of a value (RFC 9110 §5.5), but llhttp does not know "chunked" when one does.
    private static func endsLine(_ head: RequestHead, _ value: Range<Int>) -> Bool {
        head.bytes[value.upperBound] == 13
    }

    /// Digits only, at most 18 of them, so it always fits.
    static func decimal(_ bytes: [UInt8], _ range: Range<Int>) -> Int? {
        guard !range.isEmpty, range.count <= 18 else { return nil }
        var value = 0
        for byte in bytes[range] {
            guard (48...57).contains(byte) else { return nil }
            value = value * 10 + Int(byte - 48)
        }
        return value
    }

    /// What all Connection fields together say.
    struct Connection {
        var saysClose = false
        var saysKeepAlive = false

        mutating func read(_ value: ArraySlice<UInt8>) {
            for option in value.split(separator: UInt8(ascii: ",")) {
                switch trimmedLowercase(option) {
                case "close": saysClose = true
                case "keep-alive": saysKeepAlive = true
                default: break
                }
            }
        }
    }

    static func trimmedLowercase(_ bytes: ArraySlice<UInt8>) -> String {
        var part = bytes
        while let first = part.first, ByteClass.isSpace(first) { part = part.dropFirst() }
        while let last = part.last, ByteClass.isSpace(last) { part = part.dropLast() }
        return String(decoding: part.map(\.lowercased), as: UTF8.self)
    }
}
