// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A Swift source taken apart into code and words: comments and the contents of strings are blanked in `code`, line for
/// line, and stand in `words`. Knows nested comments, raw and multi-line strings, and code inside of strings. Does not
/// know regex literals, of which there are none here.
struct SwiftText {
    /// One comment, whose lines may be several `//`, or one string.
    struct Words {
        let isComment: Bool
        let line: Int
        fileprivate(set) var lastLine: Int
        fileprivate(set) var text: String
    }

    private(set) var code: [UInt8] = []
    private(set) var words: [Words] = []

    private enum Frame {
        /// Code inside of a string, up to the parenthesis that closes it.
        case interpolation(depth: Int)
        case string(hashes: Int, isMultiline: Bool, line: Int, text: [UInt8])
    }

    private let source: [UInt8]
    private var index = 0
    private var line = 1
    private var frames: [Frame] = []

    init(_ text: String) {
        source = Array(text.utf8)
        code.reserveCapacity(source.count)
        while index < source.count {
            if case .string = frames.last { readString() } else { readCode() }
        }
    }

    // MARK: Code

    private mutating func readCode() {
        switch source[index] {
        case UInt8(ascii: "/"):
            if starts("//") { return readLineComment() }
            if starts("/*") { return readBlockComment() }
            keep()
        case UInt8(ascii: "`"): readQuotedName()
        case UInt8(ascii: "\""), UInt8(ascii: "#"):
            if !openString() { keep() }
        case UInt8(ascii: "("):
            nest(1)
            keep()
        case UInt8(ascii: ")"):
            nest(-1)
            keep()
        default: keep()
        }
    }

    private mutating func nest(_ step: Int) {
        guard case .interpolation(let depth) = frames.last else { return }
        frames.removeLast()
        if depth + step > 0 { frames.append(.interpolation(depth: depth + step)) }
    }

    /// A name in backticks is one word of code, whatever stands in it.
    private mutating func readQuotedName() {
        keep(as: UInt8(ascii: "_"))
        while index < source.count, source[index] != UInt8(ascii: "`"), source[index] != newline {
            keep(as: UInt8(ascii: "_"))
        }
        if index < source.count, source[index] != newline { keep(as: UInt8(ascii: "_")) }
    }

    private mutating func readLineComment() {
        var text: [UInt8] = []
        while index < source.count, source[index] != newline {
            text.append(source[index])
            keep(as: blank)
        }
        let words = Words(isComment: true, line: line, lastLine: line, text: String(decoding: text, as: UTF8.self))
        if let last = self.words.last, last.isComment, last.lastLine == line - 1 {
            self.words[self.words.count - 1].text += "\n" + words.text
            self.words[self.words.count - 1].lastLine = line
        } else {
            self.words.append(words)
        }
    }

    private mutating func readBlockComment() {
        let first = line
        var text: [UInt8] = []
        var depth = 0
        repeat {
            let step = starts("/*") ? 1 : starts("*/") ? -1 : 0
            depth += step
            for _ in 0..<(step == 0 ? 1 : 2) {
                text.append(source[index])
                keep(as: blank)
            }
        } while depth > 0 && index < source.count
        words.append(
            Words(isComment: true, line: first, lastLine: line, text: String(decoding: text, as: UTF8.self)))
    }

    // MARK: Strings

    /// At a quote, or at signs `#` that may come before one. A quote is kept in the code, so that there is a token.
    private mutating func openString() -> Bool {
        var hashes = 0
        while index + hashes < source.count, source[index + hashes] == UInt8(ascii: "#") { hashes += 1 }
        guard index + hashes < source.count, source[index + hashes] == UInt8(ascii: "\"") else { return false }
        for _ in 0..<hashes { keep(as: blank) }
        let isMultiline = starts("\"\"\"")
        keep()
        if isMultiline { for _ in 0..<2 { keep(as: blank) } }
        frames.append(.string(hashes: hashes, isMultiline: isMultiline, line: line, text: []))
        return true
    }

    private mutating func readString() {
        guard case .string(let hashes, let isMultiline, let first, var text) = frames.removeLast() else { return }
        let mark = String(repeating: "#", count: hashes)
        let end = (isMultiline ? "\"\"\"" : "\"") + mark
        while index < source.count {
            if starts("\\" + mark + "(") {
                for _ in 0...hashes { keep(as: blank) }
                keep()
                frames.append(.string(hashes: hashes, isMultiline: isMultiline, line: first, text: text + [blank]))
                frames.append(.interpolation(depth: 1))
                return
            }
            if starts(end) || (!isMultiline && source[index] == newline) {
                if source[index] != newline { for _ in 0..<end.utf8.count { keep(as: blank) } }
                break
            }
            let count = starts("\\" + mark) ? 2 + hashes : 1
            for _ in 0..<min(count, source.count - index) {
                text.append(source[index])
                keep(as: blank)
            }
        }
        words.append(
            Words(isComment: false, line: first, lastLine: line, text: String(decoding: text, as: UTF8.self)))
    }

    // MARK: Bytes

    private var newline: UInt8 { UInt8(ascii: "\n") }
    private var blank: UInt8 { UInt8(ascii: " ") }

    private func starts(_ text: String) -> Bool {
        var place = index
        for byte in text.utf8 {
            guard place < source.count, source[place] == byte else { return false }
            place += 1
        }
        return true
    }

    /// One byte on, as it is or as another. A newline stays one.
    private mutating func keep(as other: UInt8? = nil) {
        let byte = source[index]
        code.append(byte == newline ? byte : other ?? byte)
        if byte == newline { line += 1 }
        index += 1
    }
}
