// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Why a message is refused. Each ends the connection: after it nobody knows where the next message begins.
package enum HTTPError: Error, Sendable, Equatable {
    case badRequestLine
    case badMethod
    case badTarget
    case badVersion
    case badField
    /// A line that continues the field before it (RFC 9112 §5.2 lets a server refuse it).
    case foldedField
    /// A line feed without carriage return, or the reverse.
    case bareLineEnd
    case headTooLarge
    case tooManyFields
    case missingHost
    case repeatedHost
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
        case .badVersion: "The protocol version is not HTTP/1.0 or HTTP/1.1."
        case .badField: "A header field has a forbidden character in its name or value."
        case .foldedField: "A header field is folded over two lines."
        case .bareLineEnd: "A line does not end with CR LF."
        case .headTooLarge: "The request line and header fields are larger than server.max_header_bytes."
        case .tooManyFields: "The request has more than \(RequestParser.maxFields) header fields."
        case .missingHost: "An HTTP/1.1 request needs a Host header."
        case .repeatedHost: "The request has more than one Host header."
        case .badContentLength: "Content-Length is not a plain decimal number."
        case .repeatedContentLength: "The request has more than one Content-Length."
        case .conflictingFraming: "The request has both Content-Length and Transfer-Encoding."
        case .badTransferEncoding: "Transfer-Encoding appears twice, or in an HTTP/1.0 request."
        case .unsupportedTransferEncoding: "The only transfer coding understood is 'chunked'."
        case .badExpectation: "The only expectation understood is '100-continue'."
        case .badChunk: "The chunked body is malformed."
        case .bodyTooLarge: "The request body is larger than server.max_body_bytes."
        }
    }

    package var status: Int {
        switch self {
        case .headTooLarge, .tooManyFields: 431
        case .badMethod, .unsupportedTransferEncoding: 501
        case .badVersion: 505
        case .badExpectation: 417
        case .bodyTooLarge: 413
        default: 400
        }
    }
}
