// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The grammar of JSON's strings, numbers and words (RFC 8259), to the letter.
extension CanonicalJSON {
    static func skipSpace(_ bytes: Span<UInt8>, _ index: inout Int) {
        while index < bytes.count, JSONScanner.isSpace(bytes[index]) { index &+= 1 }
    }

    /// Moves behind a value that is no object and no array; false if there is none.
    static func skipScalar(_ bytes: Span<UInt8>, _ index: inout Int) -> Bool {
        switch bytes[index] {
        case 0x22:
            index &+= 1
            return skipString(bytes, &index)
        case UInt8(ascii: "t"): return skip("true", bytes, &index)
        case UInt8(ascii: "f"): return skip("false", bytes, &index)
        case UInt8(ascii: "n"): return skip("null", bytes, &index)
        default: return skipNumber(bytes, &index)
        }
    }

    private static func skip(_ word: StaticString, _ bytes: Span<UInt8>, _ index: inout Int) -> Bool {
        let count = word.utf8CodeUnitCount
        guard bytes.count &- index >= count else { return false }
        let begin = index
        index &+= count
        return word.withUTF8Buffer { text in
            for offset in 0..<count where unsafe text[offset] != bytes[begin &+ offset] { return false }
            return true
        }
    }

    private static func skipNumber(_ bytes: Span<UInt8>, _ index: inout Int) -> Bool {
        if bytes[index] == UInt8(ascii: "-") { index &+= 1 }
        guard index < bytes.count else { return false }
        if bytes[index] == UInt8(ascii: "0") {
            index &+= 1
        } else if !skipDigits(bytes, &index) {
            return false
        }
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            index &+= 1
            guard skipDigits(bytes, &index) else { return false }
        }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            index &+= 1
            if index < bytes.count, bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") {
                index &+= 1
            }
            guard skipDigits(bytes, &index) else { return false }
        }
        return true
    }

    private static func skipDigits(_ bytes: Span<UInt8>, _ index: inout Int) -> Bool {
        let begin = index
        while index < bytes.count, 48...57 ~= bytes[index] { index &+= 1 }
        return index > begin
    }

    /// From after the opening quote to after the closing one.
    private static func skipString(_ bytes: Span<UInt8>, _ index: inout Int) -> Bool {
        let count = bytes.count
        let raw = unsafe bytes.bytes
        while index < count {
            while index &+ 8 <= count {
                // SAFETY: every bit pattern is a UInt64, and the load checks its bounds.
                let word = unsafe raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
                let marks =
                    ByteSearch.marks(word, 0x22) | ByteSearch.marks(word, 0x5C) | ByteSearch.marks(word, below: 0x20)
                if marks != 0 {
                    index &+= marks.trailingZeroBitCount >> 3
                    break
                }
                index &+= 8
            }
            guard index < count else { return false }
            let byte = bytes[index]
            index &+= 1
            if byte == 0x22 { return true }
            if byte < 0x20 { return false }
            if byte == 0x5C, !skipEscape(bytes, &index) { return false }
        }
        return false
    }

    private static func skipEscape(_ bytes: Span<UInt8>, _ index: inout Int) -> Bool {
        guard index < bytes.count else { return false }
        let byte = bytes[index]
        index &+= 1
        guard byte == UInt8(ascii: "u") else { return JSONText.plain(byte) != nil }
        guard bytes.count &- index >= 4 else { return false }
        for offset in 0..<4 where JSONText.digit(bytes[index &+ offset]) == nil { return false }
        index &+= 4
        return true
    }
}
