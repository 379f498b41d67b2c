// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A model's name with `*` for any run of characters, as in `models = ["gpt-*"]`. Case counts, as it does for providers.
package struct ModelPattern: Sendable, Equatable, CustomStringConvertible {
    private let parts: [[UInt8]]
    package let description: String

    package init(_ text: String) {
        description = text
        parts = text.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map(Array.init)
    }

    /// It stands for more than itself.
    package var hasWildcard: Bool { parts.count > 1 }

    package func matches(_ model: String) -> Bool {
        guard parts.count > 1, let first = parts.first, let last = parts.last else { return description == model }
        // The usual form, "gpt-*".
        if parts.count == 2, last.isEmpty { return model.utf8.starts(with: first) }
        let name = Array(model.utf8)
        guard name.count >= first.count + last.count, name.starts(with: first), name.suffix(last.count) == last[...]
        else { return false }
        // Each inner part at its first place: what is left for the others is longest then.
        var rest = name[first.count..<name.count - last.count]
        for part in parts[1..<parts.count - 1] where !part.isEmpty {
            guard let found = Self.first(part, in: rest) else { return false }
            rest = rest[(found + part.count)...]
        }
        return true
    }

    private static func first(_ part: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= part.count else { return nil }
        return (bytes.startIndex...bytes.endIndex - part.count).first { bytes[$0..<$0 + part.count] == part[...] }
    }
}
