// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CNghttp2

/// A result code of nghttp2, other than success.
package struct HTTP2Error: Error, Sendable, Equatable, CustomStringConvertible {
    package let code: Int32

    package init(code: Int32) { self.code = code }

    package var description: String { "\(String(cString: nghttp2_strerror(code))) (\(code))" }

    /// For memory, and for calls that the library refuses only when it is used wrongly.
    static func check(_ code: Int32) throws(HTTP2Error) { if code != 0 { throw HTTP2Error(code: code) } }
}

/// Why a stream or a connection was ended (RFC 9113 §7).
package struct ErrorCode: RawRepresentable, Sendable, Equatable, CustomStringConvertible {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let noError = ErrorCode(rawValue: 0)
    package static let refusedStream = ErrorCode(rawValue: 7)
    package static let cancel = ErrorCode(rawValue: 8)
    package static let http11Required = ErrorCode(rawValue: 13)

    package var description: String { String(cString: nghttp2_http2_strerror(rawValue)) }
}
