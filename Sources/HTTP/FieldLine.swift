// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// One line "name: value" CR LF of a head or of trailers.
enum FieldLine {
    /// Returns the field and the index after its line. The caller knows that a blank line follows somewhere.
    static func read(_ bytes: borrowing Span<UInt8>, from start: Int) throws(HTTPError) -> (RequestHead.Field, Int) {
        if ByteClass.isSpace(bytes[start]) { throw .foldedField }
        var index = start
        while index < bytes.count, ByteClass.isToken(bytes[index]) { index += 1 }
        guard index > start, index < bytes.count, bytes[index] == UInt8(ascii: ":") else {
            throw index < bytes.count && bytes[index] == 10 ? .bareLineEnd : .badField
        }
        let name = start..<index
        index += 1
        while index < bytes.count, ByteClass.isSpace(bytes[index]) { index += 1 }
        let first = index
        while index < bytes.count, ByteClass.isValue(bytes[index]) { index += 1 }
        guard index + 1 < bytes.count else { throw .badField }
        if bytes[index] == 10 || (bytes[index] == 13 && bytes[index + 1] != 10) { throw .bareLineEnd }
        guard bytes[index] == 13 else { throw .badField }
        var last = index
        while last > first, ByteClass.isSpace(bytes[last - 1]) { last -= 1 }
        return (RequestHead.Field(name: name, value: first..<last, known: FieldName(bytes, in: name)), index + 2)
    }
}
