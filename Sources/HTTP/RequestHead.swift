// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A request line and its fields. Owns one copy of the bytes; everything else is a range into it.
package struct RequestHead: Sendable {
    package struct Field: Sendable {
        package var name: Range<Int>
        package var value: Range<Int>
        /// nil for a field menshen does not act upon.
        package var known: FieldName?
    }

    package enum Method: String, Sendable, CaseIterable {
        case get = "GET"
        case head = "HEAD"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
        case options = "OPTIONS"

        /// It changes nothing, however often it is read.
        package var isSafe: Bool { self == .get || self == .head }

        private static let names = allCases.map { (method: $0, bytes: Array($0.rawValue.utf8)) }

        /// Case counts in methods.
        init?(_ bytes: borrowing Span<UInt8>, in range: Range<Int>) {
            for name in Self.names where bytes.holds(name.bytes, in: range) {
                self = name.method
                return
            }
            return nil
        }
    }

    package enum Framing: Sendable, Equatable {
        case none
        case fixed(Int)
        case chunked
    }

    package var bytes: [UInt8] = []
    package var method = Method.get
    /// Origin form, or "*" of OPTIONS; the path of an absolute-form target.
    package var target = 0..<0
    /// From Host, or from an absolute-form target, which wins (RFC 9112 §3.2.2).
    package var host: Range<Int>?
    package var isHTTP11 = true
    package var fields: [Field] = []
    package var framing = Framing.none
    package var keepAlive = true
    package var expectsContinue = false

    package init() {}

    package func text(_ range: Range<Int>) -> String { bytes.text(range) }

    /// The first field of that name.
    package func first(_ name: FieldName) -> Range<Int>? { fields.first { $0.known == name }?.value }

    /// Whether `lowercase` stands in a value, ASCII capitals counting as small letters.
    package func contains(_ lowercase: [UInt8], in range: Range<Int>) -> Bool {
        bytes.span.contains(lowercase, in: range)
    }

    /// Path of the target, without its query.
    package var path: Range<Int> {
        let question = bytes[target].firstIndex(of: UInt8(ascii: "?")) ?? target.upperBound
        return target.lowerBound..<question
    }

    /// Query of the target, without the question mark; nil if it has none.
    package var query: Range<Int>? {
        let end = path.upperBound
        return end < target.upperBound ? end + 1..<target.upperBound : nil
    }
}
