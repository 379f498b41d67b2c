// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What a record keeps of a text that a caller or a provider chose: nobody fills the disk with a name.
package enum AuditText {
    private static let nameLimit = 256
    private static let pathLimit = 2048

    /// A model's or a user's name, with "…" for what was left out.
    package static func name(_ name: String) -> String { cut(name, nameLimit) }
    package static func path(_ path: String) -> String { cut(path, pathLimit) }

    private static func cut(_ text: String, _ limit: Int) -> String {
        if text.utf8.count <= limit { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: limit - 3)
        while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
        return text[..<end] + "…"
    }
}
