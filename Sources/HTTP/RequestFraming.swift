// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors


/// Decides where a request's body ends and whether the connection lives on (RFC 9112 §6, §9.3). Anything that another
/// parser might read differently is refused.
enum RequestFraming {
    static func apply(to head: inout RequestHead) throws(HTTPError) {
        var length: Int?
        var coding: Range<Int>?
        var host: Range<Int>?
        head.keepAlive = head.isHTTP11
        for field in head.fields {
            switch field.known {
            case .contentLength:
                if length != nil { throw .repeatedContentLength }
                guard let value = decimal(head.bytes, field.value) else { throw .badContentLength }
                length = value
            case .transferEncoding:
                if coding != nil { throw .badTransferEncoding }
                coding = field.value
            case .host:
                if host != nil { throw .repeatedHost }
                host = field.value
            case .connection:
                readConnection(&head, field.value)
            case .expect:
                guard head.bytes.span.equals(Array("100-continue".utf8), in: field.value) else { throw .badExpectation }
                // RFC 9110 §10.1.1: a server ignores it in an HTTP/1.0 request.
                head.expectsContinue = head.isHTTP11
            default: break
            }
        }
        if host == nil, head.isHTTP11 { throw .missingHost }
        if head.host == nil { head.host = host }
        if let coding {
            if length != nil { throw .conflictingFraming }
            if !head.isHTTP11 { throw .badTransferEncoding }
            guard head.bytes.span.equals(Array("chunked".utf8), in: coding) else { throw .unsupportedTransferEncoding }
            head.framing = .chunked
        } else if let length {
            head.framing = length > 0 ? .fixed(length) : .none
        }
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

    private static func readConnection(_ head: inout RequestHead, _ range: Range<Int>) {
        for option in head.bytes[range].split(separator: UInt8(ascii: ",")) {
            switch trimmedLowercase(option) {
            case "close": head.keepAlive = false
            case "keep-alive" where !head.isHTTP11: head.keepAlive = true
            default: break
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
