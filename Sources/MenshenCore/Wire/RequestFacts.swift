// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What menshen wants to know of a JSON request body, read in one pass over the bytes without decoding the rest.
package struct RequestFacts: Sendable, Equatable {
    package var model: String?
    package var isStream: Bool?

    package init() {}

    /// Reads top-level "model" and "stream". `body` may be the beginning of a longer one: what lies beyond is unknown.
    /// The first of duplicate keys counts. Anything that is not a JSON object gives no facts.
    package init(json body: [UInt8]) {
        var scanner = JSONScanner(body)
        scanner.eachMember { key, scanner in
            switch key {
            case "model" where model == nil: model = scanner.string(maxBytes: 256)
            case "stream" where isStream == nil: isStream = scanner.boolean()
            default: break
            }
            return model == nil || isStream == nil
        }
    }

    /// Gemini carries both in the path: /v1beta/models/MODEL:streamGenerateContent.
    package init(geminiPath path: String) {
        guard let last = path.split(separator: "/").last, let colon = last.lastIndex(of: ":") else { return }
        model = String(last[..<colon])
        isStream = last[colon...].hasPrefix(":stream")
    }

    /// Azure carries the deployment in the path: /openai/deployments/NAME/chat/completions.
    package static func azureDeployment(_ path: String) -> String? {
        let segments = path.split(separator: "/")
        guard segments.count > 2, segments[0] == "openai", segments[1] == "deployments" else { return nil }
        return String(segments[2])
    }
}

