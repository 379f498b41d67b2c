// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Why a message is refused. Each ends the connection: after it nobody knows where the next message begins.
package enum HTTPError: Error, Sendable, Equatable {
    case badRequestLine
    case badMethod
    case badTarget
    case badVersion
    case targetTooLong
    case badField
    /// A line that continues the field before it (RFC 9112 §5.2 lets a server refuse it).
    case foldedField
    /// A line feed without carriage return, or the reverse.
    case bareLineEnd
    case headTooLarge
    case tooManyFields
    case tooManyElements
    case missingHost
    case repeatedHost
    case badHost
    case badContentLength
    case repeatedContentLength
    /// Content-Length beside Transfer-Encoding: the classic smuggling shape.
    case conflictingFraming
    case badTransferEncoding
    case unsupportedTransferEncoding
    case badExpectation
    case badChunk
    case bodyTooLarge

    /// What the caller is told; one plain sentence.
    package var explanation: String {
        switch self {
        case .badRequestLine: "The request line is not 'METHOD target HTTP/1.1'."
        case .badMethod: "The request method is not one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS."
        case .badTarget: "The request target is not an absolute path of visible ASCII characters."
        case .badVersion: "The protocol version is not HTTP/1.0 or HTTP/1.1. menshen does not speak HTTP/2 to callers."
        case .targetTooLong:
            "The request target is longer than \(RequestParser.maxTargetBytes) bytes, or has more than \(RequestParser.maxTargetParts) '/' and '&'."
        case .badField: "A header field has a forbidden character in its name or value."
        case .foldedField: "A header field is folded over two lines."
        case .bareLineEnd: "A line does not end with CR LF."
        case .headTooLarge: "The request line and header fields are larger than server.max_header_bytes."
        case .tooManyFields: "The request has more than \(RequestParser.maxFields) header fields."
        case .tooManyElements:
            "Connection, Upgrade, Accept-Encoding, Cache-Control, Pragma and Sec-WebSocket-Protocol list more than \(ListElements.limit) elements."
        case .missingHost: "An HTTP/1.1 request needs a Host header."
        case .repeatedHost: "The request has more than one Host header."
        case .badHost: "The Host header is not a name or an address with an optional port."
        case .badContentLength: "Content-Length is not a plain decimal number."
        case .repeatedContentLength: "The request has more than one Content-Length."
        case .conflictingFraming: "The request has both Content-Length and Transfer-Encoding."
        case .badTransferEncoding:
            "Transfer-Encoding appears twice, does not end with 'chunked' alone, or is in an HTTP/1.0 request."
        case .unsupportedTransferEncoding: "menshen understands no transfer coding but 'chunked'."
        case .badExpectation: "menshen understands no expectation but '100-continue'."
        case .badChunk: "The chunked body is malformed."
        case .bodyTooLarge: "The request body is larger than server.max_body_bytes."
        }
    }

    /// Nothing is wrong but that there is too much of it.
    package var isExcess: Bool { [413, 414, 431].contains(status) }

    package var status: Int {
        switch self {
        case .headTooLarge, .tooManyFields, .tooManyElements: 431
        case .targetTooLong: 414
        case .badMethod, .unsupportedTransferEncoding: 501
        case .badVersion: 505
        case .badExpectation: 417
        case .bodyTooLarge: 413
        default: 400
        }
    }
}
