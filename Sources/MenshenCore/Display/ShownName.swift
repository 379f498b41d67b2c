// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Names as they may be shown. They are the callers', and a terminal or a page obeys what it is sent: controls, marks of
/// direction and what has no width stand as their numbers.
package enum ShownName {
    /// `\u202e` in place of what must not pass. An empty name is "(empty)".
    package static func clean(_ name: String) -> String { name.isEmpty ? "(empty)" : escaped(name) }

    /// The same of a text that may be empty.
    package static func escaped(_ name: String) -> String {
        guard name.unicodeScalars.contains(where: isUnsafe) else { return name }
        var text = ""
        for scalar in name.unicodeScalars {
            guard isUnsafe(scalar) else {
                text.unicodeScalars.append(scalar)
                continue
            }
            let digits = String(scalar.value, radix: 16)
            text += "\\u" + String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
        }
        return text
    }

    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0xad, 0x61c, 0x180e, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff,
            0xfff9...0xfffb, 0xe0000...0xe007f:
            true
        default: false
        }
    }

    /// Columns that it takes in a terminal.
    package static func width(_ text: String) -> Int { text.unicodeScalars.reduce(0) { $0 + width($1) } }

    private static func width(_ scalar: Unicode.Scalar) -> Int {
        if scalar.value < 0x300 { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        switch scalar.value {
        case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0x33ff, 0x3400...0x4dbf, 0x4e00...0x9fff, 0xa000...0xa4cf,
            0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60, 0xffe0...0xffe6, 0x1f300...0x1f64f,
            0x1f680...0x1f6ff, 0x1f900...0x1f9ff, 0x20000...0x3fffd:
            return 2
        default: return 1
        }
    }

    /// Cut in the middle to so many columns, because both ends tell models apart. `mark` stands for what is gone.
    package static func cut(_ text: String, to columns: Int, mark: String = "…") -> String {
        if width(text) <= columns { return text }
        let room = columns - width(mark)
        guard room > 0 else { return String(mark.prefix(columns)) }
        // A combining mark stays with its letter.
        let head = take(text, (room + 1) / 2)
        let tail = String(take(String(text.reversed()), room - width(head)).reversed())
        return head + mark + tail
    }

    private static func take(_ text: some Sequence<Character>, _ columns: Int) -> String {
        var taken = ""
        var left = columns
        for character in text {
            left -= width(String(character))
            if left < 0 { break }
            taken.append(character)
        }
        return taken
    }
}
