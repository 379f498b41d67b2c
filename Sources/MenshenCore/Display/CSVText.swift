// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// CSV (RFC 4180) as all of menshen writes it. Its texts are the callers', and a spreadsheet obeys what it reads.
extension [UInt8] {
    /// Behind every line.
    package static let csvEnd: [UInt8] = [13, 10]

    /// A field, in quotes where its text needs them. What a spreadsheet would take for a formula gets an apostrophe before it, as
    /// spreadsheets write texts; what no terminal may get stands as `ShownName` has it.
    package mutating func append(csv text: String) {
        // Most are plain.
        let text = text.utf8.allSatisfy { 0x20..<0x7f ~= $0 } ? text : ShownName.escaped(text)
        let isFormula = text.unicodeScalars.first.map { "=+-@＝＋－＠".unicodeScalars.contains($0) } ?? false
        let needsQuotes = text.utf8.contains { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: ",") }
        if needsQuotes { append(UInt8(ascii: "\"")) }
        if isFormula { append(UInt8(ascii: "'")) }
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") { append(byte) }
            append(byte)
        }
        if needsQuotes { append(UInt8(ascii: "\"")) }
    }
}
