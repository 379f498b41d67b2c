// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// A JSON object whose members are texts or lists of texts; numbers and words are taken as they are written. Read to the letter,
/// for what tells menshen to do something: nothing is passed over.
package struct FlatObject: Sendable {
    package enum Value: Sendable, Equatable {
        case text(String)
        case list([String])
    }

    package private(set) var members: [(name: String, value: Value)] = []

    /// nil for anything else, and for a name that comes twice.
    package init?(_ bytes: [UInt8]) {
        guard read(bytes.span) else { return nil }
    }

    private mutating func read(_ bytes: Span<UInt8>) -> Bool {
        var index = 0
        guard Self.take(UInt8(ascii: "{"), bytes, &index) else { return false }
        if Self.take(UInt8(ascii: "}"), bytes, &index) { return Self.isAtEnd(bytes, &index) }
        repeat {
            guard let name = Self.string(bytes, &index), Self.take(UInt8(ascii: ":"), bytes, &index),
                let value = Self.value(bytes, &index), !members.contains(where: { $0.name == name })
            else { return false }
            members.append((name, value))
        } while Self.take(UInt8(ascii: ","), bytes, &index)
        return Self.take(UInt8(ascii: "}"), bytes, &index) && Self.isAtEnd(bytes, &index)
    }

    /// The texts of a JSON array of texts; nil for anything else.
    package static func texts(_ bytes: [UInt8]) -> [String]? {
        var index = 0
        guard let texts = list(bytes.span, &index), isAtEnd(bytes.span, &index) else { return nil }
        return texts
    }

    private static func value(_ bytes: Span<UInt8>, _ index: inout Int) -> Value? {
        CanonicalJSON.skipSpace(bytes, &index)
        guard index < bytes.count else { return nil }
        switch bytes[index] {
        case 0x22: return string(bytes, &index).map { .text($0) }
        case UInt8(ascii: "["): return list(bytes, &index).map { .list($0) }
        default:
            let start = index
            guard CanonicalJSON.skipScalar(bytes, &index) else { return nil }
            let text = (start..<index).map { bytes[$0] }
            return .text(String(decoding: text, as: UTF8.self))
        }
    }

    private static func list(_ bytes: Span<UInt8>, _ index: inout Int) -> [String]? {
        guard take(UInt8(ascii: "["), bytes, &index) else { return nil }
        var texts: [String] = []
        if take(UInt8(ascii: "]"), bytes, &index) { return texts }
        repeat {
            guard let text = string(bytes, &index) else { return nil }
            texts.append(text)
        } while take(UInt8(ascii: ","), bytes, &index)
        return take(UInt8(ascii: "]"), bytes, &index) ? texts : nil
    }

    private static func string(_ bytes: Span<UInt8>, _ index: inout Int) -> String? {
        guard take(0x22, bytes, &index) else { return nil }
        var text = JSONText()
        text.begin(limit: bytes.count)
        guard case .end = text.take(bytes, &index) else { return nil }
        return String(validating: text.bytes, as: UTF8.self)
    }

    /// Moves behind the byte, if it comes next.
    private static func take(_ byte: UInt8, _ bytes: Span<UInt8>, _ index: inout Int) -> Bool {
        CanonicalJSON.skipSpace(bytes, &index)
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private static func isAtEnd(_ bytes: Span<UInt8>, _ index: inout Int) -> Bool {
        CanonicalJSON.skipSpace(bytes, &index)
        return index == bytes.count
    }
}

extension [UInt8] {
    /// Appends a JSON array of texts.
    package mutating func append(json texts: [String]) {
        append(UInt8(ascii: "["))
        for (index, text) in texts.enumerated() {
            if index > 0 { append(UInt8(ascii: ",")) }
            append(json: text)
        }
        append(UInt8(ascii: "]"))
    }
}