/// Walks the members of a JSON object in bytes. Values that are not asked for are skipped by counting brackets outside
/// strings, so depth costs no stack.
package struct JSONScanner {
    private let bytes: [UInt8]
    private var index = 0

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
    }

    /// Calls `visit` with each key of the outermost object; the value is next. `visit` may read it, and returns whether
    /// to go on.
    package mutating func eachMember(_ visit: (String, inout JSONScanner) -> Bool) {
        skipSpace()
        guard take(UInt8(ascii: "{")) else { return }
        while true {
            skipSpace()
            guard let key = key() else { return }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { return }
            skipSpace()
            let value = index
            guard visit(key, &self) else { return }
            index = value
            guard skipValue() else { return }
            skipSpace()
            guard take(UInt8(ascii: ",")) else { return }
        }
    }

    /// The string that is next, unescaped; nil, with nothing consumed, if there is none or it is longer than `maxBytes`.
    package mutating func string(maxBytes: Int) -> String? {
        let start = index
        guard take(0x22) else { return nil }
        var output: [UInt8] = []
        while index < bytes.count, output.count <= maxBytes {
            let byte = bytes[index]
            index += 1
            switch byte {
            case 0x22: return String(decoding: output, as: UTF8.self)
            case 0x5C:
                guard let scalar = escape() else {
                    index = start
                    return nil
                }
                output.append(contentsOf: String(scalar).utf8)
            case 0x00..<0x20:
                index = start
                return nil
            default: output.append(byte)
            }
        }
        index = start
        return nil
    }

    /// The boolean that is next; nil for anything else.
    package mutating func boolean() -> Bool? {
        if bytes[index...].starts(with: "true".utf8) { return true }
        if bytes[index...].starts(with: "false".utf8) { return false }
        return nil
    }

    /// The key that is next. Only a key that could be one of ours becomes text: as long as the longest of them, or with
    /// an escape in it. The others are passed over, and named by nothing we look for.
    private mutating func key() -> String? {
        let start = index
        guard skipString() else { return nil }
        let length = index - start - 2
        guard length <= 6 || bytes[start..<index].contains(0x5C) else { return "" }
        let end = index
        index = start
        let text = string(maxBytes: 64)
        index = end
        return text ?? ""
    }

    private mutating func escape() -> Unicode.Scalar? {
        guard index < bytes.count else { return nil }
        let byte = bytes[index]
        index += 1
        switch byte {
        case 0x22, 0x5C, UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            guard let unit = hexUnit() else { return nil }
            guard (0xD800..<0xDC00).contains(unit) else { return Unicode.Scalar(unit) ?? "\u{FFFD}" }
            let afterHigh = index
            if index + 1 < bytes.count, bytes[index] == 0x5C, bytes[index + 1] == UInt8(ascii: "u") {
                index += 2
                if let low = hexUnit(), (0xDC00..<0xE000).contains(low) {
                    return Unicode.Scalar(0x10000 + ((UInt32(unit) - 0xD800) << 10 | (UInt32(low) - 0xDC00)))
                }
            }
            // Half a pair; what follows stands for itself.
            index = afterHigh
            return "\u{FFFD}"
        default: return nil
        }
    }

    private mutating func hexUnit() -> UInt16? {
        guard index + 4 <= bytes.count else { return nil }
        var unit: UInt16 = 0
        for byte in bytes[index..<index + 4] {
            switch byte {
            case 48...57: unit = unit << 4 | UInt16(byte - 48)
            case 65...70: unit = unit << 4 | UInt16(byte - 55)
            case 97...102: unit = unit << 4 | UInt16(byte - 87)
            default: return nil
            }
        }
        index += 4
        return unit
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            default: return
            }
        }
    }

    private mutating func skipString() -> Bool {
        guard take(0x22) else { return false }
        guard let end = Self.endOfString(bytes.span, from: index) else {
            index = bytes.count
            return false
        }
        index = end
        return true
    }

    /// Index after the closing quote; nil if there is none.
    private static func endOfString(_ bytes: borrowing Span<UInt8>, from start: Int) -> Int? {
        var index = start
        let count = bytes.count
        // Prompts are long runs of plain text: eight bytes a step, until one of them is a quote or a backslash.
        let raw = unsafe bytes.bytes
        while index &+ 8 <= count {
            // SAFETY: every bit pattern is a UInt64, and the load checks its bounds.
            let word = unsafe raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            if hasByte(word, 0x22) || hasByte(word, 0x5C) {
                let end = index &+ 8
                while index < end {
                    let byte = bytes[index]
                    if byte == 0x22 { return index &+ 1 }
                    index &+= byte == 0x5C ? 2 : 1
                }
            } else {
                index &+= 8
            }
        }
        while index < count {
            let byte = bytes[index]
            if byte == 0x22 { return index &+ 1 }
            index &+= byte == 0x5C ? 2 : 1
        }
        return nil
    }

    /// Whether one of a word's bytes is `byte` (the exact form of the zero-byte test).
    private static func hasByte(_ word: UInt64, _ byte: UInt8) -> Bool {
        let difference = word ^ (0x0101_0101_0101_0101 &* UInt64(byte))
        return (difference &- 0x0101_0101_0101_0101) & ~difference & 0x8080_8080_8080_8080 != 0
    }

    private mutating func skipValue() -> Bool {
        guard index < bytes.count else { return false }
        switch bytes[index] {
        case 0x22: return skipString()
        case UInt8(ascii: "{"), UInt8(ascii: "["): return skipNested()
        default:
            let start = index
            while index < bytes.count {
                switch bytes[index] {
                case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"), 0x20, 0x09, 0x0A, 0x0D:
                    return index > start
                default: index += 1
                }
            }
            return false
        }
    }

    private mutating func skipNested() -> Bool {
        guard let end = Self.endOfNested(bytes.span, from: index) else { return false }
        index = end
        return true
    }

    /// Index after the bracket that closes the one at `start`; nil if there is none.
    private static func endOfNested(_ bytes: borrowing Span<UInt8>, from start: Int) -> Int? {
        var index = start
        var depth = 0
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case 0x22:
                guard let end = endOfString(bytes, from: index) else { return nil }
                index = end
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return index }
            default: break
            }
        }
        return nil
    }
}
