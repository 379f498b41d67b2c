// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore

/// A value at a wanted path.
struct JSONFound: Equatable {
    var path: Int
    var kind: JSONFinding.Kind
    var range: Range<Int>
    /// nil if it is too long, or was looked into.
    var text: [UInt8]?
}

/// JSON by the book (RFC 8259), as simply as can be: recursion over a whole text, values kept as they come. Independent
/// of the scanner but for what is to be reported and when.
struct JSONReference {
    enum Step: Equatable { case key([UInt8]), element }
    struct Fault: Error {}

    private let bytes: [UInt8]
    private let patterns: [[Step]]
    private var index = 0
    private var path: [Step] = []
    private(set) var found: [JSONFound] = []
    private(set) var isValid = false
    private(set) var rootEnd: Int?

    init(_ bytes: [UInt8], _ paths: [String]) {
        self.bytes = bytes
        patterns = paths.map(Self.pattern)
        do {
            if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
            skipSpace()
            try value()
            skipSpace()
            isValid = index == bytes.count
        } catch {}
    }

    static func pattern(_ path: String) -> [Step] {
        var steps: [Step] = []
        for part in path.split(separator: ".") {
            let name = part.prefix { $0 != "[" }
            if !name.isEmpty { steps.append(.key(Array(name.utf8))) }
            steps += Array(repeating: .element, count: (part.utf8.count - name.utf8.count) / 2)
        }
        return steps
    }

    private var wanted: Int? { patterns.firstIndex(of: path) }
    /// Some path goes on from here, by a key or by an element.
    private func goesOn(byElement: Bool) -> Bool {
        patterns.contains {
            $0.count > path.count && Array($0[..<path.count]) == path && ($0[path.count] == .element) == byElement
        }
    }

    private mutating func byte() throws -> UInt8 {
        guard index < bytes.count else { throw Fault() }
        defer { index += 1 }
        return bytes[index]
    }

    private mutating func take(_ expected: Unicode.Scalar) throws {
        guard try byte() == UInt8(ascii: expected) else { throw Fault() }
    }

    private var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipSpace() {
        while let byte = peek, Self.isSpace(byte) { index += 1 }
    }

    static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }

    private mutating func value() throws {
        let start = index
        switch peek {
        case UInt8(ascii: "\""):
            let text = try string()
            if let wanted {
                found.append(
                    JSONFound(
                        path: wanted, kind: .string, range: start..<index,
                        text: text.count <= JSONScanner.textLimit ? text : nil))
            }
        case UInt8(ascii: "{"): try container(isObject: true)
        case UInt8(ascii: "["): try container(isObject: false)
        default: try literal()
        }
    }

    private mutating func container(isObject: Bool) throws {
        let start = index
        let isRoot = path.isEmpty
        index += 1
        skipSpace()
        if peek == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
            index += 1
        } else {
            while true {
                skipSpace()
                if isObject {
                    path.append(.key(try string()))
                    skipSpace()
                    try take(":")
                    skipSpace()
                } else {
                    path.append(.element)
                }
                try value()
                path.removeLast()
                skipSpace()
                let next = try byte()
                if next == UInt8(ascii: ",") { continue }
                guard next == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { throw Fault() }
                break
            }
        }
        if isRoot { rootEnd = index - 1 }
        guard let wanted else { return }
        var text: [UInt8]?
        if !goesOn(byElement: !isObject), index - start <= JSONScanner.rawLimit { text = Array(bytes[start..<index]) }
        found.append(
            JSONFound(
                path: wanted, kind: isObject ? .object : .array, range: start..<index, text: text))
    }

    private mutating func literal() throws {
        let start = index
        while let byte = peek, ![0x20, 0x09, 0x0A, 0x0D, 0x2C, 0x5D, 0x7D].contains(byte) { index += 1 }
        // Nobody knows that it has ended before something follows.
        guard peek != nil else { throw Fault() }
        let text = Array(bytes[start..<index])
        let kind: JSONFinding.Kind
        switch String(decoding: text, as: UTF8.self) {
        case "true": kind = .true
        case "false": kind = .false
        case "null": kind = .null
        case let number:
            guard number.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+\-]?[0-9]+)?/) != nil else { throw Fault() }
            kind = .number
        }
        guard let wanted else { return }
        found.append(
            JSONFound(
                path: wanted, kind: kind, range: start..<index, text: text.count <= JSONScanner.textLimit ? text : nil))
    }

    private mutating func string() throws -> [UInt8] {
        try take("\"")
        // Code units of an escape become text only when a run of them has ended, so that halves meet.
        var units: [UInt16] = []
        var output: [UInt8] = []
        func flush() {
            output += Array(String(decoding: units, as: UTF16.self).utf8)
            units = []
        }
        while true {
            let byte = try byte()
            switch byte {
            case UInt8(ascii: "\""):
                flush()
                return output
            case UInt8(ascii: "\\"):
                let names = Array("\"\\/bfnrt".utf8)
                let meanings = Array("\"\\/\u{8}\u{C}\n\r\t".utf8)
                let escape = try self.byte()
                if let place = names.firstIndex(of: escape) {
                    flush()
                    output.append(meanings[place])
                } else {
                    guard escape == UInt8(ascii: "u"), index + 4 <= bytes.count else { throw Fault() }
                    let digits = String(decoding: bytes[index..<index + 4], as: UTF8.self)
                    guard digits.utf8.count == 4, digits.allSatisfy(\.isHexDigit), digits.allSatisfy(\.isASCII),
                        let unit = UInt16(digits, radix: 16)
                    else { throw Fault() }
                    units.append(unit)
                    index += 4
                }
            case 0..<0x20: throw Fault()
            default:
                flush()
                output.append(byte)
            }
        }
    }
}
