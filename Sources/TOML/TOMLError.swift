// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Why a text is not TOML, and where. The parser stops at the first fault.
package struct TOMLError: Error, Equatable, CustomStringConvertible {
    package var span: SourceSpan
    /// Never holds more than one character of a value: the value may be a key that lost its quotes.
    package var message: String

    package init(span: SourceSpan, message: String) {
        self.span = span
        self.message = message
    }

    package var description: String { "\(span.line):\(span.column): \(message)" }

    /// toml++ quotes what it could not read: "expected 'true', saw 'tok-…'", "'1234…' is not representable in 64 bits".
    static func withoutValues(_ message: String) -> String {
        var text = Substring(message)
        if text.hasPrefix("Error while parsing ") { text = text.dropFirst("Error while parsing ".count) }
        if text.contains("64 bits") || text.contains("interpret") {
            return text.prefix { $0 != "'" } + "a number is malformed or does not fit into 64 bits"
        }
        if let end = text.range(ofASCII: ", saw '") {
            let seen = text[end.upperBound...].dropLast()
            if seen.count > 1, seen.first != "\\" { text = text[..<end.lowerBound] + ", saw something else" }
        }
        return String(text)
    }
}

extension Substring {
    fileprivate func contains(_ text: String) -> Bool { range(ofASCII: text) != nil }

    /// The first place of an ASCII text; the standard library's own needs Foundation or string processing.
    fileprivate func range(ofASCII text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            formIndex(after: &start)
        }
        return nil
    }
}
