// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A word, a sign, or the quote that stands for a string.
struct SwiftToken: Equatable {
    let text: String
    let line: Int
    /// Whether it follows the token before it without a space.
    let isGlued: Bool

    static func isWord(_ text: String) -> Bool { text.utf8.first.map(isWordByte) ?? false }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...: true
        default: false
        }
    }

    static func all(in code: [UInt8]) -> [SwiftToken] {
        var tokens: [SwiftToken] = []
        var index = 0
        var line = 1
        var isGlued = false
        while index < code.count {
            let byte = code[index]
            if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n") {
                if byte == UInt8(ascii: "\n") { line += 1 }
                isGlued = false
                index += 1
                continue
            }
            var end = index + 1
            if isWordByte(byte) {
                while end < code.count, isWordByte(code[end]) { end += 1 }
            } else if byte == UInt8(ascii: "-"), end < code.count, code[end] == UInt8(ascii: ">") {
                end += 1
            }
            let text = String(decoding: code[index..<end], as: UTF8.self)
            tokens.append(SwiftToken(text: text, line: line, isGlued: isGlued))
            isGlued = true
            index = end
        }
        return tokens
    }
}

/// What follows `var` or `let` in a type.
enum SwiftBinding {
    /// The properties that it declares. `isComputed` says whether the last one has no storage.
    static func read(
        _ tokens: [SwiftToken], after start: Int
    ) -> (properties: [SwiftDeclarations.Property], isComputed: Bool) {
        var properties: [SwiftDeclarations.Property] = []
        var index = start + 1
        while index < tokens.count {
            let names = names(tokens, &index)
            properties += names.map { SwiftDeclarations.Property(name: $0.text, line: $0.line) }
            switch rest(tokens, &index) {
            case .comma: index += 1
            case .accessors: return (properties, true)
            case .end: return (properties, false)
            }
        }
        return (properties, false)
    }

    private enum Ending { case comma, accessors, end }

    /// One name, or those of a tuple.
    private static func names(_ tokens: [SwiftToken], _ index: inout Int) -> [SwiftToken] {
        guard tokens[index].text == "(" else {
            index += 1
            return [tokens[index - 1]]
        }
        let end = skip(tokens, index)
        defer { index = end }
        return tokens[index..<end].filter { SwiftToken.isWord($0.text) }
    }

    /// The type and the first value, to what ends them.
    private static func rest(_ tokens: [SwiftToken], _ index: inout Int) -> Ending {
        var hasValue = false
        var angles = 0
        while index < tokens.count {
            let token = tokens[index]
            if angles == 0, endsLine(tokens[index - 1], token) { return .end }
            switch token.text {
            case "}", ";": return .end
            case "," where angles == 0: return .comma
            case "=": hasValue = true
            case "{":
                if !hasValue {
                    let first = index + 1 < tokens.count ? tokens[index + 1].text : ""
                    return first == "willSet" || first == "didSet" ? .end : .accessors
                }
                index = skip(tokens, index)
                continue
            case "(", "[":
                index = skip(tokens, index)
                continue
            case "<":
                // In a value "a < b" has spaces, and a generic type has none.
                if !hasValue || (token.isGlued && tokens[index - 1].text.first?.isUppercase == true) { angles += 1 }
            case ">": angles = max(0, angles - 1)
            default: break
            }
            index += 1
        }
        return .end
    }

    /// Past the bracket that closes the one at `start`.
    private static func skip(_ tokens: [SwiftToken], _ start: Int) -> Int {
        var depth = 0
        for index in start..<tokens.count {
            if ["(", "[", "{"].contains(tokens[index].text) { depth += 1 }
            if [")", "]", "}"].contains(tokens[index].text) { depth -= 1 }
            if depth == 0 { return index + 1 }
        }
        return tokens.count
    }

    /// Whether a new line between two tokens ends the declaration.
    private static func endsLine(_ before: SwiftToken, _ after: SwiftToken) -> Bool {
        guard after.line > before.line else { return false }
        let goesOn: Set<String> = [":", "=", ",", "->", ".", "+", "-", "*", "/", "&", "|", "<"]
        let continues: Set<String> = [":", "=", ",", "->", ".", "+", "-", "*", "/", "&", "|", "<", ">", "?", "{"]
        return !goesOn.contains(before.text) && !continues.contains(after.text)
    }
}
