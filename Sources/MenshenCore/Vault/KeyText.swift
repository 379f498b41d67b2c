// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A key or token as a file, a credential or a command gives it. Files are made by hand, and people make them in many ways:
/// a byte order mark, blank lines and surrounding blanks are taken off; what would change the key is refused with the
/// sentence that helps. No sentence repeats any of the text.
package enum KeyText {
    package enum Fault: Error, Sendable, CaseIterable {
        case empty, severalLines, quoted, assignment, scheme, json, utf16, notVisible

        /// What is wrong and what to do, to stand behind "The key file F ".
        package var sentence: String {
            switch self {
            case .empty: "is empty. Put the key into it, and nothing else."
            case .severalLines: "has several lines. Leave only the one with the key."
            case .quoted: "has quotation marks around the key. Remove them."
            case .assignment:
                "has a name and \"=\" before the key, as a shell's file has. Leave only what follows the \"=\"."
            case .scheme: "has \"Bearer\" before the key. Remove it; menshen adds what the provider wants."
            case .json: "holds JSON. Leave only the key itself."
            case .utf16: "is text in UTF-16. Save it as plain ASCII or UTF-8."
            case .notVisible: "has a space, a control character or a character outside ASCII within the key."
            }
        }
    }

    package static func read(_ bytes: [UInt8]) throws(Fault) -> Secret {
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) { throw .utf16 }
        var part = bytes[...]
        if part.starts(with: [0xEF, 0xBB, 0xBF]) { part = part.dropFirst(3) }
        while let last = part.last, isBlank(last) { part = part.dropLast() }
        while let first = part.first, isBlank(first) { part = part.dropFirst() }
        guard let first = part.first, let last = part.last else { throw .empty }
        if part.contains(0) { throw bytes.count.isMultiple(of: 2) && bytes[1] == 0 ? .utf16 : .notVisible }
        if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") { throw .json }
        if part.contains(10) || part.contains(13) { throw .severalLines }
        let text = String(decoding: part, as: UTF8.self)
        if text.lowercased().hasPrefix("bearer ") { throw .scheme }
        if isAssignment(text) { throw .assignment }
        let marks = [UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`")]
        if marks.contains(first) || marks.contains(last) || first >= 0x80 && last >= 0x80 { throw .quoted }
        guard part.allSatisfy({ (0x21...0x7E).contains($0) }) else { throw .notVisible }
        return Secret(Array(part))
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }

    /// "OPENAI_API_KEY=…" or "export TOKEN=…". The end of a key in base64 is no assignment.
    private static func isAssignment(_ text: String) -> Bool {
        let isExported = text.hasPrefix("export ")
        let rest = isExported ? text.dropFirst(7).drop { $0 == " " } : text[...]
        let name = rest.prefix { $0 != "=" }
        guard let value = rest.dropFirst(name.count).dropFirst().first, value != "=" else { return false }
        guard let first = name.first, first.isLetter || first == "_",
            name.utf8.allSatisfy({
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 95
            })
        else { return false }
        let upper = name.uppercased()
        return isExported || ["KEY", "TOKEN", "SECRET", "PASSWORD"].contains(where: upper.hasSuffix)
            || name == upper && name.contains("_")
    }
}
