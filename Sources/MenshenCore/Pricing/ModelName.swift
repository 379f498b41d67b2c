// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Under which names a model may stand in a table: its own, and without the date or the "-latest" that says which one of
/// several that cost the same it is. No other part of a name is ever left out: `claude-opus-5-5` is another model than
/// `claude-opus-5`, at another price.
enum ModelName {
    static func candidates(_ model: String) -> [String] {
        let name = model.lowercased()
        // Bedrock has its version behind the date.
        let (head, version) = parts(name)
        guard let plain = undated(head) ?? (head.hasSuffix("-latest") ? head.dropLast(7) : nil), !plain.isEmpty else {
            return [name]
        }
        return version.isEmpty ? [name, String(plain)] : [name, String(plain + version), String(plain)]
    }

    /// "…-v1:0" in two.
    private static func parts(_ name: String) -> (head: Substring, version: Substring) {
        guard let dash = name.lastIndex(of: "-") else { return (name[...], "") }
        let version = name[dash...]
        let digits = version.utf8.dropFirst(2).split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        let isVersion = version.hasPrefix("-v") && digits.count == 2 && digits.allSatisfy { isNumber($0) }
        return isVersion ? (name[..<dash], version) : (name[...], "")
    }

    /// Without "-20260115", "@20260115" or "-2026-01-15" at its end; nil if there is none.
    private static func undated(_ name: Substring) -> Substring? {
        let bytes = name.utf8
        if bytes.count > 11, PriceDate(String(name.suffix(10))) != nil, name.dropLast(10).hasSuffix("-") {
            return name.dropLast(11)
        }
        let digits = name.suffix(8)
        guard bytes.count > 9, digits.utf8.count == 8, isNumber(digits.utf8) else { return nil }
        let date = digits.prefix(4) + "-" + digits.dropFirst(4).prefix(2) + "-" + digits.suffix(2)
        let before = name.dropLast(8)
        guard PriceDate(date) != nil, before.hasSuffix("-") || before.hasSuffix("@") else { return nil }
        return before.dropLast()
    }

    private static func isNumber(_ text: some Collection<UInt8>) -> Bool {
        !text.isEmpty && text.allSatisfy { (48...57).contains($0) }
    }
}
