// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Refuses keys with very many dots before toml++ sees them: each dot nests a table, and toml++ frees nested tables
/// by recursion, so `a.a.a…` would overflow the stack. (It bounds nested arrays and inline tables itself.)
enum KeyDepth {
    /// Dots outside strings and comments in one statement, so 64 nested values can hold no more either.
    static let maxDots = 500

    static func check(_ bytes: [UInt8]) throws(TOMLError) {
        var line = 1
        var dots = 0
        var brackets = 0
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\n"):
                line += 1
                if brackets == 0 { dots = 0 }
            case UInt8(ascii: "#"):
                while index + 1 < bytes.count, bytes[index + 1] != UInt8(ascii: "\n") { index += 1 }
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                index = endOfString(bytes, from: index, &line)
            case UInt8(ascii: "["), UInt8(ascii: "{"): brackets += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"): brackets = max(0, brackets - 1)
            case UInt8(ascii: "."):
                dots += 1
                if dots > maxDots {
                    throw TOMLError(span: SourceSpan(line: line, column: 1), message: "more than \(maxDots) dots")
                }
            default: break
            }
            index += 1
        }
    }

    /// Index of the string's last byte. A single-line string ends at the line's end at the latest.
    private static func endOfString(_ bytes: [UInt8], from start: Int, _ line: inout Int) -> Int {
        let quote = bytes[start]
        let isLong = start + 2 < bytes.count && bytes[start + 1] == quote && bytes[start + 2] == quote
        var index = start + (isLong ? 3 : 1)
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\n") {
                if !isLong { return index - 1 }
                line += 1
            } else if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                // An escaped line end in a long string still ends a line.
                if index + 1 < bytes.count, bytes[index + 1] != UInt8(ascii: "\n") { index += 1 }
            } else if byte == quote {
                if !isLong { return index }
                // Up to two quotes may stand directly before the closing three.
                var run = 1
                while run < 5, index + run < bytes.count, bytes[index + run] == quote { run += 1 }
                if run >= 3 { return index + run - 1 }
                index += run - 1
            }
            index += 1
        }
        return bytes.count
    }
}
