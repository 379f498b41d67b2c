// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Decides where a request's body ends and whether the connection lives on (RFC 9112 §6, §9.3). Anything that another
/// parser might read differently is refused.
enum RequestFraming {
    private static let chunked = Array("chunked".utf8)
    private static let continuation = Array("100-continue".utf8)

    static func apply(to head: inout RequestHead) throws(HTTPError) {
        let storage = head.bytes
        let bytes = storage.span
        var length: Int?
        var coding: Range<Int>?
        var host: Range<Int>?
        var connection = ConnectionOptions()
        var elements = 0
        for field in head.fields {
            guard let known = field.known else { continue }
            if known.isList {
                elements += ListElements.count(bytes, field.value)
                if elements > ListElements.limit { throw .tooManyElements }
            }
            switch known {
            case .contentLength:
                if length != nil { throw .repeatedContentLength }
                guard let value = decimal(storage, field.value), endsLine(bytes, field.value) else {
                    throw .badContentLength
                }
                length = value
            case .transferEncoding:
                if coding != nil { throw .badTransferEncoding }
                coding = field.value
            case .host:
                if host != nil { throw .repeatedHost }
                guard HostField.isValid(bytes, field.value) else { throw .badHost }
                host = field.value
            case .connection: connection.read(bytes, field.value)
            case .expect:
                guard bytes.equals(continuation, in: field.value) else { throw .badExpectation }
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
            try check(coding, bytes)
            head.framing = .chunked
        } else if let length {
            head.framing = length > 0 ? .fixed(length) : .none
        }
    }

    /// RFC 9112 §6.3: where "chunked" is not the last coding, nobody knows the body's length. Codings before it would be
    /// understood by others, not here.
    private static func check(_ coding: Range<Int>, _ bytes: borrowing Span<UInt8>) throws(HTTPError) {
        guard endsLine(bytes, coding) else { throw .badTransferEncoding }
        if bytes.equals(chunked, in: coding) { return }
        var elements = ListElements(coding)
        var isLast = false
        while let element = elements.next(bytes) {
            // Twice, or with another behind it.
            if isLast { throw .badTransferEncoding }
            isLast = bytes.equals(chunked, in: element)
        }
        throw isLast && coding.count > chunked.count ? .unsupportedTransferEncoding : .badTransferEncoding
    }

    /// No spaces follow. They are no part of a value (RFC 9110 §5.5), but llhttp does not know "chunked" when one does.
    private static func endsLine(_ bytes: borrowing Span<UInt8>, _ value: Range<Int>) -> Bool {
        bytes[value.upperBound] == 13
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
}
